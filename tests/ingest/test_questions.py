"""How exam questions are laid out: what is an option and what is not, and how an answer is stated."""

from time import perf_counter

import pytest

from ingest.readers import questions
from review.text.strict import MAX_FIELD_CHARACTERS
from tests.ingest.test_readers import read_one, refusal_of


@pytest.mark.parametrize(
    "text",
    [
        "已知A、B、C三点在同一直线上，求 AB 的长。",
        "某实验室一共有 A、B、C 三种类型的机器人。",
        "点 A、点 B、点 C 在圆上，求圆心。",
        "甲选A、乙选B、丙选C，谁对？",
        "下图中 A. B. C. D. 各是什么？",
        "1、3、5、7、下一个数是多少？",
    ],
)
def test_letters_and_numbers_in_a_sentence_stay_there(text: str) -> None:
    assert questions.stem(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("首都是（ ）A、北京 B、上海 C、广州", "首都是（ ）\nA. 北京\nB. 上海\nC. 广州"),
        ("3、首都是\nA、北京\nB、上海", "首都是\nA. 北京\nB. 上海"),
        ("原因是（）15A.继承 B．怀疑 C．保存", "原因是（）15\nA. 继承\nB. 怀疑\nC. 保存"),
        ("已知A、B两点。长度是 A. 一 B. 二", "已知A、B两点。长度是\nA. 一\nB. 二"),
        ("哪些对？ A. 甲 B. 选B、C的人 C. A、B、C都对", "哪些对？\nA. 甲\nB. 选B、C的人\nC. A、B、C都对"),
        ("12、在一次比赛中", "在一次比赛中"),
    ],
)
def test_options_stand_on_lines_of_their_own(text: str, found: str) -> None:
    assert questions.stem(text) == found


@pytest.mark.parametrize(
    ("said", "stated", "kinds"),
    [
        ("B", "B", ("单项选择题",)),
        ("b", "B", ("单项选择题",)),
        (["A", "C"], "AC", ("多项选择题",)),
        ("A、C。", "AC", ("多项选择题",)),
        (["A", "C", "A", "D", "B", "A"], "ACADBA", ()),
        (["E", "C", "G", "A", "B"], "ECGAB", ()),
        (["AB", "C"], "AB\nC", ()),
        ("CBA", "CBA", ()),
        ("face", "face", ()),
        ("A bad cab", "A bad cab", ()),
        (["Good", "Bad"], "Good\nBad", ()),
    ],
)
def test_an_answer_in_a_paper_is_stated_as_it_was_given(said: object, stated: str, kinds: tuple[str, ...]) -> None:
    found = read_one({"question": "问题", "answer": said, "analysis": "略。"}, "exam")
    assert (found.output, found.more_minor) == (f"略。\n\n答案：{stated}", kinds)
    found = read_one({"textbox_question": "问题", "textbox_answer": said}, "coig-exam")
    assert (found.output, found.more_minor) == (f"答案：{stated}", kinds)


WORDS = ["Good", "Bad", "Cold", "Hot"]


@pytest.mark.parametrize(
    ("said", "stated", "kinds"),
    [
        ("Bad", "B", ("单项选择题",)),
        (["Hot", "Good"], "DA", ()),
        ("bd", "BD", ("多项选择题",)),
        ([0, 2], "AC", ("多项选择题",)),
        (["D", "A"], "DA", ()),
        ("CBAD", "CBAD", ()),
    ],
)
def test_an_answer_among_options_is_their_letters(said: object, stated: str, kinds: tuple[str, ...]) -> None:
    found = read_one({"question": "问题", "options": WORDS, "answer": said}, "options")
    assert (found.output, found.more_minor) == (f"答案：{stated}", kinds)


@pytest.mark.parametrize("said", ["bad", "BE", "Ad", -1, 4, ["A", "x"], True])
def test_an_answer_that_is_none_of_the_options_is_refused(said: object) -> None:
    fields = {"question": "问题", "options": WORDS, "answer": said}
    assert refusal_of(fields, "options") == ("no_such_option", "/answer")


def test_an_order_that_the_analysis_states_too_is_stated_once() -> None:
    assert questions.answer("CBA", "先丙后乙。故选CBA。") == "先丙后乙。\n\n答案：CBA"
    assert questions.answer("ABC", "先丙后乙。故选CBA。") == "先丙后乙。故选CBA。\n\n答案：ABC"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["A teacher.", "An artist."], "A. A teacher.\nB. An artist."),
        (["A potato", "B vitamin", "Sugar"], "A. A potato\nB. B vitamin\nC. Sugar"),
        (["A 甲", "B 乙", "C 丙"], "A. 甲\nB. 乙\nC. 丙"),
        (["A. 甲", "B 乙", "(C)丙"], "A. 甲\nB. 乙\nC. 丙"),
        (["A. A teacher.", "B. An artist."], "A. A teacher.\nB. An artist."),
        (["a) 甲", "乙"], "A. 甲\nB. 乙"),
    ],
)
def test_an_option_loses_its_letter_and_no_word(options: list[str], found: str) -> None:
    assert questions.with_options("问题", options) == f"问题\n{found}"
    fields = {"question": "问题", "answer": "A"} | dict(zip("ABC", options, strict=False))
    assert read_one(fields, "choices").instruction == f"问题\n{found}"


def _of_many(text: str) -> str:
    return text * (MAX_FIELD_CHARACTERS // len(text))


@pytest.mark.parametrize(
    "text",
    [
        "x" + _of_many("，") + "y",
        "x" + _of_many(" ") + "y",
        "故选A" + _of_many(" ") + "y",
        "故选" + _of_many("A，"),
        _of_many("故选A，"),
        _of_many("故答案 "),
        _of_many("a\n"),
        _of_many("。\n"),
        _of_many("A."),
        _of_many("A.甲"),
        _of_many("甲 A、乙 B、丙 "),
        _of_many("1、"),
    ],
)
def test_the_longest_texts_take_no_longer_for_what_they_hold(text: str) -> None:
    begun = perf_counter()
    questions.answer("A", text)
    questions.stem(text)
    questions.with_options(text, [text] * 4)
    assert perf_counter() - begun < 2
