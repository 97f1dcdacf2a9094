"""What rules find in a record: one look for the signs of all of them, then only those that may find something."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import re2

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
    Span,
    Texts,
)
from review.text.strict import is_blank

_MAX_MEMORY = 16 << 20
"""Bytes of the automaton of some rules' signs; it is built as texts need it."""
_BEFORE, _BETWEEN, _BEHIND = (edge.encode() for edge in (QUESTION + BEGIN, END + BEGIN, END + ENDS))
_LABELS = Texts._fields.index("major")
_ANY_ANSWER = "。"
_NO_SWITCHES: Mapping[str, bool] = MappingProxyType({})


type Encoded = Sequence[bytes]
"""The three texts in UTF-8, for those who have them at hand."""


class _Prefilter:
    """The signs of some rules, looked for all at once, in a time that does not depend on how many there are."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._always = [rule for rule in rules if rule.signs is None and not rule.is_of_labels]
        self._of_labels = [rule for rule in rules if rule.is_of_labels]
        self._mislabelled = lru_cache(maxsize=256)(self._find_mislabelled)
        self._by_signs = [rule for rule in rules if rule.signs]
        self._signs = _any_of(self._by_signs)

    def asked(self, texts: Texts, encoded: Encoded | None = None) -> list[Rule]:
        """Return the rules that may find something, in their order."""
        return [*self._signed(texts, encoded), *self._always, *self._labelled(texts)]

    def _signed(self, texts: Texts, encoded: Encoded | None) -> list[Rule]:
        if not self._by_signs:
            return []
        fields = [field for field in encoded or _encoded(texts) if field]
        found = self._signs.Match(b"".join([_BEFORE, _BETWEEN.join(fields), _BEHIND])) or ()
        return [self._by_signs[place] for place in sorted(found)]

    def _labelled(self, texts: Texts) -> list[Rule]:
        if not self._of_labels:
            return []
        try:
            return self._mislabelled(*texts[_LABELS:])
        except TypeError:  # a list, which cannot be remembered
            major, minor, domain, names = map(tuple, (texts.major, texts.minor, texts.domain, texts.names))
            return self._mislabelled(major, minor, domain, texts.answer_from, names)

    def _find_mislabelled(self, *labels: Any) -> list[Rule]:
        """Return the rules that find something in these labels; remembered, for a source has few different ones."""
        texts = Texts("", "", _ANY_ANSWER, "", *labels)
        return [rule for rule in self._of_labels if rule.find(texts)]


def _encoded(texts: Texts) -> Encoded:
    return [text.encode("utf-8", "surrogatepass") for text in (texts.instruction, texts.input, texts.output)]


def _any_of(rules: Sequence[Rule]) -> re2.Set:
    """Return the set of the rules' signs, a pattern a rule."""
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    found = re2.Set.SearchSet(options)
    for rule in rules:
        found.Add("|".join(rule.signs or ()))
    if rules:
        found.Compile()
    return found


_FLAGS = _Prefilter([rule for rule in RULES.values() if rule.kind == Kind.FLAG])


def find_flags(
    texts: Texts, *, switches: Mapping[str, bool] = _NO_SWITCHES, encoded: Encoded | None = None
) -> list[Found]:
    """Return everything that the flags point out, but for those that are switched off; by itself each is on."""
    found: list[Found] = []
    for rule in _FLAGS.asked(texts, encoded):
        if (spans := rule.find(texts)) and switches.get(rule.id, True):
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
