"""The one shape of every rule, and what rules are built from."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


BEGIN, END, ENDS = "\ud800", "\udc00", "\udc01"
"""What stands before and behind every field where signs are looked for; behind the answer stands ``ENDS`` as well.

Halves of surrogate pairs, which the strict parser lets through nowhere.
"""
QUESTION = "\ud801"
"""Stands before the instruction, ahead of ``BEGIN``."""


class Sign(NamedTuple):
    """What must occur somewhere in the texts before a rule can find anything: one of ``characters``, and around it.

    ``around`` is looked at behind such a character and consumes nothing; without it ``characters`` may hold ranges, as
    inside a character class. Signs spare a clean record the rules: they may stand where the rule then finds nothing,
    never the reverse. The rarer the character, the better.
    """

    characters: str
    around: str = ""


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
    signs: tuple[Sign, ...] | None = None
    """None: the rule looks at every record."""
    repair: Repair | None = None

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
        return type(self)(id, kind, english, chinese, self.find, self.caught, self.passed, self.signs, repair)


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


# The most frequent characters of written Chinese: a word is looked for by one of its characters that is not among them.
_FREQUENT = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正"
    "业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东"
    "声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金"
    "指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望"
    "觉术领共确传师观清今切院让识候带导争运"
)


def words(*said: str) -> tuple[Sign, ...]:
    """Return the signs of words, each by its rarest character."""
    return tuple(_sign(word) for word in said)


def _sign(word: str) -> Sign:
    rarest = max(range(len(word)), key=lambda place: (_rarity(word[place]), place))
    behind, ahead = word[: rarest + 1], word[rarest + 1 :]
    around = (f"(?<={re.escape(behind)})" if rarest else "") + (f"(?={re.escape(ahead)})" if ahead else "")
    return Sign(word[rarest], around)


def _rarity(character: str) -> int:
    place = _FREQUENT.find(character)
    return len(_FREQUENT) if place < 0 else place
