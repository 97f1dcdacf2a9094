"""The one strict parser: every file, form and API body passes through here before anything else sees it.

What it lets through can be stored in PostgreSQL, written as JSON and read back unchanged: UTF-8 only, no NUL, no lone
surrogate, no number that is not finite, no key given twice, bounded length and depth.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import orjson

MAX_LINE_BYTES = 1 << 20
MAX_FIELD_CHARACTERS = 100_000
MAX_LABELS = 100
MAX_LABEL_CHARACTERS = 200
MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 300
"""Longer integers are refused like 1e999: below this limit every integer also fits a float."""

NUL_ESCAPE = b"\\u0000"

type Parameters = Mapping[str, str | int]


class Fault(NamedTuple):
    """What went wrong and what to do about it, in two languages; ``{names}`` are filled in from the parameters."""

    english: str
    chinese: str


JSON_TYPES: dict[str, Fault] = {
    "string": Fault("a string", "字符串"),
    "number": Fault("a number", "数字"),
    "boolean": Fault("true or false", "布尔值"),
    "array": Fault("a list", "列表"),
    "object": Fault("an object", "对象"),
    "null": Fault("null", "null"),
}

FAULTS: dict[str, Fault] = {
    "line_too_long": Fault(
        "The record is longer than {limit} bytes. Shorten it or split it up.",
        "记录超过 {limit} 字节。请缩短或拆分。",
    ),
    "not_utf8": Fault(
        "Byte {byte} of the record is not UTF-8. Save the file as UTF-8, or name its encoding.",
        "记录的第 {byte} 个字节不是 UTF-8。请将文件另存为 UTF-8，或指明其编码。",
    ),
    "undecodable": Fault(
        "Byte {byte} of the record cannot be read as {encoding}. Repair the record, or name another encoding.",
        "记录的第 {byte} 个字节无法按 {encoding} 解码。请修复该记录，或指明其他编码。",
    ),
    "cesu_8": Fault(
        "From byte {byte} on the record writes a character as two surrogates (CESU-8). Write it again as UTF-8.",
        "记录从第 {byte} 个字节起用代理对写一个字符（CESU-8）。请重新按 UTF-8 写出。",
    ),
    "byte_order_mark": Fault(
        "A byte order mark stands before the record. Remove it.",
        "记录前有字节顺序标记（BOM）。请删除。",
    ),
    "nul": Fault(
        "{field} holds a NUL character (U+0000). Remove it.",
        "{field}含有 NUL 字符（U+0000）。请删除。",
    ),
    "lone_surrogate": Fault(
        "{field} holds half of a surrogate pair, which is no character. Restore or remove the character.",
        "{field}含有不成对的代理码位，不是有效字符。请恢复或删除该字符。",
    ),
    "not_finite": Fault(
        "{field} is a number that is not finite or too large. Write it as a string, or leave it out.",
        "{field}是非有限数或过大的数。请写成字符串或删去。",
    ),
    "duplicate_key": Fault(
        "{field} is given more than once. Keep one of them.",
        "{field}出现多次。请只保留一个。",
    ),
    "too_deep": Fault(
        "The record is nested more than {limit} levels deep. Flatten it.",
        "记录嵌套超过 {limit} 层。请减少嵌套。",
    ),
    "truncated": Fault(
        "The record ends before it is complete: a quote or a bracket is not closed. Restore the missing end.",
        "记录不完整：引号或括号没有闭合。请补全缺失的结尾。",
    ),
    "trailing_comma": Fault(
        "A comma stands before the closing bracket at character {column}. Remove it.",
        "第 {column} 个字符处，右括号前多了一个逗号。请删除。",
    ),
    "more_than_one": Fault(
        "Something follows the record from character {column} on. Put one record on a line.",
        "从第 {column} 个字符起，记录之后还有其他内容。请每行只放一条记录。",
    ),
    "control_character": Fault(
        "A raw control character stands inside a string at character {column}. Write it as an escape such as \\n.",
        "第 {column} 个字符处，字符串中有未转义的控制字符。请写成 \\n 之类的转义。",
    ),
    "syntax": Fault(
        "The record is not valid JSON from character {column} on. Correct it there.",
        "从第 {column} 个字符起不是有效的 JSON。请在该处修正。",
    ),
    "not_an_object": Fault(
        "A record must be an object in braces, and this is {found}.",
        "记录必须是花括号中的对象，这里却是{found}。",
    ),
    "wrong_type": Fault(
        "{field} must be {expected}, and is {found}. Correct its type.",
        "{field}必须是{expected}，这里却是{found}。请更正类型。",
    ),
    "missing": Fault(
        "{field} is missing. Add it.",
        "{field}缺失。请补上。",
    ),
    "empty": Fault(
        "{field} is empty. Fill it in, or leave the record out.",
        "{field}为空。请填写，或去掉这条记录。",
    ),
    "field_too_long": Fault(
        "{field} has {length} characters; {limit} are allowed. Shorten it.",
        "{field}有 {length} 个字符，最多允许 {limit} 个。请缩短。",
    ),
    "too_many": Fault(
        "{field} has {length} entries; {limit} are allowed. Keep those that matter.",
        "{field}有 {length} 项，最多允许 {limit} 项。请只保留必要的。",
    ),
    "multi_turn": Fault(
        "{field} holds earlier turns of a conversation. Import the file in a format for conversations.",
        "{field}含有之前的对话轮次。请用支持多轮对话的格式导入。",
    ),
    "no_template": Fault(
        "The record has no question, and no prompt template of its source fits what it holds ({facts}). Give it a "
        "title, or import it into a source made by templates.",
        "记录没有问题，而该来源的提示模板都不适合它已有的内容（{facts}）。请补上标题，或导入到用模板制作的来源。",
    ),
    "tool_turn": Fault(
        "{field} is a turn of a tool or function, which the nine fields cannot hold. Leave the conversation out.",
        "{field}是工具或函数调用的轮次，九个字段无法容纳。请去掉这段对话。",
    ),
    "turn_order": Fault(
        "{field} is out of turn: people and model must take turns, a person first. Repair the conversation.",
        "{field}的轮次顺序不对：须由用户开始、与模型交替。请修复这段对话。",
    ),
    "not_only_text": Fault(
        "{field} holds something else than text, such as an image. Leave the record out.",
        "{field}含有文本以外的内容，例如图片。请去掉这条记录。",
    ),
    "bad_row": Fault(
        "The row cannot be read as cells: a quote is missing, or stands inside a quoted cell without being doubled.",
        "这一行无法拆成单元格：缺少引号，或带引号的单元格内的引号没有写成两个。",
    ),
    "not_writable": Fault(
        "{field} holds a value that cannot be written as text, such as a date beyond the year 9999. Write it as text.",
        "{field}的值无法写成文本，例如公元 9999 年之后的日期。请改写成文本。",
    ),
    "wrong_columns": Fault(
        "The row has {found} cells, and there are {expected} columns. Repair the row.",
        "这一行有 {found} 个单元格，而列数是 {expected}。请修正这一行。",
    ),
    "not_mended": Fault(
        "{field} does not hold the whole record. Write the whole of it there, mended, and set cut to false.",
        "{field}中没有完整的记录。请在其中写出修正后的完整记录，并把 cut 改为 false。",
    ),
    "bad_mapping": Fault(
        "{field} is no mapping that can be used. Leave it as it stood in the file, or leave it out.",
        "{field}不是可用的映射。请保持文件中原来的内容，或删去这一项。",
    ),
    "unforeseen": Fault(
        "The program failed at this record ({trouble}). Report it with the record; the log has the details.",
        "程序处理这条记录时出错（{trouble}）。请连同记录一起反馈；详情见日志。",
    ),
    "not_a_block": Fault(
        "The block of lines is not built like the others: {expected} are expected. Repair it.",
        "这一段的结构与其他段不同：应为{expected}。请修正。",
    ),
    "no_such_option": Fault(
        "{field} names the answer {answer}, which is none of the options. Correct it.",
        "{field}给出的答案 {answer} 不在选项之中。请更正。",
    ),
    "array_not_closed": Fault(
        "The list ends without its closing bracket: the file may be cut off. Compare it with its origin.",
        "列表缺少右方括号：文件可能被截断。请与原文件核对。",
    ),
    "after_array": Fault(
        "Something follows the closing bracket of the list. Put all records into one list.",
        "列表的右方括号之后还有内容。请把所有记录放进同一个列表。",
    ),
}
"""Every reason for which a record is refused, by its stable code."""


class Faulty(ValueError):  # noqa: N818 -- named like the two below: what the input is
    """Input that cannot be taken: a stable code, where it is, and sentences for people."""

    faults: ClassVar[Mapping[str, Fault]]

    def __init__(self, code: str, pointer: str = "", **parameters: str | int) -> None:
        """``pointer`` is the JSON pointer of the faulty value, ``""`` for the whole input."""
        super().__init__(code, pointer, parameters)
        self.code = code
        self.pointer = pointer
        self.parameters: Parameters = parameters

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[str, str]]:
        """Come through between processes whole."""
        return partial(type(self), **dict[str, Any](self.parameters)), (self.code, self.pointer)

    def __str__(self) -> str:
        return f"{self.code}: {self.message('en')}"

    def message(self, language: str = "zh-hans") -> str:
        """What happened and what to do, in Chinese for ``zh…`` and in English for every other language."""
        return explain(self.faults[self.code], self.pointer, self.parameters, language)


class Malformed(Faulty):
    """A record, form or API body that breaks a rule of this module; its codes are the keys of ``FAULTS``."""

    faults = FAULTS


def explain(fault: Fault, pointer: str, parameters: Parameters, language: str = "zh-hans") -> str:
    """The sentence of a fault for a person; usable long afterwards on a stored code, pointer and parameters."""
    chinese = language.lower().startswith("zh")
    whole = "记录" if chinese else "The record"
    words = {name: _word(value, chinese=chinese) for name, value in parameters.items()}
    field = f"字段 {pointer} " if chinese else f"The field {pointer}"
    template = fault.chinese if chinese else fault.english
    return template.format(**words, field=field if pointer else whole)


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


def _word(value: str | int, *, chinese: bool) -> str | int:
    names = JSON_TYPES.get(value) if isinstance(value, str) else None
    if names is None:
        return value
    return names.chinese if chinese else names.english
