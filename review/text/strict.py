"""The one strict parser: every file, form and API body passes through here before anything else sees it.

What it lets through can be stored in PostgreSQL, written as JSON and read back unchanged: UTF-8 only, no NUL, no lone
surrogate, no number that is not finite, no key given twice, bounded length and depth.
"""

import json
import math
import re
from functools import lru_cache
from typing import NoReturn

import orjson

from review.text.faults import FAULTS, Faulty

MAX_LINE_BYTES = 1 << 20
MAX_FIELD_CHARACTERS = 100_000
MAX_LABELS = 100
MAX_LABEL_CHARACTERS = 200
MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 300
"""Longer integers are refused like 1e999: below this limit every integer also fits a float."""

NUL_ESCAPE = b"\\u0000"


class Malformed(Faulty):
    """A record, form or API body that breaks a rule of this module; its codes are the keys of ``FAULTS``."""

    faults = FAULTS


def printable(text: str, limit: int = 80) -> str:
    """``text`` on one line, cut to ``limit`` characters, everything that is not printable as an escape."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text[:limit])


def parse(body: bytes, *, limit: int = MAX_LINE_BYTES) -> object:
    """The JSON value in ``body``, at most ``limit`` bytes long.

    Raises:
        Malformed: for anything but exactly one clean value; never another exception.

    """
    if len(body) > limit:
        raise Malformed("line_too_long", limit=limit)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _exact(body)
    # orjson keeps the last of equal keys, rounds long integers and accepts NUL: these three cheap signs send whatever
    # might hold one of them to the exact path. They may fire on clean input, but are never silent on faulty input.
    if (b"\\" in body and NUL_ESCAPE in body) or len(_KEY_END.findall(body)) != _entries(value):
        return _exact(body)
    return value


def parse_object(line: bytes, *, limit: int = MAX_LINE_BYTES) -> dict[str, object]:
    """The one JSON object in ``line``; raises ``Malformed`` like :func:`parse`, and for every other value."""
    value = parse(line, limit=limit)
    if type(value) is not dict:
        raise Malformed("not_an_object", found=json_type(value))
    return value


def fault_position(raw: bytes) -> int | None:
    """The byte at which ``raw`` stops being JSON; ``None`` when it is JSON or is too deep to say.

    An unterminated string counts from its opening quote. Encodings and contents are not looked at.
    """
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        text = raw.decode("latin-1")  # one character a byte: positions stay bytes, and JSON's own signs are ASCII
    else:
        return None
    if _is_too_deep(text):
        return None
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return error.pos
    return None


def json_type(value: object) -> str:
    """The name of a parsed value's type, a key of ``JSON_TYPES``."""
    return _TYPE_NAMES.get(type(value), "null")


def is_blank(text: str) -> bool:
    """Whether nothing of ``text`` can be seen: white space, zero-width characters or nothing at all."""
    return not text or not text.strip(_UNSEEN)


def text_field(
    value: object, pointer: str, *, allow_empty: bool = True, max_characters: int = MAX_FIELD_CHARACTERS
) -> str:
    """``value`` as text that can be stored, untouched; ``allow_empty=False`` also refuses what :func:`is_blank`."""
    if type(value) is not str:
        raise _wrong_type(value, pointer, "string")
    if len(value) > max_characters:
        raise Malformed("field_too_long", pointer, length=len(value), limit=max_characters)
    _check_characters(value, pointer)
    if not allow_empty and is_blank(value):
        raise Malformed("empty", pointer)
    return value


def string_list(value: object, pointer: str) -> tuple[str, ...]:
    """``value`` as a tuple of labels, each checked like a text field of at most ``MAX_LABEL_CHARACTERS``."""
    if type(value) is not list:
        raise _wrong_type(value, pointer, "array")
    if len(value) > MAX_LABELS:
        raise Malformed("too_many", pointer, length=len(value), limit=MAX_LABELS)
    labels = tuple(value)
    try:
        is_sound = _are_sound(labels)
    except TypeError:  # something that has no hash, such as a list
        is_sound = False
    if not is_sound:
        for position, label in enumerate(labels):
            text_field(label, f"{pointer}/{position}", max_characters=MAX_LABEL_CHARACTERS)
    return labels


def object_field(value: object, pointer: str) -> dict[str, object]:
    """``value`` as an object."""
    if type(value) is not dict:
        raise _wrong_type(value, pointer, "object")
    return value


def boolean_field(value: object, pointer: str) -> bool:
    """``value`` as true or false; neither 0 and 1 nor words."""
    if type(value) is not bool:
        raise _wrong_type(value, pointer, "boolean")
    return value


_KEY_END = re.compile(rb':(?<=[" \t\r\n]:)')
"""A colon behind a string or white space: looked for by the colon, which is rare but behind keys."""
_TOO_LARGE = float(1 << 63)
_LOOKED_INTO = frozenset({dict, list, float})
"""Types that hold entries, or may be a number that was rounded."""
_SPACE = " \t\r\n"
_LITERALS = ("true", "false", "null")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_ENCODED_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_UNSEEN = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
)
_TYPE_NAMES = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    list: "array",
    tuple: "array",
    dict: "object",
}


class _Pairs(list[tuple[str, object]]):
    """An object as it was written, equal keys included."""


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else math.inf


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_integer)


def _entries(value: object) -> int:
    """How many object entries ``value`` holds; -1 when it may be too deep, or a number in it may have been rounded."""
    entries = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if type(item) is dict:
                entries += len(item)
                below += [value for value in item.values() if type(value) in _LOOKED_INTO]
            elif type(item) is list:
                below += [value for value in item if type(value) in _LOOKED_INTO]
            elif type(item) is float and abs(item) >= _TOO_LARGE:
                return -1
        if not below:
            return entries
        level = below
    return -1


def _exact(body: bytes) -> object:
    """The value in ``body``, or the precise reason against it; slower than orjson and stricter than ``json``."""
    text = _decoded(body)
    if text.startswith("\ufeff"):
        raise Malformed("byte_order_mark")
    if "\x00" in text:
        raise Malformed("nul")
    if _is_too_deep(text):
        raise Malformed("too_deep", limit=MAX_DEPTH)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _raise_syntax_fault(text, error)
    return _settled(value, "")


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        code = "cesu_8" if _ENCODED_SURROGATE.match(body, error.start) else "not_utf8"
        raise Malformed(code, byte=error.start + 1) from None


def _is_too_deep(text: str) -> bool:
    """Whether brackets outside strings nest deeper than ``MAX_DEPTH``: asked first, so that no parser recurses."""
    depth = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif sign in "]}":
            depth -= 1
    return False


def _raise_syntax_fault(text: str, error: json.JSONDecodeError) -> NoReturn:
    """Name the fault, by the text wherever the decoder's own sentence changes with Python's version."""
    before, after = text[: error.pos].rstrip(_SPACE), text[error.pos :].lstrip(_SPACE)
    column = error.pos + 1
    if error.msg == "Extra data":
        raise Malformed("more_than_one", column=column) from None
    if error.msg.startswith("Unterminated string") or any(word.startswith(after) for word in _LITERALS):
        raise Malformed("truncated") from None
    if error.msg.startswith("Invalid control character"):
        raise Malformed("control_character", column=column) from None
    comma, closing = (column, after[1:].lstrip(_SPACE)) if after[0] == "," else (len(before), after)
    if text[comma - 1 : comma] == "," and closing.startswith(("}", "]")):
        raise Malformed("trailing_comma", column=comma) from None
    raise Malformed("syntax", column=column) from None


def _settled(value: object, pointer: str) -> object:
    """``value`` with plain dictionaries, every key, string and number in it checked."""
    if isinstance(value, _Pairs):
        return _settled_object(value, pointer)
    if isinstance(value, list):
        return [_settled(item, f"{pointer}/{position}") for position, item in enumerate(value)]
    if isinstance(value, str):
        _check_characters(value, pointer)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Malformed("not_finite", pointer)
    return value


def _settled_object(pairs: _Pairs, pointer: str) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        place = f"{pointer}/{_pointer_token(key)}"
        _check_characters(key, place)
        if key in members:
            raise Malformed("duplicate_key", place)
        members[key] = _settled(value, place)
    return members


def _pointer_token(key: str) -> str:
    return printable(key).replace("~", "~0").replace("/", "~1")


def _check_characters(text: str, pointer: str) -> None:
    """Refuse the two kinds of characters that PostgreSQL cannot hold."""
    if not _is_storable(text):
        raise Malformed("nul" if "\x00" in text else "lone_surrogate", pointer)


@lru_cache(maxsize=256)
def _are_sound(labels: tuple[str, ...]) -> bool:
    """Whether all of these may be labels; remembered, since the records of a source have few different ones."""
    return all(type(label) is str and len(label) <= MAX_LABEL_CHARACTERS and _is_storable(label) for label in labels)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _wrong_type(value: object, pointer: str, expected: str) -> Malformed:
    return Malformed("wrong_type", pointer, expected=expected, found=json_type(value))
