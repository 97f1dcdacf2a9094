"""Making a question and its answer of an entry: the kind that fits, one of its templates, always the same one."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from ingest.document import Document, Refusal
from ingest.prompts.kinds import EXAMPLE, Kind
from ingest.prompts.slots import FROM_FACTS, bare, filled, listed, rounded, within
from review.text.strict import MAX_FIELD_CHARACTERS, Malformed, is_blank

MOST_SECTIONS = 5
"""Of an entry with more sections, as many are asked for."""


class Rendered(NamedTuple):
    """A document with its question, and what it was made with."""

    document: Document
    kind: str
    template: str


class _Answer(NamedTuple):
    text: str
    headings: tuple[str, ...] = ()


def rendered(kinds: Sequence[Kind], document: Document) -> Rendered | Refusal:
    """Make a question of an entry by the first kind that fits; refuse the entry that none fits."""
    for kind in kinds:
        if made := render(kind, document):
            return made
    facts = ", ".join(sorted(document.facts)) or "–"
    fault = Malformed("no_template", facts=facts[:200])
    return _refused(document, fault)


def render(kind: Kind, document: Document) -> Rendered | Refusal | None:
    """Make a question of this kind; None when the entry lacks what it needs."""
    facts = document.facts
    title = bare(_text(facts, "title"))
    if not title or not all(_text(facts, name) for name in kind.needs) or not _is_where(kind, facts):
        return None
    identity = document.external_id or f"{title}\n{_text(facts, 'body')}"
    answer = _answer(kind, facts, identity) if kind.output else _Answer("")
    if answer is None:
        return None
    template = _chosen(kind.templates, identity)
    question = filled(template, _values(kind, title, facts, answer))
    for field, text in (("/instruction", question), ("/output", answer.text)):
        if len(text) > MAX_FIELD_CHARACTERS:
            return _refused(document, Malformed("field_too_long", field, length=len(text), limit=MAX_FIELD_CHARACTERS))
    minor = kind.minor if document.minor is None else document.minor
    made = document._replace(instruction=question, output=answer.text, minor=minor)
    return Rendered(made, kind.name, template)


def examples(kind: Kind) -> list[tuple[str, str]]:
    """Return each template of a kind with the question that it makes of an entry of ours."""
    facts = EXAMPLE if "section" not in kind.output else EXAMPLE | {"sections": {"由来": "很早以前就有。"}}
    answer = (_answer(kind, facts, "") if kind.output else None) or _Answer(_text(facts, "body"))
    values = _values(kind, bare(_text(facts, "title")), facts, answer)
    return [(template, filled(template, values)) for template in kind.templates]


def _is_where(kind: Kind, facts: Mapping[str, object]) -> bool:
    return all(_text(facts, name).lower() in values for name, values in kind.where.items())


def _text(facts: Mapping[str, object], name: str) -> str:
    """Return a fact as text, empty when there is none."""
    value = facts.get(name)
    if isinstance(value, str):
        return "" if is_blank(value) else value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _sections(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the sections that have a heading and a text."""
    given = facts.get("sections")
    found = given.items() if isinstance(given, Mapping) else ()
    pairs = ((bare(str(heading)), text.strip()) for heading, text in found if isinstance(text, str))
    return {heading: text for heading, text in pairs if heading and not is_blank(text)}


def _answer(kind: Kind, facts: Mapping[str, object], identity: str) -> _Answer | None:
    for name in kind.output:
        if name in {"section", "sections"}:
            sections = _sections(facts)
            if name == "section" and len(sections) == 1:
                [(heading, text)] = sections.items()
                return _Answer(text, (heading,))
            if name == "sections" and len(sections) > 1:
                return _joined(sections, identity)
        elif text := _text(facts, name):
            return _Answer(text)
    return None


def _joined(sections: Mapping[str, str], identity: str) -> _Answer:
    """Join the sections that are wanted under their headings, in the order of the entry."""
    wanted = sorted(sections, key=lambda heading: _rank(heading, identity))[:MOST_SECTIONS]
    headings = tuple(heading for heading in sections if heading in wanted)
    return _Answer("\n\n".join(f"{heading}\n{sections[heading]}" for heading in headings), headings)


def _chosen(templates: Sequence[str], identity: str) -> str:
    """Choose by the record's own identity; another template added later moves only the records that it takes over."""
    return min(templates, key=lambda template: _rank(template, identity))


def _rank(option: str, identity: str) -> bytes:
    return blake2b(f"{option}\0{identity}".encode(), digest_size=8).digest()


def _values(kind: Kind, title: str, facts: Mapping[str, object], answer: _Answer) -> dict[str, str]:
    values = {name: _text(facts, name) for name in FROM_FACTS if name in kind.needs}
    values |= {"title": title, "book": within("《》", title), "quoted": within("“”", title)}
    values["length"] = str(rounded(len(answer.text)))
    if answer.headings:
        values |= {"sections": listed(answer.headings), "number": str(len(answer.headings))}
    return values


def _refused(document: Document, fault: Malformed) -> Refusal:
    where = {"line": document.line, "offset": document.offset, "end": document.end}
    return Refusal.because(fault, **where, raw=document.raw)
