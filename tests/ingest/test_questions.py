"""How exam questions are laid out: what is an option and what is not, and how an answer is stated."""

import pytest

from ingest.readers import questions


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
