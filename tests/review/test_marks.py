from html.parser import HTMLParser
from time import perf_counter

import pytest
from django.template.loader import render_to_string

from review.text.marks import marks, segments, traditional


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("一切正常，没有标记。English, too.\n第二行", []),
        ("零\u200b宽", [("\u200b", "invisible")]),
        ("字\u200d字", [("\u200d", "invisible")]),
        ("👨\u200d👩", []),
        ("开\u202e始", [("\u202e", "bidi")]),
        ("\x0crac", [("\x0c", "control")]),
        ("一\r二", [("\r", "control")]),
        ("空\u3000格", [("\u3000", "blank")]),
        ("行尾  \n下一行", [("  ", "blank")]),
        ("坏\ufffd", [("\ufffd", "damaged")]),
        ("p\u0430ypal", [("\u0430", "look-alike")]),
        ("αβγ 是希腊字母", []),
        ("⼈", [("⼈", "look-alike")]),
        ("ＡＢＣ１２３", [("ＡＢＣ１２３", "full-width")]),
        ("你好,世界", [(",", "half-width")]),
        ("价格是3,000元", []),
        ("这里有個错字而已，其余是简体", [("個", "traditional")]),
        ("這裡全是繁體字，沒有簡體", []),
        ("乾隆年间", []),
    ],
)
def test_what_is_marked(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[mark.start : mark.end], mark.kind) for mark in marks(text)] == found


def test_a_traditional_text_is_not_marked_all_over() -> None:
    assert traditional("國破山河在，城春草木深。感時花濺淚，恨別鳥驚心。") == []


def test_35_what_cannot_be_seen_is_shown_and_turns_nothing_around() -> None:
    page = render_to_string("components/marked.html", {"segments": segments("开\u202e始\u200bp\u0430y\x1b[31m")})
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert ">RLO<" in page
    assert ">ZWSP<" in page
    assert ">\u241b<" in page
    assert '<span class="odd look-alike"' in page


class Texts(HTMLParser):
    """The texts of deletions, of insertions and of what stands beside them, signs left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.before = self.after = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        is_sign = (dict(attributes).get("class") or "").startswith("sign")
        self.open.append("sign" if is_sign else tag)

    def handle_endtag(self, _tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if {"sign", "summary"} & set(self.open):
            return
        if "ins" not in self.open:
            self.before += data
        if "del" not in self.open:
            self.after += data


def test_the_page_shows_both_texts_to_the_character() -> None:
    before = "第一段。\n" + "甲" * 200 + "<b>旧</b>\n结尾"
    after = "第一段。\n" + "甲" * 200 + "<b>新的</b>\n\n结尾"
    page = render_to_string("components/diff.html", {"before": before, "after": after})
    shown = Texts(page)
    assert (shown.before, shown.after) == (before, after)
    assert "<b>" not in page
    assert "<del>旧</del><ins>新的</ins>" in page
    assert '<details class="fold">' in page


def test_the_marks_of_the_longest_text_are_quick() -> None:
    text = "这是一段普通的文字，没有什么特别之处。\n" * 1250
    started = perf_counter()
    assert marks(text) == []
    assert perf_counter() - started < 0.5
