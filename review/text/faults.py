"""What can be wrong with input, and what to do about it, in sentences of two languages by stable codes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

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


def explain(fault: Fault, pointer: str, parameters: Parameters, language: str = "zh-hans") -> str:
    """The sentence of a fault for a person; usable long afterwards on a stored code, pointer and parameters."""
    chinese = language.lower().startswith("zh")
    whole = "记录" if chinese else "The record"
    words = {name: _word(value, chinese=chinese) for name, value in parameters.items()}
    field = f"字段 {pointer} " if chinese else f"The field {pointer}"
    template = fault.chinese if chinese else fault.english
    return template.format(**words, field=field if pointer else whole)


def _word(value: str | int, *, chinese: bool) -> str | int:
    names = JSON_TYPES.get(value) if isinstance(value, str) else None
    if names is None:
        return value
    return names.chinese if chinese else names.english
