"""Characters that take part in no word: zero-width ones, odd spaces, blanks at the ends."""

import re

from review.text.rules.shape import (
    BEGIN,
    END,
    FIELDS,
    SPACES,
    Family,
    Kind,
    Rule,
    Span,
    Texts,
    answer,
    matching,
    question,
    replacing,
)

_ZERO_WIDTH = "\u00ad\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
# A joiner belongs between two signs of an emoji, and nowhere else in Chinese text.
_STRAY_JOINER = "\u200d(?![\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])|(?<=[\u3400-\u9fff0-9A-Za-z])\u200d"
_INVISIBLE = f"[{_ZERO_WIDTH}]+|{_STRAY_JOINER}"

_INVISIBLE_CHARACTERS = Rule(
    id="invisible_characters",
    kind=Kind.FLAG,
    english="Invisible characters: zero-width signs or marks of writing direction.",
    chinese="有看不见的字符：零宽字符或书写方向标记。",
    find=matching(_INVISIBLE),
    signs=(f"[{_ZERO_WIDTH}\u200d]",),
    caught=(answer("零宽\u200b空格"), question("\ufeff请解释这个词。"), answer("从右\u202e往左"), answer("断\u200d开")),
    passed=(answer("一家人👨‍👩‍👧很开心"), answer("爱心❤️")),
    repair=replacing(_INVISIBLE, ""),
)

_ODD = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u3164"
_unindented = replacing(rf"(?m)^[{_ODD} ]*+(?<=[{_ODD}])", "")
_plain = replacing(f"[{_ODD}]", " ")

_ODD_SPACES = Rule(
    id="odd_spaces",
    kind=Kind.FLAG,
    english="Spaces other than the ordinary one: no-break spaces, ideographic spaces and the like.",
    chinese="有特殊空格：不间断空格、全角空格等。",
    find=matching(f"[{_ODD}]+"),
    signs=(f"[{_ODD}]",),
    caught=(answer("价格\u00a0100 元"), answer("\u3000\u3000第一段从这里开始。")),
    passed=(answer("价格 100 元"), answer("第一段。\n\n第二段。")),
    repair=lambda text: _plain(_unindented(text)),
)

_BLANKS = " \t\u3000\u00a0"
_INNER = re.compile("|".join(rf"{blank}(?<![{_BLANKS}].)[{_BLANKS}]*+(?=\n)" for blank in _BLANKS) + r"|\n\n\n\n++")


def _find_edges(texts: Texts) -> list[Span]:
    found = []
    for name in FIELDS:
        text = getattr(texts, name)
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        if start:
            found.append(Span(name, 0, start))
        if "\n" in text:  # without a line end nothing can match, and looking for it costs a tenth
            found += [Span(name, *match.span()) for match in _INNER.finditer(text, start, end)]
        if start < end < len(text):
            found.append(Span(name, end, len(text)))
    return found


_trimmed = replacing(rf"(?<![{_BLANKS}])[{_BLANKS}]++(?=\n)", "")
_one_gap = replacing(r"\n{4,}+", "\n\n")

_BLANK_EDGES = Rule(
    id="blank_edges",
    kind=Kind.FLAG,
    english="Blanks at the end of a line or at either end of the text, or many empty lines in a row.",
    chinese="行尾或首尾有多余空白，或连续多个空行。",
    find=_find_edges,
    signs=(
        f"[{_BLANKS}]\n",
        f"{BEGIN}[{SPACES}]",
        f"[{SPACES}]{END}",
        "\n\n\n\n",
    ),
    caught=(answer("第一行  \n第二行"), answer("回答完毕。\n\n"), question("\n请回答。"), answer("上\n\n\n\n\n下")),
    passed=(answer("第一行\n\n第二行"), answer("中间 有空格")),
    repair=lambda text: _one_gap(_trimmed(text)).strip(),
)

FAMILY = Family(
    "invisible",
    "Invisible characters and blanks",
    "不可见字符与空白",
    (
        _INVISIBLE_CHARACTERS,
        _ODD_SPACES,
        _BLANK_EDGES,
        _INVISIBLE_CHARACTERS.repairing(
            "remove_invisible",
            "Removes zero-width characters and marks of writing direction; joined emoji stay.",
            "删除零宽字符和书写方向标记；组合表情保持原样。",
        ),
        _ODD_SPACES.repairing(
            "plain_spaces",
            "Makes every odd space an ordinary one, and removes those that only indent a paragraph.",
            "把特殊空格换成普通空格，并去掉只用来缩进段首的空格。",
        ),
        _BLANK_EDGES.repairing(
            "trim_blanks",
            "Removes blanks at the ends of lines and texts, and leaves one empty line of many.",
            "去掉行尾和首尾的空白，连续空行只留一行。",
        ),
    ),
)
