"""The staged filter of a source: what a record must have to become a candidate, each stage counted by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ingest.document import Document

NAMES = ("votes", "shortest", "longest", "score")
"""What a source may set, in the order of the stages: votes at least, characters of the answer at least and at most,
and the score from 0 to 10 at least."""
STAGES = ("votes", "too_short", "too_long", "score")
"""Under which a record that is left out is counted."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a source asks for; None where it does not ask."""

    votes: float | None = None
    shortest: float | None = None
    longest: float | None = None
    score: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Self:
        """Take what was set; whatever is no number asks for nothing."""
        numbers = {name: _number(given.get(name)) for name in NAMES}
        return cls(**numbers)

    def by_facts(self, document: "Document") -> str | None:
        """Name the stage that a record does not pass by what its source says of it; unknown votes are no reason."""
        if self.votes is None:
            return None
        votes = _number(document.facts.get("votes"))
        return "votes" if votes is not None and votes < self.votes else None

    def by_length(self, document: "Document") -> str | None:
        """Name the stage that a record does not pass by the length of its answer; without one it passes."""
        if self.shortest is None and self.longest is None:
            return None
        length = len(document.output.strip())
        if not length:
            return None
        if self.shortest is not None and length < self.shortest:
            return "too_short"
        return "too_long" if self.longest is not None and length > self.longest else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
