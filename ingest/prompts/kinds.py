"""Kinds of question: loading them from their files, with the wordings that a manager has put in place of ours."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ingest.prompts.slots import FROM_FACTS, FROM_TITLE, pieces
from review.text.faults import Fault, Faulty
from review.text.strict import printable

FOLDER = Path(__file__).parent
GENERAL = "general"
"""The file of the sources that have none of their own."""
FEWEST, MOST = 5, 30
MAX_CHARACTERS = 300

FAULTS: dict[str, Fault] = {
    "too_few": Fault(
        "The kind “{kind}” has {number} templates. Give at least {least}: one wording would be learned by heart.",
        "“{kind_zh}”只有 {number} 个模板。请至少写 {least} 个：措辞单一会被模型死记。",
    ),
    "too_many": Fault(
        "The kind “{kind}” has {number} templates; {most} are allowed.",
        "“{kind_zh}”有 {number} 个模板，最多允许 {most} 个。",
    ),
    "repeated": Fault(
        "The template “{template}” is there twice.",
        "模板“{template}”重复了。",
    ),
    "too_long": Fault(
        "The template “{template}…” is longer than {most} characters.",
        "模板“{template}…”超过 {most} 个字符。",
    ),
    "line_break": Fault(
        "The template “{template}…” goes over several lines. Write it on one.",
        "模板“{template}…”分成了多行。请写成一行。",
    ),
    "braces": Fault(
        "The template “{template}” has a brace too many. Braces stand around the name of a slot and nowhere else.",
        "模板“{template}”多了花括号。花括号只能用在槽位名的两边。",
    ),
    "unknown_slot": Fault(
        "The template “{template}” has a slot {{{slot}}} that “{kind}” cannot fill. Slots there are: {known}.",
        "模板“{template}”中的槽位 {{{slot}}} 无法由“{kind_zh}”填写。可用的槽位：{known}。",
    ),
    "no_title": Fault(
        "The template “{template}” does not say what it asks about. Use one of {known}.",
        "模板“{template}”没有写明问的是什么。请使用其中一个：{known}。",
    ),
    "doubled_marks": Fault(
        "In the template “{template}” marks stand around a slot. {{book}} and {{quoted}} bring their own.",
        "模板“{template}”在槽位两边写了书名号或引号。{{book}} 和 {{quoted}} 自带标点。",
    ),
    "unknown_kind": Fault(
        "There is no kind “{kind}” for this source. Kinds there are: {known}.",
        "这个来源没有“{kind}”这一类。可用的类别：{known_zh}。",
    ),
    "not_templates": Fault(
        "The templates of “{kind}” are not a list of texts.",
        "“{kind_zh}”的模板不是文本列表。",
    ),
}
"""Every reason for which templates are refused, by its stable code; the kind is named as the reader calls it."""


class Unsound(Faulty):
    """Templates that could make a faulty question; its codes are the keys of ``FAULTS``."""

    faults = FAULTS


EXAMPLE = {
    "title": "《四季》",
    "body": "一年有四季。" * 40,
    "sections": {"由来": "很早以前就有。", "特点": "各不相同。", "影响": "十分深远。"},
    **dict.fromkeys(FROM_FACTS, "9.1"),
}
"""Facts of an entry of ours, to show what templates make of one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question that entries of a source can become."""

    name: str
    chinese: str
    english: str
    needs: tuple[str, ...]
    """Facts without which it does not fit."""
    where: Mapping[str, tuple[str, ...]]
    """Facts that must have one of these values."""
    output: tuple[str, ...]
    """What can be the answer, the first that is there: a fact, ``section`` for a single one under its heading, or
    ``sections`` for several under theirs. Empty: the question waits for its answer."""
    minor: tuple[str, ...] | None
    templates: tuple[str, ...]

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots that it can always fill."""
        answer: tuple[str, ...] = ("length",) if self.output else ()
        if self.output and set(self.output) <= {"section", "sections"}:
            answer = ("length", "sections", "number")
        facts = tuple(name for name in FROM_FACTS if name in self.needs)
        return (*FROM_TITLE, *answer, *facts)

    @property
    def labels(self) -> dict[str, str]:
        """What it is called in the two languages in which a fault is told."""
        return {"kind": self.english, "kind_zh": self.chinese}

    def label(self, language: str) -> str:
        """What it is called for people."""
        return self.chinese if language.lower().startswith("zh") else self.english


@cache
def shipped_for(slug: str) -> tuple[Kind, ...]:
    """Return the kinds that the project ships for a source: its own, or those for every other source."""
    path = FOLDER / f"{slug}.json"
    known = slug in {file.stem for file in FOLDER.glob("*.json")}
    entries = json.loads((path if known else FOLDER / f"{GENERAL}.json").read_text(encoding="utf-8"))
    return tuple(_kind(name, entry) for name, entry in entries.items())


def kinds_of(slug: str, changed: Mapping[str, Sequence[str]]) -> tuple[Kind, ...]:
    """Return the kinds of a source with the wordings that its managers have changed. Raises Unsound."""
    shipped = {kind.name: kind for kind in shipped_for(slug)}
    for name in changed:
        if name not in shipped:
            known, known_zh = zip(*(kind.labels.values() for kind in shipped.values()), strict=True)
            raise Unsound("unknown_kind", kind=name, known=", ".join(known), known_zh="、".join(known_zh))
    return tuple(_reworded(kind, changed[name]) if name in changed else kind for name, kind in shipped.items())


def check_wordings(kind: Kind) -> None:
    """Refuse templates that could make a faulty question, or too few of them. Raises Unsound."""
    if len(kind.templates) < FEWEST:
        raise Unsound("too_few", **kind.labels, number=len(kind.templates), least=FEWEST)
    if len(kind.templates) > MOST:
        raise Unsound("too_many", **kind.labels, number=len(kind.templates), most=MOST)
    for template in kind.templates:
        _check(template, kind)
        if kind.templates.count(template) > 1:
            raise Unsound("repeated", template=template)


def _check(template: str, kind: Kind) -> None:
    if len(template) > MAX_CHARACTERS:
        raise Unsound("too_long", template=template[:40], most=MAX_CHARACTERS)
    if template.strip() != template or not template.isprintable():
        raise Unsound("line_break", template=printable(template, 40))
    literal, slots = pieces(template)[::2], pieces(template)[1::2]
    if any(brace in text for text in literal for brace in "{}"):
        raise Unsound("braces", template=template)
    for slot in slots:
        if slot not in kind.slots:
            raise Unsound("unknown_slot", template=template, slot=slot, **kind.labels, known=_named(kind.slots))
    if not set(FROM_TITLE).intersection(slots):
        raise Unsound("no_title", template=template, known=_named(FROM_TITLE))
    for before, slot, after in zip(literal, slots, literal[1:], strict=False):
        if slot in FROM_TITLE and (before.endswith(tuple('《〈“‘「『"')) or after.startswith(tuple('》〉”’」』"'))):
            raise Unsound("doubled_marks", template=template)


def _named(slots: Sequence[str]) -> str:
    return " ".join(f"{{{slot}}}" for slot in slots)


def _reworded(kind: Kind, templates: object) -> Kind:
    if not isinstance(templates, list) or not all(isinstance(template, str) for template in templates):
        raise Unsound("not_templates", **kind.labels)
    changed = replace(kind, templates=tuple(templates))
    check_wordings(changed)
    return changed


def _kind(name: str, entry: Mapping[str, Any]) -> Kind:
    kind = Kind(
        name=name,
        chinese=entry["chinese"],
        english=entry["english"],
        needs=tuple(entry["needs"]),
        where={fact: tuple(values) for fact, values in entry.get("where", {}).items()},
        output=tuple(entry["output"]),
        minor=tuple(entry["minor"]) if "minor" in entry else None,
        templates=tuple(entry["templates"]),
    )
    check_wordings(kind)
    return kind
