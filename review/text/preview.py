"""How a text reads when it is taken for Markdown: HTML that cannot do anything.

HTML in the text is text; what the Markdown makes of it is cleaned once more by an allow-list. No image is fetched, and
a link leads to http or https or is none.
"""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt

TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
    *("s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_LANGUAGE = re.compile(r"language-[\w+#.-]{1,30}")


def rendered(text: str) -> str:
    """Return the text as clean HTML; line ends are kept, as the authors of these texts mean them."""
    return nh3.clean(
        _parser().render(text),
        tags=TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )


def _kept(_tag: str, name: str, value: str) -> str | None:
    return None if name == "class" and not _LANGUAGE.fullmatch(value) else value


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    return parser


def _image(_renderer: object, tokens: Sequence[Any], place: int, *_more: object) -> str:
    """Return the words that stand for an image, in the place of the image."""
    return f"<span>🖼 {escape(tokens[place].content)}</span>"
