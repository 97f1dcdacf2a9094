"""What rules find in a record: one look for the signs of all of them, then only those that may find something."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from review.text.rules.registry import RULES
from review.text.rules.shape import (
    BEGIN,
    END,
    ENDS,
    FIELDS,
    MAX_SPANS,
    QUESTION,
    Find,
    Found,
    Kind,
    Rule,
    Sign,
    Span,
    Texts,
)
from review.text.strict import is_blank

_NEVER = r"(?!)"


class _Prefilter:
    """The signs of some rules in two patterns, and which rules each character may concern."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._always = [rule for rule in rules if rule.signs is None]
        self._rules = [rule for rule in rules if rule.signs]
        signs = [sign for rule in self._rules for sign in rule.signs or ()]
        self._looks = (_bound(signs).findall, _free(signs).findall)
        self._concerned: dict[str, int] = {}

    def asked(self, texts: Texts) -> list[Rule]:
        """Return the rules that may find something, in their order."""
        given = f"{BEGIN}{texts.input}{END}" if texts.input else ""
        text = f"{QUESTION}{BEGIN}{texts.instruction}{END}{given}{BEGIN}{texts.output}{END}{ENDS}"
        bound, free = self._looks
        signs = bound(text) + free(text)
        if not signs:
            return self._always
        concerned = 0
        for character in set(signs):
            if (mask := self._concerned.get(character)) is None:
                mask = self._concerned[character] = self._mask(character)
            concerned |= mask
        return [rule for place, rule in enumerate(self._rules) if concerned >> place & 1] + self._always

    def _mask(self, character: str) -> int:
        return sum(
            1 << place
            for place, rule in enumerate(self._rules)
            if any(_may_begin(sign, character) for sign in rule.signs or ())
        )


def _may_begin(sign: Sign, character: str) -> bool:
    return character in sign.characters if sign.around else bool(re.match(f"[{sign.characters}]", character))


def _bound(signs: Iterable[Sign]) -> re.Pattern[str]:
    """Return the pattern of the signs that demand something around them.

    Every branch begins with one character of its own: so the engine skips quickly what is none of them.
    """
    around: dict[str, set[str]] = {}
    for sign in signs:
        for character in sign.characters if sign.around else "":
            around.setdefault(character, set()).add(sign.around)
    branches = [f"{re.escape(character)}(?:{'|'.join(sorted(said))})" for character, said in sorted(around.items())]
    return re.compile("|".join(branches) or _NEVER)


def _free(signs: Iterable[Sign]) -> re.Pattern[str]:
    """Return the pattern of the signs that are enough by themselves."""
    characters = "".join(sorted({sign.characters for sign in signs if not sign.around}))
    return re.compile(f"[{characters}]" if characters else _NEVER)


_FLAGS = _Prefilter([rule for rule in RULES.values() if rule.kind == Kind.FLAG])


def find_flags(texts: Texts, *, without: Collection[str] = ()) -> list[Found]:
    """Return everything that the flags point out, but for those ``without``."""
    found: list[Found] = []
    for rule in _FLAGS.asked(texts):
        if (spans := rule.find(texts)) and rule.id not in without:
            found += [Found(rule.id, span) for span in spans[:MAX_SPANS]]
    return found


_EVERY = _Prefilter(list(RULES.values()))


def every_finding(texts: Texts) -> Iterator[tuple[Rule, Sequence[Span]]]:
    """Yield every rule that finds something, whatever its kind, with the places."""
    seen: dict[Find, Sequence[Span]] = {}
    for rule in _EVERY.asked(texts):
        if rule.find not in seen:
            seen[rule.find] = rule.find(texts)
        if spans := seen[rule.find]:
            yield rule, spans


class Chosen:
    """The repairs and drops that are switched on for some records; flags and unknown ids count for nothing."""

    def __init__(self, ids: Collection[str]) -> None:
        self._repairs = _Prefilter([rule for rule in RULES.values() if rule.kind == Kind.REPAIR and rule.id in ids])
        self._drops = _Prefilter([rule for rule in RULES.values() if rule.kind == Kind.DROP and rule.id in ids])

    def __bool__(self) -> bool:
        return bool(self._repairs.rules or self._drops.rules)

    def repaired(self, texts: Texts) -> tuple[Texts, tuple[str, ...]]:
        """Return the texts as the repairs leave them, one after the other, and the ids of those that did something."""
        done: list[str] = []
        asked = self._repairs.asked(texts)
        for rule in self._repairs.rules:
            if rule not in asked or rule.repair is None or not rule.find(texts):
                continue
            mended = texts._replace(**{name: rule.repair(getattr(texts, name)) for name in FIELDS})
            if mended != texts and not is_blank(mended.instruction):
                texts, asked = mended, self._repairs.asked(mended)
                done.append(rule.id)
        return texts, tuple(done)

    def reason_to_drop(self, texts: Texts) -> str:
        """Return the id of the first of the drops that finds something; empty when none does."""
        return next((rule.id for rule in self._drops.asked(texts) if rule.find(texts)), "")
