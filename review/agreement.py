"""From decisions to an outcome. Plain Python: what the state of a record is, is a function of what people said."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

APPROVE, REJECT, REWRITE, ESCALATE = "approve", "reject", "rewrite", "escalate"
MAJORITY = 2


@dataclass(frozen=True, slots=True)
class Opinion:
    """One counted decision (not withdrawn), in the order in which they were made.

    `content` is the sha256 of the wording, `rights` what was said of the rights, in a form that compares equal when
    the same was said.
    """

    decision: int
    kind: str
    verdict: str
    revision: int
    content: bytes
    rights: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the record stands: its state, and the decision that justifies it where there is one.

    `revision` is the wording to make current, None for the one that everybody saw.
    """

    state: str
    decision: int | None = None
    revision: int | None = None


def _said(opinion: Opinion) -> tuple[object, ...]:
    return (REJECT,) if opinion.verdict == REJECT else (opinion.verdict, opinion.content, opinion.rights)


def _decided(opinion: Opinion) -> Outcome:
    if opinion.verdict == APPROVE:
        return Outcome("approved", opinion.decision, opinion.revision)
    return Outcome("rejected", opinion.decision)


def outcome(opinions: Sequence[Opinion], wanted: int, *, answered: bool) -> Outcome:
    """Return the outcome of this round's counted decisions when `wanted` (1 to 3) are wanted.

    `answered` tells whether the wording that the first of them saw has an answer. A rewritten answer starts the count
    anew, for nobody approves what they wrote; a settler's decision ends it; an escalation is a dispute.
    """
    settled = [opinion for opinion in opinions if opinion.kind == "settle"]
    if settled:
        return _decided(settled[-1])
    last_rewrite = max((i for i, opinion in enumerate(opinions) if opinion.verdict == REWRITE), default=-1)
    current = opinions[last_rewrite + 1 :]
    base = opinions[last_rewrite].revision if last_rewrite >= 0 else None
    if any(opinion.verdict == ESCALATE for opinion in current):
        return Outcome("disputed", revision=base)
    if not current:
        return Outcome("waiting" if answered or base else "unanswered", revision=base)
    if len(current) < wanted:
        return Outcome("second", revision=base)
    return _agreed(current, wanted) or Outcome("disputed", revision=base)


def _agreed(opinions: Sequence[Opinion], wanted: int) -> Outcome | None:
    needed = min(wanted, MAJORITY)
    said, count = Counter(_said(opinion) for opinion in opinions).most_common(1)[0]
    if count < needed:
        return None
    return _decided(next(opinion for opinion in opinions if _said(opinion) == said))
