"""Traditional characters in simplified text, and letters and digits of double width."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from review.text.rules.shape import Family, Kind, Rule, Span, Texts, answer, matching, question

if TYPE_CHECKING:
    from collections.abc import Callable

TRADITIONAL = Path(__file__).with_name("traditional.txt").read_text(encoding="utf-8")
"""Every character that OpenCC simplifies to one of GB 2312 and that is not in GB 2312 itself.

The other pairs are left out: simplified text uses the first of them too, in names or in a sense of its own.
"""


@cache
def _converter() -> "Callable[[str], str]":
    from opencc import OpenCC  # noqa: PLC0415  loads its tables, which few programs need

    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert


def simplified(text: str) -> str:
    """Return the text in simplified characters."""
    return _converter()(text)


_traditional = matching(f"[{TRADITIONAL}]+")
_KANA = re.compile("[\u3041-\u309f\u30a1-\u30fa]")
_BESIDE = 10
"""Characters on either side in which two kana say that this is Japanese; one alone is a fashion in Chinese."""


def _find_traditional(texts: Texts) -> list[Span]:
    return [span for span in _traditional(texts) if not _is_japanese(getattr(texts, span.field), span)]


def _is_japanese(text: str, span: Span) -> bool:
    return len(_KANA.findall(text, max(0, span.start - _BESIDE), span.end + _BESIDE)) > 1


_TRADITIONAL_CHARACTERS = Rule(
    id="traditional_characters",
    kind=Kind.FLAG,
    english="Traditional characters in simplified text; the simplified ones are proposed.",
    chinese="简体文本里混有繁体字，附有简体建议。",
    find=_find_traditional,
    signs=(f"[{TRADITIONAL}]",),
    caught=(answer("这个問題很简单。"), question("請问現在几点？")),
    passed=(answer("乾隆皇帝，皇后，瞭望塔，著名作家"), answer("宫商角徵羽"), answer("これは日本語の問題です")),
    repair=simplified,
)

_NARROW = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}

_WIDE_LETTERS = Rule(
    id="wide_letters",
    kind=Kind.FLAG,
    english="Latin letters or digits of double width.",
    chinese="有全角字母或全角数字。",
    find=matching("[０-９Ａ-Ｚａ-ｚ]+"),
    signs=("[０-９Ａ-Ｚａ-ｚ]",),
    caught=(answer("共有１２３人"), question("ＡＢＣ是什么？")),
    passed=(answer("共有 123 人，即：一百二十三！"), answer("（甲）、《乙》")),
    repair=lambda text: text.translate(_NARROW),
)

FAMILY = Family(
    "scripts",
    "Scripts and widths",
    "繁简与全半角",
    (
        _TRADITIONAL_CHARACTERS,
        _WIDE_LETTERS,
        _TRADITIONAL_CHARACTERS.repairing(
            "simplify",
            "Converts traditional characters to simplified ones, the whole text by words.",
            "把繁体字转换成简体字（按词转换）。",
        ),
        _WIDE_LETTERS.repairing(
            "narrow_letters",
            "Makes double-width letters and digits single-width; punctuation stays as it is.",
            "把全角字母和数字换成半角；标点不动。",
        ),
    ),
)
