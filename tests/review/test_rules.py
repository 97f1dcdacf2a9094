import re
import time
import timeit
from collections.abc import Iterator
from itertools import chain

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from review.text.rules import FAMILIES, FIELDS, MAX_SPANS, PERSONAL, RULES, Chosen, Kind, Rule, Texts, find_flags
from review.text.rules.scripts import TRADITIONAL
from review.text.rules.shape import DIGIT, SPACES

FLAGS = [rule for rule in RULES.values() if rule.kind == Kind.FLAG]
REPAIRS = [rule for rule in RULES.values() if rule.kind == Kind.REPAIR]
PUNCTUATION = "，。！？、；：“”‘’（）《》【】…—·"
HOSTILE_SECONDS = 0.3
"""Processor time for 100,000 characters; the measured worst is about half of it on a busy machine."""
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
each_flag = pytest.mark.parametrize("rule", FLAGS, ids=lambda rule: rule.id)
each_repair = pytest.mark.parametrize("rule", REPAIRS, ids=lambda rule: rule.id)


@each_rule
def test_every_rule_says_in_both_languages_what_it_is_about(rule: Rule) -> None:
    assert rule.sentence("en").endswith(".")
    assert rule.sentence("zh-hans").endswith("。")
    assert rule.sentence("zh-hans") != rule.sentence("en")


@each_rule
def test_every_rule_finds_its_samples_at_places_that_are_there(rule: Rule) -> None:
    assert rule.caught
    for texts in rule.caught:
        spans = list(rule.find(texts))
        assert spans, texts
        for field, start, end in spans:
            assert (start, end) == (0, 0) or 0 <= start < end <= len(getattr(texts, field)), texts


@each_rule
def test_every_rule_passes_what_looks_alike(rule: Rule) -> None:
    assert rule.passed
    assert [(texts, list(rule.find(texts))) for texts in rule.passed if list(rule.find(texts))] == []


@each_flag
def test_the_look_for_signs_hides_no_sample_of_a_flag(rule: Rule) -> None:
    for texts in rule.caught:
        found = [found.span for found in find_flags(texts) if found.rule == rule.id]
        assert found == list(rule.find(texts))
        assert rule.id not in {found.rule for found in find_flags(texts, switches={rule.id: False})}


def _fragments() -> list[str]:
    """Return what samples are made of, whole and in halves, and what commonly stands between."""
    samples = chain.from_iterable(rule.caught + rule.passed for rule in RULES.values())
    texts = sorted({text for sample in samples for text in sample[:3] if text})
    halves = [half for text in texts for half in (text[: len(text) // 2], text[len(text) // 2 :]) if half]
    return [*texts, *halves, " ", "\n", "。", "，", "：", "\u3000", "1", "@", "图", "A.", "第二段"]


made_of_samples = st.lists(st.sampled_from(_fragments()), max_size=6).map("".join)


@given(st.builds(Texts, made_of_samples, made_of_samples, made_of_samples))
def test_the_look_for_signs_hides_nothing(texts: Texts) -> None:
    without_it = {(rule.id, span) for rule in FLAGS for span in list(rule.find(texts))[:MAX_SPANS]}
    assert {(found.rule, found.span) for found in find_flags(texts)} == without_it


def test_signs_know_every_space_and_digit_that_the_rules_know() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for of_rules, of_signs in ((r"\s", f"[{SPACES}]"), (r"\d", DIGIT)):
        known = {character for character in characters if re.fullmatch(of_rules, character)}
        assert known
        assert {character for character in known if re2.fullmatch(of_signs, character)} == known


@each_repair
def test_what_a_repair_mended_needs_no_repair(rule: Rule) -> None:
    for texts in rule.caught:
        mended, done = Chosen({rule.id}).repaired(texts)
        assert done == (rule.id,)
        assert mended != texts
        assert Chosen({rule.id}).repaired(mended) == (mended, ())


@each_repair
def test_a_repair_leaves_alone_what_is_in_order(rule: Rule) -> None:
    for texts in rule.passed:
        assert Chosen({rule.id}).repaired(texts) == (texts, ())


def test_repairs_that_nobody_chose_change_nothing() -> None:
    for texts in chain.from_iterable(rule.caught for rule in RULES.values()):
        assert Chosen(()).repaired(texts) == (texts, ())


@given(made_of_samples)
def test_no_repair_but_that_of_doubled_marks_touches_chinese_punctuation(text: str) -> None:
    texts = Texts("问题。", "", text)
    chosen = {rule.id for rule in REPAIRS} - {"single_marks", "remove_markup"}
    mended, _done = Chosen(chosen).repaired(texts)
    assert _marks(mended.output) == _marks(text)


def _marks(text: str) -> str:
    return "".join(character for character in text if character in PUNCTUATION)


def test_a_record_is_dropped_by_the_first_rule_that_finds_something() -> None:
    texts = Texts("问题？", "", "作为AI语言模型，我不能回答\ufffd。")
    both = {"drop_lost_characters", "drop_model_voice"}
    assert Chosen(both).reason_to_drop(texts) == "drop_lost_characters"
    assert Chosen({"drop_model_voice"}).reason_to_drop(texts) == "drop_model_voice"
    assert Chosen(both).reason_to_drop(texts._replace(output="好。")) == ""
    assert Chosen({"model_voice", "no_such_rule"}).reason_to_drop(texts) == ""
    assert Chosen(both)
    assert not Chosen({"model_voice", "no_such_rule"})


def test_no_repair_leaves_a_record_without_its_question() -> None:
    texts = Texts("<br>", "", "第一行<br>第二行")
    assert Chosen({"remove_markup"}).repaired(texts) == (texts, ())


def test_a_repair_lets_those_behind_it_see_what_it_left() -> None:
    texts = Texts("问题？", "", "第一行&nbsp;<br>第二行")
    mended, done = Chosen({"remove_markup", "trim_blanks"}).repaired(texts)
    assert (mended.output, done) == ("第一行\n第二行", ("remove_markup", "trim_blanks"))


def test_ids_are_unique_and_families_hold_every_rule() -> None:
    everything = [rule.id for family in FAMILIES for rule in family.rules]
    assert len(everything) == len(set(everything)) == len(RULES)
    assert {"phone_number", "email_address", "identity_number", "user_mention"} <= PERSONAL
    for family in FAMILIES:
        assert family.heading("zh-hans") != family.heading("en")


def test_the_restored_escapes_are_the_ones_that_were_written() -> None:
    written = r"$\frac{1}{2}\times\theta\right)\beta\neq\alpha\vec{a}$"
    eaten = written.encode().decode("unicode_escape")
    mended, done = Chosen({"restore_escapes"}).repaired(Texts("求值。", "", eaten))
    assert (mended.output, done) == (written, ("restore_escapes",))


@pytest.mark.parametrize("encoding", ["gb18030", "latin-1"])
def test_the_proposal_for_mojibake_is_what_was_written(encoding: str) -> None:
    written = "今天天气很好，我们一起去公园散步。"
    propose = RULES["mojibake_suspect"].repair
    assert propose
    assert propose(f"前文。{written.encode().decode(encoding, 'ignore')}")[:12] == f"前文。{written}"[:12]


def test_the_traditional_characters_are_those_of_opencc() -> None:
    from opencc import OpenCC  # noqa: PLC0415  takes a moment

    every = "\n".join(map(chr, range(0x4E00, 0x9FA6)))
    changed = zip(every.split("\n"), OpenCC("t2s").convert(every).split("\n"), strict=True)
    assert "".join(old for old, new in changed if old != new and not _in_gb2312(old) and _in_gb2312(new)) == TRADITIONAL


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _hostile() -> Iterator[str]:
    size = 100_000
    caught = {text for rule in RULES.values() for sample in rule.caught for text in sample[:3] if text}
    yield from (piece * (size // len(piece)) for piece in sorted(caught))
    yield from (character * size for character in "1@<&《{“\n \t\r\u3000\u200b.-_:：，无a鍙Ãäzn\\$!(（[【`#")
    yield from ("\n" * (size - 1) + "x", " \n" * (size // 2) + "x", "![" * (size // 2), "<p " * (size // 3))
    yield from (
        "a@" * (size // 2),
        "a.@b." * (size // 5),
        "1.\n" * (size // 3),
        "{{ " * (size // 3),
        "`" * size + "<br>",
    )


def test_hostile_texts_cost_no_more_than_their_length() -> None:
    slow = []
    for text in _hostile():
        texts = Texts("问题。", "", text)
        # Without the garbage collector, whose rounds over a whole suite take longer; the better of two.
        spent = min(timeit.repeat(lambda: find_flags(texts), repeat=2, number=1, timer=time.thread_time))  # noqa: B023
        if spent > HOSTILE_SECONDS:
            slow.append((text[:12], round(spent, 3)))
    assert slow == []


@pytest.mark.parametrize("field", FIELDS)
def test_no_more_places_are_kept_than_anybody_reads(field: str) -> None:
    texts = Texts("问？", "", "好。")._replace(**{field: "\ufffd好" * 500})
    places = [found.span for found in find_flags(texts) if found.rule == "replacement_character"]
    assert len(places) == MAX_SPANS
