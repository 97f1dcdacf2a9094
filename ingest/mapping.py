r"""A mapping: how the fields of a raw record become the nine, as data that a person writes; checked when it is given.

An object with a value for each of ``TARGETS`` that is to be set. A value is one of

* ``"question.title"``, a field of the record; ``"@output"``, what the format's reader found: one of the nine, or a fact
* ``{"constant": "…"}``
* ``{"join": [value, …], "with": "\n"}``, what is not empty joined into one text
* ``{"list": [value, …]}``, each a label of its own
* ``{"metadata": {"qid": value, …}}``, written as ``qid:…, aid:…``
* ``{"markdown": value}``, HTML as Markdown text

What it does not set stays as the reader of its ``format`` found it; without ``format``, nothing was found but facts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import orjson

from ingest.document import NO_METADATA, Document
from ingest.readers import READERS, shape
from ingest.readers.cqia import ANSWER_FROM
from ingest.readers.facts import MAX_HTML_CHARACTERS
from ingest.readers.markdown import markdown
from ingest.readers.piece import Piece
from review.text.faults import FAULTS, Fault, Faulty
from review.text.strict import (
    MAX_LABEL_CHARACTERS,
    Malformed,
    is_blank,
    json_type,
    parse_object,
    printable,
    string_list,
    text_field,
)

MAX_BYTES = 1 << 16
MAX_DIGITS = 9
"""Of a place in a list."""
FORMAT = "format"
BARE_FORMAT = "entries"
"""The format of a mapping that names none: facts, and nothing that must be there."""

TEXTS = ("instruction", "input", "output", "metadata", "copyright")
LABELS = ("major", "minor", "domain")
TARGETS = (*TEXTS, *LABELS, "answer_from", "external_id")
FORMS = ("field", "constant", "join", "list", "metadata", "markdown")

QUESTION_NAMES = ("instruction", "question", "query", "prompt", "ask", "问题", "提问", "题目", "问", "title", "标题")
ANSWER_NAMES = ("output", "answer", "response", "completion", "reply", "回答", "答案", "答", "content", "body", "正文")
"""What fields with a question, or with an answer, are called, the surest first."""

MAPPING_FAULTS: dict[str, Fault] = {
    "unknown_target": Fault(
        "{field} cannot be set by a mapping. It may set: {known}.",
        "{field}不能由映射设置。可设置的有：{known}。",
    ),
    "unknown_form": Fault(
        "{field} has a value of no known form. Give the name of a field, or an object with one of: {known}.",
        "{field}的写法无法识别。请写字段名，或写含有以下之一的对象：{known}。",
    ),
    "wrong_value": Fault(
        "{field} must be {expected}, and is {found}.",
        "{field}必须是{expected}，这里却是{found}。",
    ),
    "unknown_format": Fault(
        "The mapping names the format {name}. Known are: {known}.",
        "映射指定的格式 {name} 不存在。可用的格式：{known}。",
    ),
    "sets_nothing": Fault(
        "The mapping sets nothing. Give a value for instruction at least, or name a format.",
        "映射没有设置任何内容。请至少设置 instruction，或指定 format。",
    ),
}
JSON_FAULTS: dict[str, Fault] = {
    "line_too_long": Fault("It is longer than {limit} bytes. Shorten it.", "映射超过 {limit} 字节。请缩短。"),
    "not_utf8": Fault(
        "Byte {byte} of it is not UTF-8. Save it as UTF-8.",
        "映射的第 {byte} 个字节不是 UTF-8。请另存为 UTF-8。",
    ),
    "cesu_8": Fault(
        "From byte {byte} on it writes a character as two surrogates (CESU-8). Save it as UTF-8.",
        "映射从第 {byte} 个字节起用代理对写一个字符（CESU-8）。请另存为 UTF-8。",
    ),
    "byte_order_mark": Fault(
        "Two byte order marks stand before it. Remove them.",
        "映射前有两个字节顺序标记（BOM）。请删除。",
    ),
    "too_deep": Fault(
        "It is nested more than {limit} levels deep. Flatten it.",
        "映射嵌套超过 {limit} 层。请减少嵌套。",
    ),
    "truncated": Fault(
        "It ends before it is complete: a quote or a bracket is not closed. Restore the missing end.",
        "映射不完整：引号或括号没有闭合。请补全缺失的结尾。",
    ),
    "more_than_one": Fault(
        "Something follows it from character {column} on. Give one object in braces and nothing else.",
        "从第 {column} 个字符起，映射之后还有其他内容。请只写一个花括号对象。",
    ),
    "syntax": Fault(
        "It is not valid JSON from character {column} on. Correct it there.",
        "从第 {column} 个字符起不是有效的 JSON。请在该处修正。",
    ),
    "holds_nul": Fault("It holds a NUL character (U+0000). Remove it.", "映射含有 NUL 字符（U+0000）。请删除。"),
    "not_an_object": Fault(
        "It must be an object in braces, and is {found}.",
        "映射必须是花括号中的对象，这里却是{found}。",
    ),
}
"""What is said of a mapping where the parser speaks of a record, after a sentence that names the mapping."""

_OF_THE_WHOLE: dict[str, tuple[str, dict[str, str]]] = {
    "nul": ("holds_nul", {}),
    "lone_surrogate": ("not_an_object", {"found": "string"}),
    "not_finite": ("not_an_object", {"found": "number"}),
}
"""What faults that name a field come to where they have none: they are those of all that was given."""

type Value = Callable[[shape.Record, Document], list[str]]
"""The texts that a value comes to in a record; none where the record has nothing there."""


class BadMapping(Faulty):
    """A mapping that cannot be used; its codes are the keys of ``MAPPING_FAULTS``."""

    faults = MappingProxyType(MAPPING_FAULTS)


class NotJson(Malformed):
    """A mapping that is no clean JSON object; its codes are the keys of ``FAULTS`` and ``JSON_FAULTS``."""

    faults = FAULTS | JSON_FAULTS


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A mapping, checked and ready for use."""

    spec: Mapping[str, object]
    values: Mapping[str, Value]

    @property
    def format(self) -> str:
        """The name of the reader that it builds on; empty when any may be recognised."""
        named = self.spec.get(FORMAT)
        return str(named) if named else BARE_FORMAT if "instruction" in self.values else ""

    def applied(self, document: Document, record: shape.Record, _piece: Piece | None = None) -> Document:
        """The document with what the mapping sets; raises ``Malformed`` where the record does not fit it."""
        changes: dict[str, object] = {}
        for target, value in self.values.items():
            changes |= _SETTERS[target](target, value(record, document))
        if not changes.get("instruction", document.instruction) and "instruction" in self.values:
            raise Malformed("empty", "/instruction")
        return document._replace(**changes)  # type: ignore[arg-type]  # each setter gives what its field takes


def read(body: bytes) -> FieldMapping:
    """The mapping that a file or a form holds as JSON; raises ``BadMapping`` or, for what is no JSON, ``NotJson``."""
    try:
        spec = parse_object(body.strip().removeprefix(b"\xef\xbb\xbf"), limit=MAX_BYTES)
    except Malformed as fault:
        found = fault.code, fault.parameters
        code, parameters = found if fault.pointer else _OF_THE_WHOLE.get(fault.code, found)
        raise NotJson(code, fault.pointer, **parameters) from fault
    return parsed(spec)


def parsed(spec: Mapping[str, object]) -> FieldMapping:
    """The mapping of a parsed object; raises ``BadMapping``."""
    named = spec.get(FORMAT)
    if named is not None and (not isinstance(named, str) or named not in READERS):
        raise BadMapping("unknown_format", f"/{FORMAT}", name=printable(str(named)), known=", ".join(READERS))
    values = {target: _value(value, pointer) for target, value, pointer in _targets(spec) if value is not None}
    if not values and not named:
        raise BadMapping("sets_nothing")
    return FieldMapping(MappingProxyType(dict(spec)), MappingProxyType(values))


def applied_again(document: Document, record: shape.Record, piece: Piece) -> Document:
    """Apply the mapping that the line of a rejects file names to the record that came back in it."""
    spec = piece.returned.entry.get("mapping") if piece.returned else None
    if spec is None:
        return document
    try:
        mapping = _from_line(orjson.dumps(spec))
    except (BadMapping, Malformed) as fault:
        raise Malformed("bad_mapping", "/mapping") from fault
    return mapping.applied(document, record)


@lru_cache(maxsize=8)
def _from_line(spec: bytes) -> FieldMapping:
    """The mapping of a line, checked once for all lines that name it."""
    return parsed(parse_object(spec, limit=MAX_BYTES))


def proposed(names: Iterable[str], *, texts: Iterable[str] | None = None) -> dict[str, object]:
    """A mapping to begin with for a record with these fields, those with the most text first: question and answer.

    A field that is called like one of the two is taken for it, whatever it holds; else, of those that hold `texts`, the
    one with the most is the answer, and the next the question.
    """
    known = list(names)
    holding = known if texts is None else list(texts)
    question, answer = _called(QUESTION_NAMES, known), _called(ANSWER_NAMES, known)
    answer = answer or next((name for name in holding if name != question), "")
    question = question or next((name for name in holding if name != answer), "")
    if not question:
        question, answer = answer or next(iter(known), ""), ""
    return {"instruction": question, "output": answer or {"constant": ""}, "metadata": {"metadata": {}}}


def _called(wanted: Iterable[str], names: Iterable[str]) -> str:
    """The field called by the first of the wanted names that there is; one inside others goes by its own."""
    by_own_name: dict[str, str] = {}
    for name in names:
        by_own_name.setdefault(name.rpartition(".")[2].lower(), name)
    return next((by_own_name[own] for own in wanted if own in by_own_name), "")


def _targets(spec: Mapping[str, object]) -> Iterable[tuple[str, object, str]]:
    """Every target with its value and where that stands; ``task_type`` may hold the two kinds of labels."""
    for key, value in spec.items():
        if key == FORMAT:
            continue
        if key == "task_type" and isinstance(value, Mapping):
            yield from ((_known(inner, f"/{key}/{inner}"), below, f"/{key}/{inner}") for inner, below in value.items())
        else:
            yield _known(key, f"/{printable(key)}"), value, f"/{key}"


def _known(target: str, pointer: str) -> str:
    if target not in TARGETS:
        raise BadMapping("unknown_target", pointer, known=", ".join((*TARGETS, FORMAT)))
    return target


def _value(given: object, pointer: str) -> Value:
    if isinstance(given, str):
        return _field(given, pointer)
    if not isinstance(given, Mapping):
        raise BadMapping("unknown_form", pointer, known=", ".join(FORMS))
    forms = [name for name in FORMS if name in given]
    if len(forms) != 1 or not given.keys() <= {*forms, *({"with"} if forms == ["join"] else set())}:
        raise BadMapping("unknown_form", pointer, known=", ".join(FORMS))
    return _FORMS[forms[0]](given, f"{pointer}/{forms[0]}")


def _field(name: str, pointer: str) -> Value:
    if not name:
        raise BadMapping("wrong_value", pointer, expected="string", found="null")
    if name.startswith("@"):
        return lambda _record, document: _texts(_found(document, name[1:]), f"/{name}")
    path = name.split(".")
    return lambda record, _document: _texts(_at(record, name, path), f"/{name}")


def _at(record: shape.Record, name: str, path: list[str]) -> object:
    """What stands under a name, or along a path of names and places in lists."""
    if name in record:
        return record[name]
    value: object = record
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and len(step) <= MAX_DIGITS and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _found(document: Document, name: str) -> object:
    """What the reader found: one of the nine fields, or a fact."""
    value = getattr(document, name) if name in TARGETS and name != "copyright" else document.facts.get(name)
    return list(value) if isinstance(value, tuple) else None if value == NO_METADATA else value


def _texts(value: object, pointer: str) -> list[str]:
    """The texts in a value: itself, or the entries of a list; nothing where it is null or empty."""
    entries = value if isinstance(value, list) else [value]
    found = [_text(entry, pointer) for entry in entries if entry is not None and entry != ""]
    return [text for text in found if text]


def _text(entry: object, pointer: str) -> str:
    if isinstance(entry, bool):
        return "true" if entry else "false"
    if type(entry) in {int, float}:
        return str(entry)
    if not isinstance(entry, str):
        raise Malformed("wrong_type", pointer, expected="string", found=json_type(entry))
    return text_field(entry, pointer, max_characters=MAX_HTML_CHARACTERS)


def _named_field(given: Mapping[str, object], pointer: str) -> Value:
    return _field(_string(given["field"], pointer), pointer)


def _constant(given: Mapping[str, object], pointer: str) -> Value:
    text = _string(given["constant"], pointer)
    return lambda _record, _document: [text] if text else []


def _join(given: Mapping[str, object], pointer: str) -> Value:
    parts = _values(given["join"], pointer)
    between = _string(given.get("with", "\n"), pointer.removesuffix("join") + "with")

    def joined(record: shape.Record, document: Document) -> list[str]:
        texts = [text for part in parts for text in part(record, document)]
        return [between.join(texts)] if texts else []

    return joined


def _list(given: Mapping[str, object], pointer: str) -> Value:
    parts = _values(given["list"], pointer)
    return lambda record, document: [text for part in parts for text in part(record, document)]


def _metadata(given: Mapping[str, object], pointer: str) -> Value:
    named = given["metadata"]
    if not isinstance(named, Mapping):
        raise BadMapping("wrong_value", pointer, expected="object", found=json_type(named))
    values = {name: _value(value, f"{pointer}/{name}") for name, value in named.items()}

    def written(record: shape.Record, document: Document) -> list[str]:
        texts = {name: value(record, document) for name, value in values.items()}
        return [shape.metadata_of(**{name: "，".join(found) for name, found in texts.items()})]

    return written


def _as_markdown(given: Mapping[str, object], pointer: str) -> Value:
    inner = _value(given["markdown"], pointer)
    return lambda record, document: [markdown(text) for text in inner(record, document)]


def _values(given: object, pointer: str) -> list[Value]:
    if not isinstance(given, list):
        raise BadMapping("wrong_value", pointer, expected="array", found=json_type(given))
    return [_value(part, f"{pointer}/{place}") for place, part in enumerate(given)]


def _string(given: object, pointer: str) -> str:
    if not isinstance(given, str):
        raise BadMapping("wrong_value", pointer, expected="string", found=json_type(given))
    return given


_FORMS: dict[str, Callable[[Mapping[str, object], str], Value]] = {
    "field": _named_field,
    "constant": _constant,
    "join": _join,
    "list": _list,
    "metadata": _metadata,
    "markdown": _as_markdown,
}


def _set_text(target: str, texts: list[str]) -> dict[str, object]:
    return {target: text_field("\n".join(texts), f"/{target}", allow_empty=target != "instruction")}


def _set_metadata(target: str, texts: list[str]) -> dict[str, object]:
    return {target: text_field("\n".join(texts), f"/{target}") or NO_METADATA}


def _set_copyright(target: str, texts: list[str]) -> dict[str, object]:
    return {"claimed_copyright": text_field("\n".join(texts), f"/{target}")}


def _set_labels(target: str, texts: list[str]) -> dict[str, object]:
    labels = dict.fromkeys(text.strip() for text in texts if not is_blank(text))
    return {target: string_list(list(labels), f"/{target}")}


def _set_answer_from(target: str, texts: list[str]) -> dict[str, object]:
    author = "".join(texts).strip().lower()
    return {target: author if author in ANSWER_FROM else ""}


def _set_external_id(target: str, texts: list[str]) -> dict[str, object]:
    return {target: text_field("".join(texts), f"/{target}", max_characters=MAX_LABEL_CHARACTERS) or None}


_SETTERS: dict[str, Callable[[str, list[str]], dict[str, object]]] = {
    **dict.fromkeys(TEXTS, _set_text),
    **dict.fromkeys(LABELS, _set_labels),
    "metadata": _set_metadata,
    "copyright": _set_copyright,
    "answer_from": _set_answer_from,
    "external_id": _set_external_id,
}
