"""HTML becomes Markdown text; what merely holds signs of comparison, types or code stays as it is."""

from time import perf_counter

import pytest

from ingest.readers.facts import MAX_HTML_CHARACTERS
from ingest.readers.markdown import is_html, plain_or_markdown
from tests.ingest.test_readers import read_one

PLAIN = [
    "若 a<b，而 c>d，则不能比较。\n第二行",
    "用 vector<a> 或 List<b>。\n第二行",
    "若 a<b 且 b>c，则选 <p 值 = 3> 的一组。",
    "```html\n<div>\n  <p>你好</p>\n</div>\n```",
    "写法：\n\n  ```\n<br>\n  ```\n\n标签 `<p>段落</p>` 表示段落。",
    "没有闭合的代码：\n```\n<p>一</p>\n<br/>",
]
HTML = [
    ("<p>一</p><p>二</p>", "一\n\n二"),
    ('<P class="x">一</P>', "一"),
    ("一<br>二", "一\n二"),
    ("一<BR/>二", "一\n二"),
    ("<b>一</b>\n二", "**一** 二"),
    ("<p>用 `ls` 命令。</p>", "用 `ls` 命令。"),
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_with_signs_of_its_own_stays_as_it_is(text: str) -> None:
    assert plain_or_markdown(text) == text
    assert read_one({"title": "如何比较大小？", "body": text}, "articles").output == text
    assert read_one({"title": "比较", "content": text}, "entries").facts["body"] == text
    assert read_one({"question": {"title": "问题"}, "content": text}, "answers").output == text
    assert read_one({"INSTRUCTION": "问题", "RESPONSE": text}, "answer-rows").output == text


@pytest.mark.parametrize(("html", "found"), HTML)
def test_html_becomes_markdown(html: str, found: str) -> None:
    assert is_html(html)
    assert plain_or_markdown(html) == found


@pytest.mark.parametrize("html", ["<b> </b>", "<br>", "<i>一</i> ", "` <p> ", "<p ", "<li>一"])
def test_the_longest_html_takes_no_longer_for_what_it_holds(html: str) -> None:
    begun = perf_counter()
    plain_or_markdown("<p>一</p>" + html * (MAX_HTML_CHARACTERS // len(html)))
    assert perf_counter() - begun < 2
