"""Damage that a wrong encoding or a half-removed markup leaves behind."""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from review.text.rules.shape import (
    FIELDS,
    MAX_SPANS,
    Family,
    Kind,
    Rule,
    Span,
    Texts,
    answer,
    matching,
    question,
    words,
)

_LOST = "\ufffd+|(?:锟斤拷)+|(?:烫烫烫|屯屯屯)+"

_REPLACEMENT = Rule(
    id="replacement_character",
    kind=Kind.FLAG,
    english="Characters were lost in decoding: a replacement character stands in their place.",
    chinese="解码时丢失了字符，只剩替换符“\ufffd”或“锟斤拷”。",
    find=matching(_LOST),
    signs=words("\ufffd", "锟斤拷", "烫烫烫", "屯屯屯"),
    caught=(answer("他说：\ufffd\ufffd今天下雨。"), question("锟斤拷是什么意思？"), answer("烫烫烫烫")),
    passed=(answer("水很烫，小心烫手。"), answer("问号？不是替换符。")),
)

_PRIVATE = "[\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff]+"

_PRIVATE_USE = Rule(
    id="private_use",
    kind=Kind.FLAG,
    english="Private-use characters, which show as boxes or as something else on every other machine.",
    chinese="有私用区字符，换一台机器就显示为方框或别的字。",
    find=matching(_PRIVATE),
    signs=("[\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff]",),
    caught=(answer("步骤一\ue004开始。"), question("\U000f0001的意思")),
    passed=(answer("𠮷野家和😀都是正常字符。"), answer("①②③")),
)

# A UTF-8 text of Chinese read as GBK: of every three bytes the first lies between E3 and E9, the others below C0.
_FIRST, _OTHERS = (*range(0xE3, 0xEA), 0xEF), range(0x80, 0xC0)


def _as_gbk(leads: Iterable[int], trails: Iterable[int]) -> str:
    """Return the characters that two such bytes become."""
    seconds = tuple(trails)
    return "".join(
        sorted({bytes((lead, trail)).decode("gb18030", "ignore") for lead in leads for trail in seconds} - {""})
    )


_LEADS = _as_gbk(_FIRST, _OTHERS)
_AS_GBK = re.compile(f"[{_LEADS}][{_as_gbk((*_FIRST, *_OTHERS), (*_FIRST, *_OTHERS))}]{{3,}}")
_LATIN = r"[\u00c2-\u00ef][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{1,2}"
_AS_LATIN = re.compile(f"{_LATIN}(?:{_LATIN})*")
_CHINESE = re.compile(r"[\n -~\u2010-\u2027\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")
_LEAST = 6
"""How many bytes beyond ASCII what was meant must hold, to be no accident."""


def _suspects(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where the text is UTF-8 that was read as something else, and what it said."""
    for pattern, encodings in ((_AS_GBK, ("gb18030",)), (_AS_LATIN, ("cp1252", "latin-1"))):
        for match in pattern.finditer(text):
            meant = next(filter(None, (_reread(match[0], encoding) for encoding in encodings)), "")
            if meant:
                yield *match.span(), meant


def _reread(seen: str, encoding: str) -> str:
    """Return what the text says as UTF-8, when nearly all of it is that; else nothing."""
    try:
        body = seen.encode(encoding)
    except UnicodeEncodeError:
        return ""
    meant = body.decode("utf-8", "replace")
    sound = meant.replace("\ufffd", "")
    lost, beyond = len(meant) - len(sound), len(sound.encode()) - len(sound)
    if encoding != "gb18030":
        return meant if not lost and beyond and len(sound) < len(seen) else ""
    is_sure = _CHINESE.fullmatch(sound) and beyond >= _LEAST and lost <= beyond // 6 + 1
    return meant.rstrip("\ufffd") if is_sure and len(sound) < len(seen) else ""


def _find_suspects(texts: Texts) -> list[Span]:
    return [
        Span(name, start, end)
        for name in FIELDS
        for start, end, _meant in islice(_suspects(getattr(texts, name)), MAX_SPANS)
    ]


def _reread_all(text: str) -> str:
    pieces, last = [], 0
    for start, end, meant in sorted(_suspects(text)):
        if start >= last:
            pieces += [text[last:start], meant]
            last = end
    return "".join(pieces) + text[last:]


_MOJIBAKE = Rule(
    id="mojibake_suspect",
    kind=Kind.FLAG,
    english="UTF-8 that was read in another encoding; what it probably said is proposed.",
    chinese="疑似按错误编码读取的 UTF-8 乱码，附有还原建议。",
    find=_find_suspects,
    signs=(f"[{_LEADS}\u00c2-\u00ef]",),
    caught=(
        answer("今天天气很好，我们去公园。".encode().decode("gbk", "replace").replace("\ufffd", "")),
        question("请把下面的句子翻译成英文。".encode().decode("latin-1")),
        answer("It’s a “test”.".encode().decode("cp1252", "ignore")),
    ),
    passed=(
        answer("今天天气很好，我们去公园。"),
        answer("浜松市在静冈县，鎏金铜像出土于鄞州。"),
        answer("Á la carte, café, naïve, Ångström"),
    ),
    repair=_reread_all,
)

_ENTITY = r"&(?:nbsp|lt|gt|amp|quot|apos|mdash|ldquo|rdquo|hellip|middot|emsp|ensp|#\d{2,6}|#[xX][0-9a-fA-F]{2,5});"
_TAG = r"</?(?:br|p|font|span|div|center|strong|u|sub|sup)(?:\s[^<>]{0,200})?/?>"
_MARKUP = f"(?i:{_ENTITY}|{_TAG})"
_FENCED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,500}`", re.DOTALL)
_MARKED_UP = re.compile(f"(?:{_MARKUP})+")


def _find_markup(texts: Texts) -> list[Span]:
    return [Span(name, *match.span()) for name in FIELDS for match in _outside_code(getattr(texts, name))]


def _outside_code(text: str) -> list[re.Match[str]]:
    """Return where markup stands, but for what stands in Markdown code."""
    found = list(_MARKED_UP.finditer(text))
    if found and "`" in text:
        fences = [match.span() for match in _FENCED.finditer(text)]
        found = [match for match in found if not any(start <= match.start() < end for start, end in fences)]
    return found


def _without_markup(text: str) -> str:
    pieces, last = [], 0
    for match in _outside_code(text):
        pieces += [text[last : match.start()], _plain(match[0])]
        last = match.end()
    return "".join(pieces) + text[last:]


def _plain(markup: str) -> str:
    broken = re.sub(r"(?i)<br\s*/?>|</(?:p|div)>", "\n", markup)
    return html.unescape(re.sub(r"<[^<>]*>", "", broken)).replace("\xa0", " ")


_LEFT_MARKUP = Rule(
    id="markup_leftovers",
    kind=Kind.FLAG,
    english="HTML tags or entities were left in the text.",
    chinese="文本里残留 HTML 标签或实体，例如 <br>、&nbsp;。",
    find=_find_markup,
    signs=("</?[bpfsdcuBPFSDCU]", "&[a-zA-Z#]"),
    caught=(answer("第一段<BR>&nbsp;&nbsp;第二段"), question("<p>下列说法正确的是</p>"), answer("甲&amp;乙")),
    passed=(answer("若 a<b 且 b<c，则 a<c。"), answer("用 `<br>` 换行：\n```\n<p>段落</p>\n```"), answer("R&D 部门")),
    repair=_without_markup,
)

FAMILY = Family(
    "encoding",
    "Encoding and markup",
    "编码与标记",
    (
        _REPLACEMENT,
        _PRIVATE_USE,
        _MOJIBAKE,
        _LEFT_MARKUP,
        _LEFT_MARKUP.repairing(
            "remove_markup",
            "Turns HTML line breaks into line ends, entities into characters, and removes other tags.",
            "把 HTML 换行变成换行符、实体变成字符，并去掉其余标签。",
        ),
        _REPLACEMENT.dropping(
            "drop_lost_characters",
            "Drops records in which characters were lost in decoding.",
            "丢弃解码时丢失了字符的记录。",
        ),
        _MOJIBAKE.dropping("drop_mojibake", "Drops records with text in a wrong encoding.", "丢弃含有乱码的记录。"),
    ),
)
