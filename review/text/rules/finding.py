"""What rules find in a record: one look for the signs of all of them, then only those that may find something."""

import re
from collections.abc import Collection, Iterable, Sequence

from review.text.rules.registry import RULES
from review.text.rules.shape import FIELDS, MAX_SPANS, Found, Kind, Rule, Sign, Texts

_END = "\0"
"""Stands before, between and behind the fields where signs are looked for; no text holds it."""


class _Prefilter:
    """The signs of some rules in two patterns, and which rules each character may concern."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._always = [rule for rule in rules if rule.signs is None]
        self._rules = [rule for rule in rules if rule.signs]
        signs = [sign for rule in self._rules for sign in rule.signs or ()]
        self._looks = (_bound(signs).findall, _free(signs).findall)
        self._concerned: dict[str, int] = {}

    def asked(self, texts: Texts) -> list[Rule]:
        """Return the rules that may find something, in their order."""
        text = f"{_END}{texts.instruction}{_END}{texts.input}{_END}{texts.output}{_END}"
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
    return re.compile("|".join(branches))


def _free(signs: Iterable[Sign]) -> re.Pattern[str]:
    """Return the pattern of the signs that are enough by themselves."""
    return re.compile(f"[{''.join(sorted({sign.characters for sign in signs if not sign.around}))}]")


_FLAGS = _Prefilter([rule for rule in RULES.values() if rule.kind == Kind.FLAG])


def find_flags(texts: Texts, *, without: Collection[str] = ()) -> list[Found]:
    """Return everything that the flags point out, but for those ``without``."""
    found: list[Found] = []
    for rule in _FLAGS.asked(texts):
        if (spans := rule.find(texts)) and rule.id not in without:
            found += [Found(rule.id, span) for span in spans[:MAX_SPANS]]
    return found


def repaired(texts: Texts, repairs: Iterable[Rule]) -> tuple[Texts, list[str]]:
    """Return the texts as the repairs leave them, applied in the order of RULES, and the ids of those that did any."""
    chosen, done = {rule.id for rule in repairs}, []
    for rule in RULES.values():
        if rule.id not in chosen or rule.repair is None or not rule.find(texts):
            continue
        mended = texts._replace(**{name: rule.repair(getattr(texts, name)) for name in FIELDS})
        if mended != texts:
            texts = mended
            done.append(rule.id)
    return texts, done


def reason_to_drop(texts: Texts, drops: Iterable[Rule]) -> str:
    """Return the id of the first of the drop rules that finds something; empty when none does."""
    return next((rule.id for rule in drops if rule.find(texts)), "")
