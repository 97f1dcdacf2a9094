"""The one shape of every rule, and what rules are built from."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, Self


class Kind(StrEnum):
    """What a rule does: point something out, mend it, or keep the record away."""

    FLAG = "flag"
    REPAIR = "repair"
    DROP = "drop"


class Texts(NamedTuple):
    """What rules look at: a record's texts, and its labels where they are known.

    ``answer_from`` is None where nobody asks who wrote the answer; ``names`` are the names of the record's source.
    """

    instruction: str
    input: str
    output: str
    metadata: str = ""
    major: Sequence[str] = ()
    minor: Sequence[str] = ()
    domain: Sequence[str] = ()
    answer_from: str | None = None
    names: Sequence[str] = ()


class Span(NamedTuple):
    """A place in a field, in characters, end exclusive; start and end are 0 where the whole field is meant."""

    field: str
    start: int
    end: int


class Found(NamedTuple):
    """A rule, and one place at which it found something."""

    rule: str
    span: Span


type Find = Callable[[Texts], Sequence[Span]]
type Repair = Callable[[str], str]

MAX_SPANS = 50
"""Places of one rule that are kept for a record; whoever reads that many knows."""

FIELDS = ("instruction", "input", "output")
"""The fields that rules read as text."""


BEGIN, END, ENDS = "\U0002fffe", "\U0002ffff", "\U0003fffe"
"""What stands before and behind every field where signs are looked for; behind the answer stands ``ENDS`` as well.

Like ``QUESTION`` they are no characters and stand in no text; if they did, a rule would be asked in vain.
"""
QUESTION = "\U0003ffff"
"""Stands before the instruction, ahead of ``BEGIN``."""
SPACES = "".join(filter(str.isspace, map(chr, range(0x3001))))
DIGIT = r"\p{Nd}"
"""What Python's patterns take for a space (inside a class) and for a digit: those of signs know ASCII only."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``find`` says where; ``repair`` gives a field mended: proposed by a flag, applied by a repair."""

    id: str
    kind: Kind
    english: str
    chinese: str
    find: Find
    caught: tuple[Texts, ...]
    """Samples in which it finds something."""
    passed: tuple[Texts, ...]
    """Samples that look alike and are in order."""
    signs: tuple[str, ...] | None = None
    """Patterns of RE2, one of which must occur somewhere in the texts before the rule can find anything.

    They spare a clean record the rule: they may occur where it then finds nothing, never the reverse. None: the rule
    looks at every record.
    """
    repair: Repair | None = None
    is_of_labels: bool = False
    """What it finds follows from the labels, the names of the source, and whether there is an answer."""

    def sentence(self, language: str) -> str:
        """What the rule is about, in Chinese for ``zh…`` and in English for every other language."""
        return self.chinese if language.lower().startswith("zh") else self.english

    def repairing(self, id: str, english: str, chinese: str) -> Self:  # noqa: A002  as the attribute is called
        """Return the repair that applies what this flag proposes."""
        return self._as(Kind.REPAIR, id, english, chinese)

    def dropping(self, id: str, english: str, chinese: str) -> Self:  # noqa: A002
        """Return the rule that drops what this flag points out."""
        return self._as(Kind.DROP, id, english, chinese)

    def _as(self, kind: Kind, id: str, english: str, chinese: str) -> Self:  # noqa: A002
        repair = self.repair if kind == Kind.REPAIR else None
        return replace(self, id=id, kind=kind, english=english, chinese=chinese, repair=repair)


class Family(NamedTuple):
    """Rules that belong together, under one heading."""

    id: str
    english: str
    chinese: str
    rules: tuple[Rule, ...]

    def heading(self, language: str) -> str:
        """What the rules have in common, in Chinese for ``zh…`` and in English for every other language."""
        return self.chinese if language.lower().startswith("zh") else self.english


def matching(pattern: str, fields: Sequence[str] = FIELDS) -> Find:
    """Return the finder of everything that a pattern matches; its first group, where it has one, is the place.

    It is quick where each branch of the pattern begins with one character of its own, for the engine skips what is none
    of them; what must stand before that character goes into a look behind it. Else it tries every branch everywhere.
    """
    compiled = re.compile(pattern)
    group = 1 if compiled.groups else 0

    def find(texts: Texts) -> list[Span]:
        return [
            Span(name, *match.span(group))
            for name in fields
            for match in islice(compiled.finditer(getattr(texts, name)), MAX_SPANS)
        ]

    return find


def replacing(pattern: str, by: str | Callable[[re.Match[str]], str]) -> Repair:
    """Return the repair that puts something else in place of everything that a pattern matches."""
    compiled = re.compile(pattern)
    return lambda text: compiled.sub(by, text)


def answer(text: str) -> Texts:
    """Return a sample whose answer is ``text``."""
    return Texts("请回答下面的问题。", "", text)


def question(text: str) -> Texts:
    """Return a sample whose instruction is ``text``."""
    return Texts(text, "", "这是一个完整的回答。")


def words(*said: str) -> tuple[str, ...]:
    """Return the signs of words."""
    return tuple(re.escape(word) for word in said)
