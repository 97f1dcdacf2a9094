import re

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from review.text.preview import TAGS, parts

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<svg onload="alert(1)"><animate onbegin=alert(1)>',
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    '<div hx-get="/account/logout/" hx-trigger="load" style="position:fixed">',
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,x) [w](vbscript:x) [v](file:///etc/passwd)",
    "![p](http://evil.example/p.png) ![q](javascript:alert(1))",
    "[a]: javascript:alert(1)\n\n[a]",
    "<http://evil.example/><javascript:alert(1)>",
    '```"onmouseover=alert(1)\ncode\n```',
    '[x](https://a.example "t\\" onmouseover=alert(1)")',
    "{{ 7*7 }} {% load x %}",
]


def rendered(text: str) -> str:
    return render_to_string("review/markdown.html", {"parts": parts(text)})


def check(html: str) -> None:
    assert set(re.findall(r"</?([a-zA-Z][\w-]*)", html)) <= TAGS
    for tag in re.findall(r"<[^>]*>", html):
        assert set(re.findall(r'([\w-]+)="', tag)) <= {"href", "title", "rel", "class", "start"}, tag
    assert all(address.startswith(("http://", "https://")) for address in re.findall(r'href="([^"]*)"', html))


@pytest.mark.parametrize("attack", ATTACKS)
def test_31_32_33_34_nothing_in_a_text_acts_in_its_preview(attack: str) -> None:
    html = rendered(attack)
    check(html)
    assert "<script" not in html
    assert "<img" not in html


@given(
    st.lists(
        st.sampled_from([*ATTACKS, "<", ">", '"', "'", "`", "&", "\n", "[", "](", ")", "!", "*", "x"]), max_size=12
    )
)
def test_no_mixture_of_them_acts(pieces: list[str]) -> None:
    check(rendered("".join(pieces)))


def test_markdown_is_shown_as_it_is_meant() -> None:
    html = rendered(
        "# 标题\n一行\n二行\n\n- **甲**\n- `code`\n\n```python\nprint(1)\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n[链接](https://a.example)"
    )
    for part in (
        "<h1>标题</h1>",
        "一行<br>",
        "<li><strong>甲</strong></li>",
        '<code class="language-python">print(1)',
        "<td>1</td>",
        '<a href="https://a.example" rel="noopener noreferrer nofollow">链接</a>',
    ):
        assert part in html


def test_an_image_is_named_and_never_fetched() -> None:
    assert "🖼 图&lt;b&gt;" in rendered("![图<b>](http://evil.example/p.png)")
