"""Arrays: element by element, with the damage of one kept from the others wherever boundaries can be told."""

import io
import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Document, Refusal, Unreadable
from ingest.readers import READERS
from tests.ingest.faulty_lines import record

RECORDS = [{"instruction": f"问{number}", "output": "答" * number} for number in range(6)]
COMPACT = json.dumps(RECORDS, ensure_ascii=False).encode()
PRETTY = json.dumps(RECORDS, ensure_ascii=False, indent=2).encode()


def read(data: bytes) -> list[Document | Refusal]:
    return list(READERS["alpaca"].read(io.BytesIO(data), container="array"))


def told(data: bytes) -> list[str]:
    """The instruction of every document and the code of every refusal; the reading also resumes from each of them."""
    found = read(data)
    for position, each in enumerate(found):
        stream = io.BytesIO(data)
        rest = READERS["alpaca"].read(stream, container="array", offset=each.end, line=each.line)
        assert list(rest) == found[position + 1 :]
    assert [each.line for each in found] == list(range(1, len(found) + 1))
    return [each.instruction if isinstance(each, Document) else each.code for each in found]


def questions(*numbers: int) -> list[str]:
    return [f"问{number}" for number in numbers]


@pytest.mark.parametrize("data", [COMPACT, PRETTY, PRETTY.replace(b"\n", b"\r\n"), b"\n " + COMPACT + b"\n\n"])
def test_elements_are_documents_in_their_places(data: bytes) -> None:
    assert told(data) == questions(0, 1, 2, 3, 4, 5)
    assert all(data[each.offset : each.end] == each.raw for each in read(data))
    assert [json.loads(each.raw) for each in read(data)] == RECORDS


def test_empty_array_holds_no_records() -> None:
    assert told(b"[]") == told(b" [ \n] ") == []


def test_text_that_looks_like_structure_divides_nothing() -> None:
    texts = ['}, {"instruction": "x"', "]", '\\", [{', "\\", '"', "{\n  {", "\u2028]"]
    data = json.dumps([{"instruction": text, "output": "]}"} for text in texts], indent=1).encode()
    assert told(data) == texts


@pytest.mark.parametrize("size", [65_530, 65_536, 65_545, 262_144])
def test_escapes_and_strings_across_blocks(size: int) -> None:
    """Quotes, backslashes and brackets at every place around the end of a block."""
    for shift, tail in product(range(8), ['\\"', '"]}', "\\]}"]):
        text = "x" * (size - 80 + shift) + tail * 40
        expected = "field_too_long" if len(text) > 100_000 else text
        assert told(json.dumps([{"instruction": text, "output": ""}, RECORDS[1]]).encode()) == [expected, "问1"]


@pytest.mark.parametrize(
    ("joint", "refused"),
    [
        (b"", []),
        (b" ", []),
        (b",,", []),
        (b", 5, ", ["not_an_object"]),
        (b", nope, ", ["syntax"]),
        (b", }, ", ["syntax"]),
    ],
)
def test_what_stands_between_elements_costs_none(joint: bytes, refused: list[str]) -> None:
    parts = [json.dumps(each).encode() for each in RECORDS[:2]]
    assert told(b"[" + parts[0] + joint + parts[1] + b", ]") == ["问0", *refused, "问1"]


def test_elements_that_are_no_records_are_refused() -> None:
    data = b'[1, "a, ]\\"", null, [1, [2]], {}, true, -1.5e3, ' + COMPACT[1:]
    refused = ["not_an_object"] * 4 + ["missing"] + ["not_an_object"] * 2
    assert told(data) == [*refused, *questions(0, 1, 2, 3, 4, 5)]


@pytest.mark.parametrize("data", [COMPACT, PRETTY])
@pytest.mark.parametrize(
    ("written", "damaged", "code"),
    [
        ('答答"', "答答", "control_character"),
        ('"问2', "问2", "syntax"),
        ('问2"', '问2\\"', "control_character"),
        ('问2"', '问"2"', "syntax"),
        ('问2",', '问2"', "syntax"),
        ('问2",', '问2", ,', "syntax"),
        ("问2", "问\n2", "control_character"),
        ('问2"', '问2", "list": [1', "syntax"),
    ],
)
def test_a_broken_element_costs_itself_alone(data: bytes, written: str, damaged: str, code: str) -> None:
    place = data.index("问2".encode())
    broken = data[: place - 4] + data[place - 4 :].replace(written.encode(), damaged.encode(), 1)
    found = told(broken)
    assert found[:2] == questions(0, 1)
    assert found[3:] == questions(3, 4, 5)
    assert found[2] in {code, "syntax", "truncated"}
    assert read(broken)[2].raw.endswith(b"}")


@pytest.mark.parametrize("data", [COMPACT, PRETTY])
def test_a_lost_bracket_costs_its_element_alone(data: bytes) -> None:
    second = data.index(b"}", data.index("问2".encode()))
    broken = data[:second] + data[second + 1 :]
    found = told(broken)
    assert found[:2] + found[3:] == questions(0, 1, 3, 4, 5)


def test_a_lost_joint_in_a_file_of_many_lines_costs_its_element_alone() -> None:
    second = PRETTY.index(b"\n  },", PRETTY.index("问2".encode()))
    assert told(PRETTY[:second] + PRETTY[second + 5 :]) == [*questions(0, 1), "truncated", *questions(3, 4, 5)]


def test_a_broken_element_is_found_out_before_much_is_held() -> None:
    data = b'[{"instruction": "a", "list": [1}, ' + b", ".join([b'{"instruction": "b", "output": ""}'] * 50_000) + b"]"
    stream = io.BytesIO(data)
    found = READERS["alpaca"].read(stream, container="array")
    assert isinstance(next(found), Refusal)
    assert isinstance(next(found), Document)
    assert stream.tell() < 200_000
    assert sum(isinstance(each, Document) for each in found) == 49_999


def test_nested_records_of_a_broken_element_are_not_taken_for_elements() -> None:
    nested = (
        '{"instruction": "外", "turns": [{"instruction": "内", "output": "x"}, {"instruction": "内"}], "output": x}'
    )
    assert told(f"[{nested}, {json.dumps(RECORDS[1])}]".encode()) == ["syntax", "问1"]


def test_truncated_array_keeps_what_stands_before() -> None:
    for cut in range(COMPACT.index("问3".encode()), len(COMPACT)):
        found = told(COMPACT[:cut])
        assert found[:3] == questions(0, 1, 2)
        assert found[-1] in {"truncated", "array_not_closed"}
    assert told(COMPACT[:-1]) == [*questions(0, 1, 2, 3, 4, 5), "array_not_closed"]
    assert told(b"[") == ["array_not_closed"]


def test_what_follows_the_array_is_refused_as_one() -> None:
    found = read(COMPACT + b"\n" + COMPACT)
    assert told(COMPACT + b"\n" + COMPACT) == [*questions(0, 1, 2, 3, 4, 5), "after_array"]
    assert found[-1].raw == COMPACT
    assert found[-1].end == 2 * len(COMPACT) + 2


def test_an_element_above_the_limit_is_skipped() -> None:
    data = json.dumps([RECORDS[1], {"instruction": "x" * (1 << 20)}, [[1] * 600_000], RECORDS[2]]).encode()
    assert told(data) == ["问1", "line_too_long", "line_too_long", "问2"]
    assert told(data[: 1 << 20] + b"x" * 5000) == ["问1", "line_too_long"]
    assert told(b"[" + b"x" * (1 << 21) + b"," + json.dumps(RECORDS[1]).encode() + b"]") == ["line_too_long", "问1"]


def test_a_large_element_may_have_any_length_to_the_limit() -> None:
    for size in (65_535, 65_536, 65_537, 1 << 20):
        fields = {"instruction": "问", "output": "", "rest": ""}
        fields["rest"] = "x" * (size - len(json.dumps(fields, ensure_ascii=False).encode()))
        element = json.dumps(fields, ensure_ascii=False).encode()
        assert len(element) == size
        assert told(b"[" + element + b"," + element + b"]") == ["问", "问"]


def test_deep_nesting_is_refused_without_recursion() -> None:
    deep = b'{"instruction": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert told(b"[" + deep + b"," + deep[:-50_000] + b"]")[0] == "too_deep"
    assert told(b"[" * 100_000) == ["truncated"]


def test_many_broken_elements_take_linear_time() -> None:
    """An unclosed quote in every element: each is found out within a block, not at the end of the file."""
    data = b"[" + b",".join([b'{"instruction": "q, "output": "a"}'] * 5000) + b"]"
    assert told_quickly(data) == {"syntax": 4999, "truncated": 1}


def told_quickly(data: bytes) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in read(data):
        code = each.code if isinstance(each, Refusal) else "document"
        counts[code] = counts.get(code, 0) + 1
    return counts


def test_no_array_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="not_an_array"):
        read(b"{}")


@given(st.lists(st.sampled_from([*map(chr, b'[]{},:"\\ \n1'), '"instruction"', json.dumps(record(1))]), max_size=40))
def test_any_array_is_read_to_its_end(parts: list[str]) -> None:
    data = ("[" + "".join(parts)).encode()
    found = read(data)
    told(data)
    ends = [0, *(each.end for each in found)]
    starts = [each.offset for each in found]
    assert all(end <= start for end, start in zip(ends, starts, strict=False))
    assert all(data[each.offset :].startswith(each.raw) for each in found)
