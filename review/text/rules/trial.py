"""What rules would do to some records, before anybody switches them on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rapidfuzz.distance import Indel

from review.text.rules.finding import every_finding
from review.text.rules.registry import RULES
from review.text.rules.shape import Kind, Rule, Span, Texts

SAMPLES = 20
AROUND = 30
LONGEST = 300


class Sample(NamedTuple):
    """One place at which a rule finds something: in which record, and what stands there, with a little around it.

    `after` is the same part once repaired, for rules that repair or propose to; `found` is what lies between `lead` and
    `tail`, for the others. Both are empty where the whole field is meant.
    """

    place: int
    field: str
    lead: str
    found: str
    tail: str
    before: str = ""
    after: str = ""


@dataclass(slots=True)
class Trial:
    """What one rule finds: in how many of the records, and the first samples."""

    rule: Rule
    number: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trials:
    """What every rule finds in the same `records`."""

    records: int
    by_rule: dict[str, Trial]

    @property
    def found(self) -> list[Trial]:
        """The rules that find something, in the order of RULES."""
        return [trial for trial in self.by_rule.values() if trial.number]


def tried(records: Iterable[tuple[int, Texts]], *, sampled: Sequence[str] = ()) -> Trials:
    """Try every rule on records, given by their place (id or line); samples are made of the rules `sampled` only."""
    number, trials = 0, {rule.id: Trial(rule) for rule in RULES.values()}
    for place, texts in records:
        number += 1
        for rule, spans in every_finding(texts):
            trial = trials[rule.id]
            trial.number += 1
            if rule.id in sampled and len(trial.samples) < SAMPLES:
                trial.samples.append(_sample(place, rule, texts, spans[0]))
    return Trials(number, trials)


def _sample(place: int, rule: Rule, texts: Texts, span: Span) -> Sample:
    name, start, end = span
    value = getattr(texts, name)
    if not isinstance(value, str):
        return Sample(place, name, "", "、".join(value)[:LONGEST], "")
    if rule.repair and rule.kind != Kind.DROP:
        before, after = changed_part(value, rule.repair(value))
        return Sample(place, name, "", "", "", before, after)
    if not end:
        return Sample(place, name, "", value[:LONGEST], "")
    found = value[start : min(end, start + LONGEST)]
    return Sample(place, name, value[max(0, start - AROUND) : start], found, value[end : end + AROUND])


def changed_part(before: str, after: str) -> tuple[str, str]:
    """Return of two texts what lies between the first and the last difference, with a little around it.

    What is long is cut, in both texts at the same place.
    """
    first = _shared(before, after)
    most = min(len(before), len(after)) - first
    last = min(most, _shared(before[::-1], after[::-1]))
    old, new = (text[first : len(text) - max(0, last - AROUND)] for text in (before, after))
    if max(len(old), len(new)) > LONGEST:
        old, new = _cut_alike(old[: 2 * LONGEST], new[: 2 * LONGEST])
    lead = before[max(0, first - AROUND) : first]
    return lead + old, lead + new


def _cut_alike(old: str, new: str) -> tuple[str, str]:
    """Cut two versions of a text at a place that they share, at most LONGEST characters behind their beginning."""
    ends = (0, 0)
    for step in Indel.opcodes(old, new):
        if step.tag == "equal":
            more = min(step.src_end - step.src_start, LONGEST - max(step.src_start, step.dest_start))
            if more <= 0:
                break
            ends = (step.src_start + more, step.dest_start + more)
    return old[: ends[0] or LONGEST], new[: ends[1] or LONGEST]


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    differing = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differing, min(len(one), len(other)))
