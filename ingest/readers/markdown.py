"""HTML as people write it in answers and articles, turned into Markdown text: what is layout goes, what is said stays.

Images, videos, references and cards go; formulas that stand as images become LaTeX; links keep their words.
"""

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from review.text.strict import Malformed

_NAMES = r"(?:p|div|br|h[1-6]|ul|ol|li|b|i|em|strong|span|table|blockquote|pre|code|img|figure|a)"
_TAG = re.compile(rf"<{_NAMES}(?:\s*/?>|\s+[\w:-]+\s*=)", re.IGNORECASE)
_CLOSING = re.compile(rf"</{_NAMES}\s*>|<(?:br|img)[\s/>]", re.IGNORECASE)
"""A tag that ends another, or that none has to end: a comparison or a type, as in “List<b>”, has none."""
_FENCE = "```"
_CODE = re.compile(r"`[^`\n]*`")
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_AROUND_BREAK = re.compile(r"(?<! ) *+\n *")
_MANY_BREAKS = re.compile(r"\n{3,}")

_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")

MAX_DEPTH = 256
MAX_THICKET = 4_000_000
"""The number of tags times the depth of the deepest."""
CLOSED_BY_THEMSELVES = frozenset(
    {"p", "li", "br", "img", "hr", "td", "th", "tr", "dd", "dt", "input", "col", "wbr", "source", "meta", "link"}
)

LEFT_OUT = frozenset({"script", "style", "noscript", "iframe", "video", "audio", "svg", "button", "figcaption", "head"})
BLOCKS = frozenset({"p", "div", "section", "article", "blockquote", "ul", "ol", "li", "figure", "hr", "body", "html"})
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`"}
CARDS = frozenset({"link-card", "video-link-card", "mcn-link-card", "ad-link-card"})


def is_html(text: str) -> bool:
    """Whether a text holds tags that only HTML has, and not only in what Markdown marks as code."""
    return _has_tags(text) and _has_tags(_without_code(text))


def _has_tags(text: str) -> bool:
    return bool(_TAG.search(text) and _CLOSING.search(text))


def _without_code(text: str) -> str:
    if "`" not in text:
        return text
    outside, is_code = [], False
    for line in text.split("\n"):
        if line.lstrip().startswith(_FENCE):
            is_code = not is_code
        elif not is_code:
            outside.append(_CODE.sub("", line))
    return "\n".join(outside)


def markdown(html: str) -> str:
    """What the HTML says, as Markdown text without anything that must be fetched; raises ``Malformed``."""
    _refuse_a_thicket(html)
    body = LexborHTMLParser(html).body
    return _Writer().written(body) if body else ""


def _refuse_a_thicket(html: str) -> None:
    """Refuse tags left open so deep that parsing them, as every browser must, would take minutes and gigabytes."""
    depth = deepest = tags = 0
    for tag in _ANY_TAG.finditer(html):
        tags += 1
        if tag[2].lower() not in CLOSED_BY_THEMSELVES:
            depth = max(depth - 1, 0) if tag[1] else depth + 1
            deepest = max(deepest, depth)
    if deepest > MAX_DEPTH or deepest * tags > MAX_THICKET:
        raise Malformed("too_deep", limit=MAX_DEPTH)


def plain_or_markdown(text: str) -> str:
    """A text that may be HTML, as Markdown; any other as it stands."""
    return markdown(text) if is_html(text) else text


class _Writer:
    """Goes through a tree without recursion, which depth could exhaust, and collects blocks of text."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.line: list[str] = []
        self.lead = ""
        self.quotes = 0
        self.lists: list[int | None] = []
        """The running number of each list that is open; None for one with dots."""

    def written(self, root: LexborNode) -> str:
        for enters, node in _walk(root, self._is_taken_whole):
            if enters:
                self._enter(node)
            else:
                self._leave(node)
        self._end_block()
        return _MANY_BREAKS.sub("\n\n", "".join(self.blocks)).strip("\n")

    def _is_taken_whole(self, node: LexborNode) -> bool:
        tag = node.tag or ""
        return tag in LEFT_OUT or tag in {"pre", "table", "img", "sup"} or _is_card(node)

    def _enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self.line.append(_SPACE.sub(" ", node.text_content or ""))
        elif tag == "br":
            self.line.append("\n")
        elif tag == "img":
            self.line.append(_formula(node))
        elif tag == "sup":
            self.line.append(_power(node))
        elif tag == "pre":
            self._add(f"```\n{node.text().strip(chr(10))}\n```")
        elif tag == "table":
            self._add(_table(node))
        elif tag in MARKS:
            self.line.append(_OPENS[tag])
        elif tag in BLOCKS or tag in HEADINGS:
            self._end_block()
            self._begin_block(tag)

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in MARKS:
            self._close_mark(tag)
        elif tag in BLOCKS or tag in HEADINGS:
            self._end_block()
            self.lead = ""
            if tag == "blockquote":
                self.quotes -= 1
            elif tag in {"ul", "ol"} and self.lists:
                self.lists.pop()
                self.blocks.append("\n")

    def _begin_block(self, tag: str) -> None:
        if tag in HEADINGS:
            self.lead = HEADINGS[tag]
        elif tag == "blockquote":
            self.quotes += 1
        elif tag in {"ul", "ol"}:
            self.lists.append(0 if tag == "ol" else None)
        elif tag == "li" and self.lists:
            number = self.lists[-1]
            if number is not None:
                self.lists[-1] = number = number + 1
            self.lead = "  " * min(len(self.lists) - 1, 8) + ("- " if number is None else f"{number}. ")

    def _close_mark(self, tag: str) -> None:
        """Put the marks close to what they mark, and leave them out where that is nothing."""
        begin = len(self.line) - 1
        while begin >= 0 and self.line[begin] != _OPENS[tag]:
            begin -= 1
        if begin < 0:
            return
        inner = "".join(self.line[begin + 1 :])
        bare, mark = inner.strip(), MARKS[tag]
        before, after = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        marked = f"{before}{mark}{bare}{mark}{after}" if bare and "\n" not in bare else inner
        self.line[begin:] = [marked]

    def _end_block(self) -> None:
        text = _AROUND_BREAK.sub("\n", "".join(self.line).translate(_NO_OPENS)).strip()
        self.line = []
        if text:
            self._add(text)

    def _add(self, block: str) -> None:
        """Set a block apart from those before; entries of one list stand close."""
        quote = "> " * min(self.quotes, 8)
        lines = (f"{self.lead}{block}").split("\n")
        is_entry = bool(self.lists) and self.lead.lstrip()[:1].isalnum() | self.lead.lstrip().startswith("-")
        self.blocks.append("\n".join(quote + line for line in lines) + ("\n" if is_entry else "\n\n"))
        self.lead = ""


_OPENS = {tag: chr(0xE000 + place) for place, tag in enumerate(MARKS)}
"""Characters for private use that stand where a mark opens until it is closed."""
_NO_OPENS = dict.fromkeys(map(ord, _OPENS.values()))


def _walk(root: LexborNode, is_taken_whole: Callable[[LexborNode], bool]) -> Iterator[tuple[bool, LexborNode]]:
    """Every node in order, once when it is entered and, where it has more inside, once when it is left."""
    waiting = [(True, root)]
    while waiting:
        enters, node = waiting.pop()
        if enters and is_taken_whole(node):
            if not (node.tag in LEFT_OUT or _is_card(node)):
                yield True, node
            continue
        yield enters, node
        if enters and node.tag != "-text":
            waiting.append((False, node))
            child = node.last_child
            while child is not None:
                waiting.append((True, child))
                child = child.prev


def _is_card(node: LexborNode) -> bool:
    return node.tag == "a" and (
        node.attributes.get("data-draft-type") in CARDS or "video-box" in (node.attributes.get("class") or "")
    )


def _formula(image: LexborNode) -> str:
    """The LaTeX of a formula that stands as an image; nothing for any other image."""
    tex = (image.attributes.get("alt") or "").strip()
    if image.attributes.get("eeimg") is None and "equation?tex=" not in (image.attributes.get("src") or ""):
        return ""
    is_display = image.attributes.get("eeimg") == "2" or tex.endswith("\\\\")
    tex = tex.removesuffix("\\\\").strip()
    if not tex:
        return ""
    return f"\n$$\n{tex}\n$$\n" if is_display else f"${tex}$"


def _power(node: LexborNode) -> str:
    """What stands raised; the number of a reference, whose list is elsewhere, is left out."""
    if node.attributes.get("data-draft-type") == "reference":
        return ""
    text = node.text().strip()
    return f"^{text}" if text.isascii() and text.isalnum() else text


def _table(node: LexborNode) -> str:
    rows = [[_cell(cell) for cell in row.css("th, td")] for row in node.css("tr")]
    rows = [row for row in rows if row]
    if not rows:
        return ""
    width = max(map(len, rows))
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _cell(cell: LexborNode) -> str:
    return _SPACE.sub(" ", cell.text()).strip().replace("|", "\\|")
