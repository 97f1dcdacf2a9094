"""From decisions to an outcome. Plain Python: what the state of a record is, is a function of what people said."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
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


def kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Return Cohen's kappa of two people's answers to the same questions; None where it is not defined.

    It is not where there are no answers, or where both gave one and the same answer throughout.
    """
    if not pairs:
        return None
    number = len(pairs)
    agreed = sum(one == other for one, other in pairs) / number
    first, second = Counter(one for one, _other in pairs), Counter(other for _one, other in pairs)
    by_chance = sum(first[value] * second[value] for value in first) / number**2
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else None


def alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Return Krippendorff's alpha (nominal) of the answers to each question, by any number of people.

    None where it is not defined: nothing was answered twice, or only one answer occurs. Questions answered once count
    for nothing.
    """
    import krippendorff  # noqa: PLC0415  with it comes numpy, which no worker needs that never asks

    answered = [Counter(unit) for unit in units if len(unit) > 1]
    values = sorted({value for unit in answered for value in unit}, key=repr)
    if len(values) < 2:  # noqa: PLR2004  one value alone varies not
        return None
    counts = [[unit[value] for value in values] for unit in answered]
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
