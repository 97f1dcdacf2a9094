"""The stages between a reader and intake, in order: a question is made of an entry; what is left is taken in.

They are put together once for a run, from what the managers of the source have set.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ingest import prompts
from ingest.cleaning import cleaned
from ingest.document import Dropped, Refusal
from review.text.rules import Chosen

if TYPE_CHECKING:
    from collections.abc import Collection

    from ingest.document import Document
    from review.models import Source

type Tally = dict[str, Counter[str]]
"""How often a stage did what, by stage: `{"template": {"请介绍{quoted}。": 12}}`."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the records of a source go through."""

    source: "Source"
    kinds: tuple[prompts.Kind, ...] = ()
    rules: Chosen = field(default_factory=lambda: Chosen(()))
    tally: Tally = field(default_factory=dict)

    @classmethod
    def of(cls, source: "Source", *, also: "Collection[str]" = ()) -> Self:
        """Put together the stages of a source, with rules that are switched on `also`, for this once.

        Raises `prompts.Unsound` for templates that no check has seen.
        """
        return cls(source, prompts.kinds_of(source.slug, source.templates), Chosen({*source.active_rules, *also}))

    def passed(self, document: "Document") -> "Document | Refusal | Dropped":
        """Take a record through the stages."""
        asked = self._asked(document)
        return asked if isinstance(asked, Refusal) or not self.rules else self._cleaned(asked)

    def _cleaned(self, document: "Document") -> "Document | Dropped":
        clean = cleaned(document, self.rules)
        if not isinstance(clean, Dropped):
            for rule in clean.repairs:
                self.count("repair", rule)
        return clean

    def _asked(self, document: "Document") -> "Document | Refusal":
        """Return the record with a question."""
        if document.more_minor or document.more_domain:
            document = document.labelled(minor=self.source.minor, domain=self.source.domain)
        if document.instruction:
            return document
        made = prompts.rendered(self.kinds, document)
        if not isinstance(made, prompts.Rendered):
            return made
        self.count("template", made.template)
        return made.document

    def count(self, stage: str, what: str) -> None:
        """Count once more what a stage did."""
        self.tally.setdefault(stage, Counter())[what] += 1

    def counted(self) -> Mapping[str, Mapping[str, int]]:
        """Return what was counted since the last time, and begin anew."""
        counted = dict(self.tally)
        self.tally.clear()
        return counted
