"""The stages between a reader and intake, in order: votes, a question for an entry, rules, length, score.

They are put together once for a run, from what the managers of the source have set.
"""

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from django.conf import settings

from ingest import prompts, scoring
from ingest.cleaning import cleaned
from ingest.document import Document, Dropped, Refusal
from ingest.mapping import FieldMapping, applied_again, parsed
from ingest.readers.returned import RETURNED
from ingest.thresholds import Thresholds
from review.text.rules import Chosen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ingest.models import Job
    from ingest.readers.shape import Change
    from review.models import Source

SLOW_RECORDS = 50
MAX_NAME = 100
"""Characters of a model's name that are kept with its scores."""

type Tally = dict[str, Counter[str]]
"""How often a stage did what, by stage: `{"template": {"请介绍{quoted}。": 12}}`."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the records of a source go through."""

    source: "Source"
    kinds: tuple[prompts.Kind, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    rules: Chosen = field(default_factory=lambda: Chosen(()))
    model: scoring.Endpoint | None = None
    """Who is asked for scores; by rules where nobody is."""
    mapping: FieldMapping | None = None
    tally: Tally = field(default_factory=dict)

    @property
    def chunk_records(self) -> int:
        """How many records a chunk should have: fewer where each of them takes seconds."""
        return SLOW_RECORDS if self.model else settings.INGEST_CHUNK_RECORDS

    @property
    def scorer(self) -> str:
        """Who scores the records, for those who look at the scores later."""
        return self.model.model[:MAX_NAME] or "model" if self.model else scoring.BY_RULES

    @classmethod
    def of_job(cls, job: "Job") -> Self:
        """Put together the stages of a job's source, with the rules and the mapping that it was submitted with."""
        given = job.options.get("mapping")
        return cls.of(job.batch.source, also=job.rules, mapping=parsed(given) if given else None)

    def change(self, container: str) -> "Change | None":
        """What is done to each document while its record is still at hand."""
        if self.mapping:
            return self.mapping.applied
        return applied_again if container.partition(".")[0] == RETURNED else None

    @classmethod
    def of(
        cls,
        source: "Source",
        *,
        also: "Collection[str]" = (),
        mapping: FieldMapping | None = None,
        is_rehearsal: bool = False,
    ) -> Self:
        """Put together the stages of a source, with rules that are switched on `also`, for this once.

        In a rehearsal no model is asked, and what its scores would keep away is not known. Raises `prompts.Unsound` for
        templates that no check has seen.
        """
        kinds, rules = prompts.kinds_of(source.slug, source.templates), Chosen({*source.active_rules, *also})
        thresholds = Thresholds.of(source.thresholds)
        model = endpoint() if thresholds.score is not None else None
        if model and is_rehearsal:
            thresholds, model = replace(thresholds, score=None), None
        return cls(source, kinds, thresholds, rules, model, mapping)

    def through(self, records: "Iterable[Document | Refusal]") -> "Iterator[Document | Refusal | Dropped]":
        """Take records through the stages, in order; several at once where a model is asked for their scores."""
        passed = (record if isinstance(record, Refusal) else self.passed(record) for record in records)
        return passed if self.model is None else self._asking(passed, self.model)

    def passed(self, document: Document) -> "Document | Refusal | Dropped":
        """Take a record through all stages but the questions to a model."""
        if reason := self.thresholds.by_facts(document):
            return _dropped(document, reason)
        asked = self._asked(document)
        if isinstance(asked, Refusal):
            return asked
        clean = self._cleaned(asked) if self.rules else asked
        return clean if isinstance(clean, Dropped) else self._filtered(clean)

    def _cleaned(self, document: Document) -> Document | Dropped:
        clean = cleaned(document, self.rules)
        if not isinstance(clean, Dropped):
            for rule in clean.repairs:
                self.count("repair", rule)
        return clean

    def _asked(self, document: Document) -> Document | Refusal:
        """Return the record with a question."""
        if document.more_minor or document.more_domain:
            document = document.labelled(
                minor=self.source.minor, domain=self.source.domain, go_together=self.source.labels_go_together
            )
        if document.instruction:
            return document
        made = prompts.rendered(self.kinds, document)
        if not isinstance(made, prompts.Rendered):
            return made
        self.count("template", made.template)
        return made.document

    def _filtered(self, document: Document) -> Document | Dropped:
        """Leave out what is too short, too long, or scored too low by rules; without an answer there is no score."""
        if reason := self.thresholds.by_length(document):
            return _dropped(document, reason)
        if self.thresholds.score is None:
            return document
        if not document.output.strip():
            return document._replace(scorer=self.scorer, unscored="unanswered")
        if self.model is not None:
            return document
        return self._weighed(document, scoring.by_rules(document.instruction, document.output))

    def _weighed(self, document: Document, score: float) -> Document | Dropped:
        self.count("score", f"{int(score)}")
        if score < (self.thresholds.score or 0):
            return _dropped(document, "score")
        return document._replace(scorer=self.scorer, score=score)

    def _asking(
        self, passed: "Iterator[Document | Refusal | Dropped]", model: scoring.Endpoint
    ) -> "Iterator[Document | Refusal | Dropped]":
        """Ask a model for the scores of some records at once, and go on in their order."""
        client, waiting = scoring.Client(model), deque[tuple[Document | Refusal | Dropped, Future[float] | None]]()
        with ThreadPoolExecutor(model.parallel) as threads:
            try:
                for record in passed:
                    asked = None
                    if isinstance(record, Document) and record.output.strip():
                        asked = threads.submit(client.score, record.instruction, record.output)
                    waiting.append((record, asked))
                    if len(waiting) > model.parallel:
                        yield self._answered(*waiting.popleft())
                while waiting:
                    yield self._answered(*waiting.popleft())
            finally:
                threads.shutdown(cancel_futures=True)
                client.close()

    def _answered(
        self, record: "Document | Refusal | Dropped", asked: "Future[float] | None"
    ) -> "Document | Refusal | Dropped":
        """Weigh a record by the model's score; one that could not be scored goes on, and is counted as that."""
        if asked is None or not isinstance(record, Document):
            return record
        try:
            return self._weighed(record, asked.result())
        except scoring.Unscored as unscored:
            self.count("score", f"unscored: {unscored}")
            return record._replace(scorer=self.scorer, unscored=str(unscored))

    def count(self, stage: str, what: str) -> None:
        """Count once more what a stage did."""
        self.tally.setdefault(stage, Counter())[what] += 1

    def counted(self) -> Tally:
        """Return what was counted since the last time, and begin anew."""
        counted = dict(self.tally)
        self.tally.clear()
        return counted


def endpoint() -> scoring.Endpoint | None:
    """Return whom the settings name to be asked for scores."""
    if not settings.SCORING_URL:
        return None
    return scoring.Endpoint(
        url=settings.SCORING_URL,
        model=settings.SCORING_MODEL,
        key=settings.SCORING_KEY,
        per_minute=settings.SCORING_PER_MINUTE,
        timeout=settings.SCORING_TIMEOUT,
        parallel=settings.SCORING_PARALLEL,
    )


def _dropped(document: Document, reason: str) -> Dropped:
    return Dropped(document.line, document.offset, document.end, document.raw, reason)
