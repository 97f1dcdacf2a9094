"""The strict parser: what it refuses, that it never fails otherwise, and that its fast path is as exact as the slow."""

import json
import math
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from review.text import faults, strict
from review.text.strict import Malformed

REFUSED: list[tuple[bytes, str, str]] = [
    (b"", "truncated", ""),
    (b"  ", "truncated", ""),
    (b'{"a": "\\u0000"}', "nul", "/a"),
    (b'{"a": {"\\u0000": 1}}', "nul", r"/a/\x00"),
    (b'{"a": "\x00"}', "nul", ""),
    (b'{"a": 1}\x00', "nul", ""),
    (b'{"a": ["x", "\\ud800"]}', "lone_surrogate", "/a/1"),
    (b'{"a": "\\udc00\\ud800"}', "lone_surrogate", "/a"),
    (b'{"a": "\xed\xa0\xbd\xed\xb8\x80"}', "cesu_8", ""),
    (b'{"a": "\xff"}', "not_utf8", ""),
    ('{"a": "文"}'.encode("gb18030"), "not_utf8", ""),
    ('{"a": "文"}'.encode("utf-16"), "not_utf8", ""),
    (b'\xef\xbb\xbf{"a": 1}', "byte_order_mark", ""),
    (b'{"a": NaN}', "not_finite", "/a"),
    (b'{"a": [0, -Infinity]}', "not_finite", "/a/1"),
    (b'{"a": 1e999}', "not_finite", "/a"),
    (b'{"a": ' + b"9" * 400 + b"}", "not_finite", "/a"),
    (b'{"a": ' + b"9" * 5000 + b"}", "not_finite", "/a"),
    (b'{"a": 1, "a": 1}', "duplicate_key", "/a"),
    (b'{"a" : 1, "a"\t: 1}', "duplicate_key", "/a"),
    (b'{"a": 1, "a" : 1}', "duplicate_key", "/a"),
    (b'{"a": 1, "a"\r\n: 1}', "duplicate_key", "/a"),
    (b'{"a/~b": {"c": 1, "\\u0063": 2}}', "duplicate_key", "/a~1~0b/c"),
    (b'{"a": "\\":", "b": {"c" : 1, "c": 1}}', "duplicate_key", "/b/c"),
    (b'{"a": 1, }', "trailing_comma", ""),
    (b'{"a": [1,]}', "trailing_comma", ""),
    (b'{"a": 1} {"b": 2}', "more_than_one", ""),
    (b'{"a": 1},', "more_than_one", ""),
    (b'{"a": "x', "truncated", ""),
    (b'{"a": tru', "truncated", ""),
    (b'{"a": "x\ty"}', "control_character", ""),
    (b"{'a': 1}", "syntax", ""),
    (b'{"a": 01}', "syntax", ""),
    (b'{"a": 1 /* one */}', "syntax", ""),
    (b'\x0b{"a": 1}', "syntax", ""),
    (b'\xc2\xa0{"a": 1}', "syntax", ""),
    (b"[1]", "not_an_object", ""),
    (b"null", "not_an_object", ""),
    (b'"{}"', "not_an_object", ""),
]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FRAGMENTS = (
    *(sign.encode() for sign in '{}[]":,\\ \t\n-0'),
    b'"a"', b'"a":', b'"a" :', b'\\"', b'\\":', b"\\u0000", b"\\ud83d", b"\\ude00", b"\\u0061", b"1e999",
    b"NaN", b"1e-999", b"12345678901234567890123", b"null", b"\xe6\x96\x87", b"\xff", b"\xed\xa0\xbd", b"\xef\xbb\xbf",
    b"\x00",
)  # fmt: skip


def reference(line: bytes) -> object:
    """What the standard library reads when it is told to be strict; it raises ``ValueError`` for what is not JSON."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError(pairs)
        return dict(pairs)

    def finite(number: str) -> float:
        if not math.isfinite(float(number)):
            raise ValueError(number)
        return float(number)

    value = json.loads(line.decode(), object_pairs_hook=unique, parse_constant=finite, parse_float=finite)
    written = json.dumps(value, ensure_ascii=False).encode()
    if b"\\u0000" in written.replace(b"\\\\", b""):
        raise ValueError(line)
    return value


def assert_strict(line: bytes) -> None:
    """A dictionary that the reference reads too, or ``Malformed`` with sentences; any other exception fails."""
    try:
        value = strict.parse_object(line)
    except Malformed as caught:
        fault = caught
    else:
        assert repr(value) == repr(reference(line))
        return
    assert (fault.pointer + fault.message("en") + fault.message("zh-hans")).isprintable()


@pytest.mark.parametrize(("line", "code", "pointer"), REFUSED)
def test_refuses_with_code_and_pointer(line: bytes, code: str, pointer: str) -> None:
    with pytest.raises(Malformed) as refused:
        strict.parse_object(line)
    assert (refused.value.code, refused.value.pointer) == (code, pointer)


@given(st.binary())
@example(b'{"a":1,"a":2}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
def test_parses_or_refuses_any_bytes(line: bytes) -> None:
    assert_strict(line)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25))
def test_parses_or_refuses_what_looks_like_json(fragments: list[bytes]) -> None:
    assert_strict(b"".join(fragments))
    assert_strict(b'{"a": ' + b"".join(fragments) + b"}")


@given(JSON_VALUES, st.data())
def test_parses_or_refuses_damaged_json(value: object, data: st.DataObject) -> None:
    line = json.dumps({"a": value}, ensure_ascii=data.draw(st.booleans())).encode()
    place = data.draw(st.integers(0, len(line)))
    removed = data.draw(st.integers(0, 3))
    assert_strict(line[:place] + data.draw(st.sampled_from(FRAGMENTS)) + line[place + removed :])


@given(JSON_VALUES, st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
def test_reads_back_every_clean_value(value: object, indent: int | None, separators: tuple[str, str]) -> None:
    body = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False).encode()
    if b"\\u0000" in body.replace(b"\\\\", b""):
        with pytest.raises(Malformed, match="nul"):
            strict.parse(body)
    else:
        assert repr(strict.parse(body)) == repr(value)


@pytest.mark.parametrize("depth", [63, 64, 65, 66, 500, 1024, 1025, 100_000])
@pytest.mark.parametrize("core", [b"", b"1"])
def test_depth_is_limited_without_recursion(depth: int, core: bytes) -> None:
    body = b"[" * depth + core + b"]" * depth
    if depth <= strict.MAX_DEPTH:
        assert strict.parse(body) == json.loads(body)
    else:
        with pytest.raises(Malformed, match="too_deep"):
            strict.parse(body)


@pytest.mark.parametrize(
    "number", [10**30, -(10**30), 2**64, 2**63, -(2**63) - 1, 10**299, 123456789012345678901234567890]
)
def test_long_integers_stay_exact(number: int) -> None:
    assert strict.parse_object(b'{"id": %d}' % number) == {"id": number}


def test_clean_text_that_looks_faulty_is_taken() -> None:
    record = {"a": '":', "b\\": "\\u0000", "c": {"a": "NaN", "d": ['"a":', "\u2028\u0085\x7f"]}, "": "😀\ufeff"}
    line = json.dumps(record).encode()
    assert strict.parse_object(line) == record
    assert strict.parse_object(json.dumps(record, ensure_ascii=False).encode()) == record


def test_a_body_may_be_as_long_as_the_limit() -> None:
    line = b'{"a": "' + b"x" * (strict.MAX_LINE_BYTES - 9) + b'"}'
    assert len(line) == strict.MAX_LINE_BYTES
    assert len(str(strict.parse_object(line)["a"])) == strict.MAX_LINE_BYTES - 9
    with pytest.raises(Malformed, match="line_too_long"):
        strict.parse_object(line + b" ")
    with pytest.raises(Malformed, match="line_too_long"):
        strict.parse(b"[1, 2]", limit=5)


def test_pointers_and_sentences_hold_no_hostile_characters() -> None:
    key = "\ud800\x1b[31m\n\u202e" + "k" * 1000
    with pytest.raises(Malformed) as refused:
        strict.parse_object(json.dumps({key: math.inf}).encode())
    shown = refused.value.pointer + refused.value.message() + str(refused.value)
    assert shown.isprintable()
    assert len(refused.value.pointer) < 150


@pytest.mark.parametrize("code", faults.FAULTS)
def test_every_fault_has_a_sentence_in_both_languages(code: str) -> None:
    fault = faults.FAULTS[code]
    names = {name for _, name, _, _ in string.Formatter().parse(fault.english) if name} - {"field"}
    parameters = {name: "string" if name in {"expected", "found"} else 7 for name in names}
    english = faults.explain(fault, "/output", parameters, "en")
    chinese = faults.explain(fault, "/output", parameters, "zh-Hans")
    assert english.isascii()
    assert english.endswith(".")
    assert chinese.endswith(("。", "）"))
    assert "{" not in english + chinese
    assert ("/output" in english) == ("/output" in chinese)


def test_sentences_name_types_in_their_language() -> None:
    with pytest.raises(Malformed) as refused:
        strict.text_field(None, "/output")
    assert refused.value.message("en") == "The field /output must be a string, and is null. Correct its type."
    assert refused.value.message("zh-hans") == "字段 /output 必须是字符串，这里却是null。请更正类型。"
    assert refused.value.parameters == {"expected": "string", "found": "null"}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "wrong_type"),
        (1, "wrong_type"),
        (["x"], "wrong_type"),
        ("a\x00", "nul"),
        ("a\ud800", "lone_surrogate"),
        ("x" * 100_001, "field_too_long"),
        ("", "empty"),
        (" \u3000\u200b\ufeff\n", "empty"),
    ],
)
def test_text_field_refuses(value: object, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        strict.text_field(value, "/a", allow_empty=False)
    assert (refused.value.code, refused.value.pointer) == (code, "/a")


@pytest.mark.parametrize("text", ["", " 文\u200b ", "x" * 100_000, "😀\u2028\ufffd\ue000"])
def test_text_field_leaves_text_alone(text: str) -> None:
    assert strict.text_field(text, "/a") == text


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        ("文", "wrong_type", "/a"),
        (("文",), "wrong_type", "/a"),
        (["文", None], "wrong_type", "/a/1"),
        (["\x00"], "nul", "/a/0"),
        (["x" * 201], "field_too_long", "/a/0"),
        (["x"] * 101, "too_many", "/a"),
    ],
)
def test_string_list_refuses(value: object, code: str, pointer: str) -> None:
    with pytest.raises(Malformed) as refused:
        strict.string_list(value, "/a")
    assert (refused.value.code, refused.value.pointer) == (code, pointer)


def test_fields_of_other_types() -> None:
    assert strict.string_list(["问答", ""], "/a") == ("问答", "")
    assert strict.object_field({"b": 1}, "/a") == {"b": 1}
    assert strict.boolean_field(value=False, pointer="/a") is False
    with pytest.raises(Malformed, match="wrong_type"):
        strict.object_field([], "/a")
    with pytest.raises(Malformed, match="wrong_type"):
        strict.boolean_field(1, "/a")


@pytest.mark.parametrize("line", [b'{"a": 1,}', b'{"a": 1, }', b'{"a": 1,\n}', b'{"a": 1 ,}'])
def test_trailing_comma_is_pointed_at(line: bytes) -> None:
    with pytest.raises(Malformed, match="trailing_comma") as refused:
        strict.parse_object(line)
    assert refused.value.parameters == {"column": line.index(b",") + 1}


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        (b'{"a": 1}', None),
        (b'{"a": "\\ud800"}', None),
        (b'{"a": "\xff"}', None),
        (b"[" * 1000, None),
        (b'{"a": 1 "b"}', 8),
        ('{"文": x}'.encode(), 8),
        (b'{"a": "b', 6),
        (b'{"a": 1', 7),
    ],
)
def test_fault_position_counts_bytes(raw: bytes, position: int | None) -> None:
    assert strict.fault_position(raw) == position
