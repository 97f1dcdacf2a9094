import json
import random
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.text.diff import Fold, Piece, folded, opcodes

COMMON = st.text(alphabet="甲乙丙，。\n\r\u0301\u200d👨👩🇨🇳ab ", max_size=40)


def said(pieces: list[Piece], *kinds: str) -> str:
    return "".join(piece.text for piece in pieces if piece.kind in kinds)


def longest_common(one: str, other: str) -> int:
    """How many characters both have in one order: one big number as a row of bits (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for at, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << at
    row = full = (1 << len(one)) - 1
    for character in other:
        met = row & places.get(character, 0)
        row = (row + met | row - met) & full
    return len(one) - row.bit_count()


def check(before: str, after: str) -> None:
    """The pieces make up both wordings, and no character is marked that need not be."""
    pieces = opcodes(before, after)
    assert said(pieces, "equal", "delete") == before
    assert said(pieces, "equal", "insert") == after
    assert all(piece.text for piece in pieces)
    if not set("\r\u0301\u200d👨👩🇨🇳") & set(before + after):
        assert len(said(pieces, "equal")) == longest_common(before, after)


@given(COMMON, COMMON)
def test_the_pieces_are_both_wordings_and_mark_the_least(before: str, after: str) -> None:
    check(before, after)


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("", "", []),
        ("同", "同", [("equal", "同")]),
        (
            "我喜欢你",
            "我很喜欢她",
            [("equal", "我"), ("insert", "很"), ("equal", "喜欢"), ("delete", "你"), ("insert", "她")],
        ),
        ("", "新", [("insert", "新")]),
        ("旧", "", [("delete", "旧")]),
        ("一。三。", "一。二。三。", [("equal", "一。"), ("insert", "二。"), ("equal", "三。")]),
        ("甲\n丙\n", "甲\n乙\n丙\n", [("equal", "甲\n"), ("insert", "乙\n"), ("equal", "丙\n")]),
        ("e\u0301", "e\u0300", [("delete", "e\u0301"), ("insert", "e\u0300")]),
        ("👨\u200d👩", "👨\u200d👧", [("delete", "👨\u200d👩"), ("insert", "👨\u200d👧")]),
        ("🇨🇳🇨🇳", "🇨🇳🇨🇱", [("equal", "🇨🇳"), ("delete", "🇨🇳"), ("insert", "🇨🇱")]),
        ("a\r\nb", "a\nb", [("equal", "a"), ("delete", "\r\n"), ("insert", "\n"), ("equal", "b")]),
    ],
)
def test_what_is_marked(before: str, after: str, pieces: list[tuple[str, str]]) -> None:
    assert opcodes(before, after) == pieces


def test_the_diff_of_every_real_pair_marks_what_differs_and_nothing_else(shared_data: Path) -> None:
    folder = shared_data / "reviewed"
    before, after = (json.loads((folder / f"ruozhiba_{name}.json").read_text()) for name in ("before", "after"))
    pairs = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().split("\n") if line]
    assert len(pairs) == 1314
    for pair in pairs:
        if pair["after"] is not None:
            for name in ("instruction", "output"):
                check(before[pair["before"]][name], after[pair["after"]][name])


@pytest.mark.parametrize("edits", [1, 40, 2000])
def test_a_text_of_25000_characters_is_quick(edits: int) -> None:
    draw = random.Random(edits)
    text = [draw.choice("的一是不了人我在有他这为之大来以个中上们，。\n") for _ in range(25_000)]
    before = "".join(text)
    for _ in range(edits):
        text[draw.randrange(len(text))] = draw.choice(["", "改", "添字"])
    after = "".join(text)
    started = perf_counter()
    pieces = opcodes(before, after)
    taken = perf_counter() - started
    assert said(pieces, "equal", "delete") == before
    assert said(pieces, "equal", "insert") == after
    assert len(said(pieces, "delete")) <= 3 * edits
    assert taken < 1.5  # 0.3 s on a machine that does nothing else: see the benchmark


def test_nothing_in_common_and_the_longest_field_is_bounded() -> None:
    before, after = ("".join(chr(start + n % 5000) for n in range(100_000)) for start in (0x4E00, 0x6E00))
    started = perf_counter()
    pieces = opcodes(before, after)
    assert perf_counter() - started < 5
    assert pieces == [("delete", before), ("insert", after)]


def test_ten_thousand_combining_marks_are_quick() -> None:
    before = "e" + "\u0301" * 10_000
    started = perf_counter()
    pieces = opcodes(before, before[:-1])
    assert perf_counter() - started < 2
    assert said(pieces, "equal", "delete") == before
    assert len(said(pieces, "delete", "insert")) < 50


def test_long_equal_stretches_are_folded_around_the_change() -> None:
    shown = folded(opcodes("甲" * 100 + "旧" + "乙" * 30, "甲" * 100 + "新" + "乙" * 30), context=20)
    assert shown == [
        Fold("", "甲" * 80, "甲" * 20),
        Piece("delete", "旧"),
        Piece("insert", "新"),
        Piece("equal", "乙" * 30),
    ]
