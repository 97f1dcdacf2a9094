"""The duplicate key forgives white space and canonical forms and nothing else; the content hash forgives nothing."""

import unicodedata
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from review.text.signature import content_hash, duplicate_key

WHITE_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
TEXTS = st.tuples(st.text(), st.text(), st.text())
CONTENT: dict[str, Any] = {
    "instruction": "问",
    "input": "",
    "output": "答",
    "major": ("问答",),
    "minor": ("知识", "问答"),
    "domain": (),
    "metadata": "无",
    "answer_from": "human",
}


def without_white_space(text: str) -> str:
    return "".join(character for character in text if not character.isspace())


@given(TEXTS, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.sampled_from(WHITE_SPACE))))
def test_white_space_anywhere_does_not_change_the_key(
    texts: tuple[str, str, str], inserted: list[tuple[int, int, str]]
) -> None:
    spaced = list(texts)
    for field, place, space in inserted:
        spaced[field] = spaced[field][:place] + space + spaced[field][place:]
    assert duplicate_key(*spaced) == duplicate_key(*texts)


@given(TEXTS)
def test_canonical_equivalence_does_not_change_the_key(texts: tuple[str, str, str]) -> None:
    assert duplicate_key(*(unicodedata.normalize("NFD", text) for text in texts)) == duplicate_key(*texts)


@given(TEXTS, TEXTS)
def test_different_texts_have_different_keys(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    plain = [[unicodedata.normalize("NFC", without_white_space(text)) for text in texts] for texts in (one, other)]
    assume(plain[0] != plain[1])
    assert duplicate_key(*one) != duplicate_key(*other)


def test_every_kind_of_white_space_is_removed() -> None:
    assert len(WHITE_SPACE) == 29
    assert duplicate_key("问" + WHITE_SPACE + "题", WHITE_SPACE, "答") == duplicate_key("问题", "", "答")


def test_fields_are_kept_apart() -> None:
    keys = {
        duplicate_key("ab", "", ""),
        duplicate_key("a", "b", ""),
        duplicate_key("", "ab", ""),
        duplicate_key("a", "", "b"),
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}


def test_compatibility_and_invisible_characters_stay_different() -> None:
    keys = {duplicate_key(text, "", "") for text in ("1", "１", "①", "1\u200b")}
    assert len(keys) == 4


def test_equal_content_has_an_equal_hash() -> None:
    assert content_hash(**CONTENT) == content_hash(**CONTENT | {"major": ["问答"], "domain": []})
    assert len(content_hash(**CONTENT)) == 32


def test_every_part_of_the_content_changes_the_hash() -> None:
    changes: list[dict[str, Any]] = [
        {"instruction": "问 "},
        {"instruction": "", "input": "问"},
        {"input": "答", "output": ""},
        {"output": "e\u0301"},
        {"output": "\u00e9"},
        {"major": ()},
        {"major": ("",)},
        {"major": ("", "")},
        {"major": ("知识", "问答"), "minor": ("问答",)},
        {"minor": ("问答", "知识")},
        {"minor": ("知识问答",)},
        {"minor": ("知识",), "domain": ("问答",)},
        {"domain": ("语文",)},
        {"metadata": "human", "answer_from": "无"},
        {"answer_from": ""},
    ]
    hashes = {content_hash(**CONTENT)} | {content_hash(**CONTENT | change) for change in changes}
    assert len(hashes) == len(changes) + 1


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_lists_are_told_apart(one: list[str], other: list[str]) -> None:
    assume(one != other)
    assert content_hash(**CONTENT | {"minor": one}) != content_hash(**CONTENT | {"minor": other})
