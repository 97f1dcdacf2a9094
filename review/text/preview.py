"""How a text reads when it is taken for Markdown: parts from which a template makes HTML that cannot do anything.

HTML in the text is text. Only the tags below come about, and no attribute but those of a `Part`; the template escapes
what it is given. No image is fetched, and a link leads to http or https or is none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from markdown_it.token import Token

TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
    *("s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")


@dataclass(frozen=True, slots=True)
class Part:
    """A tag that opens or closes, with what its attributes say, or a piece of text."""

    opens: str = ""
    closes: str = ""
    text: str = ""
    address: str = ""
    start: str = ""
    """Of an ordered list that does not begin at 1."""
    language: str = ""
    """Of a block of code."""


def parts(text: str) -> Iterator[Part]:
    """Yield the parts of a text; line ends are kept, as the authors of these texts mean them."""
    for token in _parser().parse(text):
        yield from _inline(token.children or []) if token.type == "inline" else _block(token)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    return parser.enable(["table", "strikethrough"])


def _block(token: "Token") -> Iterator[Part]:
    if token.hidden:  # the paragraph of a list without empty lines
        return
    if token.type in {"fence", "code_block"}:
        language = (token.info.split() or [""])[0]
        yield Part(opens="pre")
        yield Part(opens="code", language=language if _LANGUAGE.fullmatch(language) else "")
        yield Part(text=token.content)
        yield Part(closes="code")
        yield Part(closes="pre")
    else:
        yield _tag(token, start=str(token.attrGet("start") or ""))


def _inline(tokens: "list[Token]") -> Iterator[Part]:
    for token in tokens:
        match token.type:
            case "text":
                yield Part(text=token.content)
            case "code_inline":
                yield Part(opens="code")
                yield Part(text=token.content)
                yield Part(closes="code")
            case "softbreak" | "hardbreak":
                yield Part(opens="br")
            case "image":
                yield Part(text=f"🖼 {token.content}")
            case _:
                address = str(token.attrGet("href") or "")
                yield _tag(token, address=address if _ADDRESS.match(address) else "")


def _tag(token: "Token", *, address: str = "", start: str = "") -> Part:
    """Return the part of a token that is a tag; one of an unknown tag, which the parser does not make, is its text."""
    if token.tag not in TAGS:
        return Part(text=token.content)
    if token.nesting < 0:
        return Part(closes=token.tag)
    return Part(opens=token.tag, address=address, start=start)
