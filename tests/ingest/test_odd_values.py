"""Any JSON value under any key that a reader reads: the record becomes a document or is refused alone, nothing else."""

import io
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from ingest.document import Document
from ingest.models import Reject
from ingest.readers import READERS, answers, conversations, entries, exams, facts, pairs, shape
from ingest.readers.containers import cut
from ingest.readers.piece import Piece
from review.text.strict import Malformed, parse_object
from tests.ingest.faulty_lines import line
from tests.ingest.golden import GOLDEN
from tests.ingest.importing import counts, imported
from tests.ingest.test_golden import as_bytes

STRINGS = [
    "",
    " ",
    "\u200b",
    "无",
    "a",
    "A",
    "BA",
    "A. 甲",
    "²",
    "٣",
    "９",
    "1.5万",
    "<p>",
    "\ue000<b>",
    "x" * 201,
    "{}",
]
SCALARS: list[Any] = [None, True, False, 0, -1, 9, 10**299, 1.5, -1e308, 253_402_300_799, *STRINGS]
LISTS: list[Any] = [[], [[]], [{}], ["A", "text", 1, "B. x"], ["A", "题", "A", "B"], [["问", "答"]]]
OBJECTS: list[Any] = [{}, {"a": []}, {"id": "x" * 201, "title": "题"}, {"name": {}}, {"from": 1, "role": "user"}]
VALUES = [*SCALARS, *LISTS, *([value] for value in SCALARS), *OBJECTS, *([value] for value in OBJECTS)]
AT_ONCE = 1000
PIECE = Piece(1, 0, 1, b"{}", b"{}")


def named_keys() -> set[str]:
    """Every key that the modules of the readers name in a collection."""
    found: set[str] = set()
    for module in (answers, conversations, entries, exams, facts, pairs, shape):
        for constant in vars(module).values():
            values = constant.values() if isinstance(constant, dict) else [constant]
            found |= {key for each in values if isinstance(each, tuple | frozenset) for key in each if type(key) is str}
    return found


def records(name: str) -> list[dict[str, Any]]:
    golden = GOLDEN[name]
    pieces = [piece for piece in cut(io.BytesIO(as_bytes(golden)), container=golden.container) if type(piece) is Piece]
    return [dict(parse_object(piece.body) if piece.fields is None else piece.fields) for piece in pieces]


def altered(value: Any) -> Iterator[Any]:
    """The same value with an odd one in place of everything in it, one at a time."""
    yield from VALUES
    if isinstance(value, str) and value.startswith("{"):
        yield from (json.dumps(inner) for inner in altered(json.loads(value)))
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in list(places):
        for other in altered(inner):
            copy = value.copy()
            copy[place] = other
            yield copy


def assert_read(name: str, record: dict[str, Any]) -> None:
    reader = READERS[name]
    reader.fits(record)
    with suppress(Malformed):
        found = reader.document(record, PIECE)
        assert isinstance(found, Document)
        assert len(found.external_id or "") <= shape.MAX_IDENTIFIER_CHARACTERS


@pytest.mark.parametrize("name", READERS)
def test_any_value_under_any_key_is_read_or_refused(name: str) -> None:
    known, whole = sorted(named_keys()), records(name)
    for record in whole:
        for other in altered(record):
            if isinstance(other, dict):
                assert_read(name, other)
        for key in record:
            assert_read(name, {each: value for each, value in record.items() if each != key})
    for key in known:
        for value in VALUES:
            assert_read(name, whole[0] | {key: value})
    draw = random.Random(name)
    for _ in range(AT_ONCE):
        assert_read(name, draw.choice(whole) | {key: draw.choice(VALUES) for key in draw.sample(known, 3)})


ALONE: dict[str, tuple[list[dict[str, Any]], tuple[str, str]]] = {
    "options": (
        [
            *({"question": f"第{number}题，正确的是", "options": ["甲", "乙"], "answer": "A"} for number in (1, 2)),
            {"question": "三", "answer": "A"},
        ],
        ("wrong_type", "/options"),
    ),
    "choices as a text": (
        [
            *({"question": f"第{number}题，正确的是", "choices": ["甲", "乙"], "answer": "A"} for number in (1, 2)),
            {"question": "三", "choices": "甲乙", "answer": "A"},
        ],
        ("wrong_type", "/choices"),
    ),
    "blocks": (
        [
            {"lines": ["A", "text", 1, "B. x"]},
            *({"lines": ["A", f"第{number}题", "A. 甲", "B. 乙"]} for number in (1, 2)),
        ],
        ("wrong_type", "/lines/2"),
    ),
    "prompts": (
        [{"prompt": "写一首诗", "id_": "x" * 201}, {"prompt": "写一段话", "id_": 2}, {"prompt": "写一封信"}],
        ("field_too_long", "/id_"),
    ),
    "answer-rows": (
        [
            {"INSTRUCTION": f"问{digits}", "RESPONSE": "答", "METADATA": json.dumps({"answer_id": int("9" * digits)})}
            for digits in (250, 200, 20)
        ],
        ("field_too_long", "/METADATA/answer_id"),
    ),
}
"""Three records, of which one is refused, and why."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ALONE)
def test_a_record_that_cannot_be_read_is_refused_alone(name: str) -> None:
    given, why = ALONE[name]
    job = imported(b"\n".join(map(line, given)), source="logi-qa")
    assert job.state == "done", job.error
    assert (counts(job)["read"], counts(job)["new"]) == (3, 2)
    assert Reject.objects.values_list("code", "pointer").get() == why
