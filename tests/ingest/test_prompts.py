"""Prompt templates: varied, checked, stably chosen; no doubled marks and no unfilled slot, whatever the title."""

import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import prompts
from ingest.document import Document, Refusal
from ingest.prompts import Kind, Rendered, Unsound, kinds_of, rendered, shipped_for, slots

FILES = sorted(path.stem for path in Path(prompts.__file__).parent.glob("*.json"))
TEMPLATE_MADE = {"douban", "xiaohongshu", "zgbk", "mba", "medical-encyclopedia"}
ENTRY = {"title": "钟表", "body": "钟表是计时的器具。" * 40}


def entry(facts: Mapping[str, object], external_id: str | None = None) -> Document:
    return Document(1, 0, 9, b"{}", "", "", "", external_id=external_id, facts=facts)


def made(slug: str, facts: Mapping[str, object], **changed: Any) -> Rendered:
    answer = rendered(kinds_of(slug, changed), entry(facts))
    assert isinstance(answer, Rendered)
    return answer


def test_every_source_made_by_templates_has_a_file_of_its_own() -> None:
    catalogue = json.loads(Path("review/catalogue.json").read_text(encoding="utf-8"))
    assert {entry["slug"] for entry in catalogue["sources"] if "templates" in entry["method"]} == TEMPLATE_MADE
    assert set(FILES) >= TEMPLATE_MADE


@pytest.mark.parametrize("slug", FILES)
def test_every_kind_has_five_or_more_templates_of_different_words(slug: str) -> None:
    for kind in shipped_for(slug):
        assert len(set(kind.templates)) >= 5
        openings = {re.sub(r"\{\w+\}", "", template)[:4] for template in kind.templates}
        assert len(openings) >= 4, kind.name


def test_source_without_a_file_has_the_general_ones() -> None:
    assert shipped_for("wikihow") == shipped_for("general")
    assert shipped_for("../../etc/passwd") == shipped_for("general")


@pytest.mark.parametrize(
    ("slug", "facts", "kind", "output", "minor"),
    [
        ("douban", {"title": "风筝", "summary": "一个孩子放风筝。"}, "synopsis", "一个孩子放风筝。", ("故事概要",)),
        ("douban", {"title": "风筝", "review": "好看。"}, "film-review", "好看。", ("影评",)),
        ("douban", {"title": "风筝", "review": "好看。", "type": "剧集"}, "series-review", "好看。", ("剧评",)),
        ("douban", {"title": "风筝", "body": "好书。", "type": "Book"}, "book-review", "好书。", ("书评",)),
        ("douban", {"title": "风筝", "score": 9.2, "rank": 3}, "recommendation-scored", "", ("电影推荐",)),
        ("douban", {"title": "风筝"}, "recommendation", "", ("电影推荐",)),
        ("xiaohongshu", ENTRY, "post", ENTRY["body"], ("小红书风格文本",)),
        ("mba", ENTRY, "concept", ENTRY["body"], None),
        ("zgbk", ENTRY, "entry", ENTRY["body"], None),
        ("zgbk", ENTRY | {"sections": {"历史": "很久。"}}, "section", "很久。", None),
        (
            "mba",
            ENTRY | {"sections": {"含义": "一", "用途": "二", "空": " "}},
            "sections",
            "含义\n一\n\n用途\n二",
            None,
        ),
        ("wikihow", ENTRY, "entry", ENTRY["body"], None),
    ],
)
def test_entry_becomes_the_kind_that_fits_what_it_holds(
    slug: str, facts: Mapping[str, object], kind: str, output: str, minor: tuple[str, ...] | None
) -> None:
    answer = made(slug, facts)
    assert (answer.kind, answer.document.output, answer.document.minor) == (kind, output, minor)
    assert slots.bare(str(facts["title"])) in answer.document.instruction


def test_entry_that_no_kind_fits_is_refused_with_what_it_holds() -> None:
    for facts in ({}, {"body": "无题"}, {"title": "《》"}, {"title": "\u200b"}, {"title": ["甲"]}):
        refusal = rendered(shipped_for("xiaohongshu"), entry(facts))
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.line, refusal.raw) == ("no_template", 1, b"{}")
        assert ", ".join(facts) in refusal.message("en")


def test_answer_too_long_for_a_field_is_refused() -> None:
    refusal = rendered(shipped_for("mba"), entry({"title": "甲", "body": "字" * 100_001}))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.pointer) == ("field_too_long", "/output")


@pytest.mark.parametrize(
    ("title", "bare", "book", "quoted"),
    [
        ("红豆", "红豆", "《红豆》", "“红豆”"),
        ("《红豆》", "红豆", "《红豆》", "“红豆”"),
        ("“红豆”", "红豆", "《红豆》", "“红豆”"),
        ('"红豆"', "红豆", "《红豆》", "“红豆”"),
        (" 《 “红豆” 》\n", "红豆", "《红豆》", "“红豆”"),
        ("《红豆》和《绿豆》", "《红豆》和《绿豆》", "《〈红豆〉和〈绿豆〉》", "“《红豆》和《绿豆》”"),
        ("读《红豆》", "读《红豆》", "《读〈红豆〉》", "“读《红豆》”"),
        ("所谓“红豆”", "所谓“红豆”", "《所谓“红豆”》", "“所谓‘红豆’”"),
        ('所谓"红豆"', '所谓"红豆"', "《所谓‘红豆’》", "“所谓‘红豆’”"),
        ("《红豆", "《红豆", "《红豆》", "“《红豆”"),
        ("红豆”", "红豆”", "《红豆”》", "“红豆”"),
        ("“《“红豆", "“《“红豆", "《“红豆》", "“《红豆”"),
        ("红\n豆  饼", "红 豆 饼", "《红 豆 饼》", "“红 豆 饼”"),
        ("{book}", "{book}", "《{book}》", "“{book}”"),
    ],
)
def test_title_with_marks_of_its_own_gets_no_second_ones(title: str, bare: str, book: str, quoted: str) -> None:
    found = slots.bare(title)
    assert (found, slots.within("《》", found), slots.within("“”", found)) == (bare, book, quoted)


@given(st.text(alphabet='甲乙《》“”〈〉‘’"{} \n', max_size=12), st.sampled_from(FILES), st.booleans())
def test_no_title_makes_doubled_marks_or_an_unfilled_slot(title: str, slug: str, attributes_only: bool) -> None:  # noqa: FBT001
    facts: dict[str, object] = {"title": title, "score": 9} if attributes_only else {"title": title, "body": "答"}
    answer = rendered(shipped_for(slug), entry(facts))
    if isinstance(answer, Refusal):
        assert not slots.bare(title) or attributes_only
        return
    question = answer.document.instruction
    own = re.sub(r'["\s]', "", title)
    for doubled in ("《《", "》》", "““", "””"):
        assert doubled not in question or doubled in own
    if not re.search(r"[{}《“]", title):
        assert not re.search(r"[{}]", question)
    if "{book}" in answer.template:
        assert question.count("《") == question.count("》") == 1
    if "{quoted}" in answer.template:
        assert question.count("“") == question.count("”") == 1


def test_choice_depends_on_the_record_alone() -> None:
    entries = [entry({"title": f"第{number}条", "body": "正文"}) for number in range(300)]
    kinds = shipped_for("mba")
    chosen = {e.facts["title"]: r.template for e in entries if isinstance(r := rendered(kinds, e), Rendered)}
    random.Random(7).shuffle(entries)
    again = {e.facts["title"]: r.template for e in entries if isinstance(r := rendered(kinds, e), Rendered)}
    assert chosen == again
    mix = Counter(chosen.values())
    assert len(mix) == len(kinds[-1].templates)
    assert min(mix.values()) > 300 / len(mix) / 2


def test_record_keeps_its_template_when_its_text_is_edited_at_the_source() -> None:
    kinds = shipped_for("mba")
    first, second = (rendered(kinds, entry({"title": "甲", "body": body}, "42")) for body in ("一", "二"))
    assert isinstance(first, Rendered)
    assert isinstance(second, Rendered)
    assert first.template == second.template


def test_another_template_takes_over_its_share_and_moves_no_other_record() -> None:
    [kind] = [kind for kind in shipped_for("mba") if kind.name == "concept"]
    more = [*kind.templates, "请谈谈{quoted}。"]
    entries = [{"title": f"第{number}条", "body": "正文"} for number in range(200)]
    before = [made("mba", facts).template for facts in entries]
    after = [made("mba", facts, concept=more).template for facts in entries]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"请谈谈{quoted}。"}
    assert 10 < len(moved) < 60


def test_of_many_sections_some_are_asked_for_in_the_order_of_the_entry() -> None:
    sections = {f"第{number}节": f"内容{number}" for number in range(9)}
    answer = made("medical-encyclopedia", {"title": "甲", "sections": sections})
    headings = answer.document.output.split("\n")[::3]
    assert len(headings) == 5
    assert headings == sorted(headings)
    assert f"{'、'.join(headings[:-1])}和{headings[-1]}" in answer.document.instruction


@pytest.mark.parametrize(("length", "shown"), [(3, 50), (74, 50), (76, 100), (480, 500), (549, 500), (1260, 1300)])
def test_length_is_rounded_as_people_do(length: int, shown: int) -> None:
    assert slots.rounded(length) == shown


FIVE = [f"请介绍{{quoted}}{'。' * number}" for number in range(5)]


@pytest.mark.parametrize(
    ("templates", "code"),
    [
        (FIVE[:4], "too_few"),
        ([f"{{title}}{number}" for number in range(31)], "too_many"),
        ([*FIVE, FIVE[0]], "repeated"),
        ([*FIVE, "{title}" + "长" * 300], "too_long"),
        ([*FIVE, "请介绍{quoted"], "braces"),
        ([*FIVE, "请介绍{quoted}}"], "braces"),
        ([*FIVE, "请介绍{quoted}，{year}年"], "unknown_slot"),
        ([*FIVE, "请介绍{}{title}"], "unknown_slot"),
        ([*FIVE, "请介绍{quoted}的{sections}"], "unknown_slot"),
        ([*FIVE, "写{length}字"], "no_title"),
        ([*FIVE, "请介绍《{title}》"], "doubled_marks"),
        ([*FIVE, "请介绍“{book}"], "doubled_marks"),
        ("请介绍{title}", "not_templates"),
        ([*FIVE, 5], "not_templates"),
    ],
)
def test_unsound_templates_are_refused_with_a_sentence_in_both_languages(templates: Any, code: str) -> None:
    with pytest.raises(Unsound) as caught:
        kinds_of("mba", {"concept": templates})
    assert caught.value.code == code
    assert caught.value.message("en") != caught.value.message("zh-hans")
    assert "{{" not in caught.value.message("en")


def test_templates_for_an_unknown_kind_are_refused() -> None:
    with pytest.raises(Unsound) as caught:
        kinds_of("mba", {"recipe": FIVE})
    assert "concept" in caught.value.message("en")


def test_kind_says_what_it_is_in_both_languages() -> None:
    kind: Kind = shipped_for("douban")[0]
    assert (kind.label("zh-hans"), kind.label("en")) == ("书评", "book review")
