"""Readers: what becomes a document, what is refused and where, in lines and arrays, at any size, from any point on."""

import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Buffer, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import NO_METADATA, RAW_KEPT_BYTES, Document, Refusal, Unreadable
from ingest.readers import READERS, Reader, recognise
from ingest.readers.piece import Piece
from ingest.readers.shape import Record, made
from review.text.signature import duplicate_key
from review.text.strict import MAX_LINE_BYTES
from tests.ingest.faulty_lines import faulty_lines, good_lines, line, record

PAIR = b'{"instruction": "q%d", "output": "a"}'


def read(data: bytes, name: str = "cqia", **options: Any) -> list[Document | Refusal]:
    return list(READERS[name].read(io.BytesIO(data), **options))


def read_file(path: Path) -> list[Document | Refusal]:
    found = recognise(path)
    with path.open("rb") as stream:
        return list(READERS[found.format].read(stream, container=found.container, encoding=found.encoding))


def read_one(fields: dict[str, Any], name: str = "cqia") -> Document:
    (document,) = read(line(fields), name)
    assert isinstance(document, Document)
    return document


def refusal_of(fields: dict[str, Any], name: str = "cqia") -> tuple[str, str]:
    (refusal,) = read(line(fields), name)
    assert isinstance(refusal, Refusal)
    return refusal.code, refusal.pointer


def told(found: list[Document | Refusal]) -> list[str]:
    """The instruction of every document and the code of every refusal."""
    return [each.instruction if isinstance(each, Document) else each.code for each in found]


def assert_resumable(data: bytes, **options: Any) -> None:
    found = read(data, **options)
    for position, each in enumerate(found):
        assert read(data, offset=each.end, line=each.line, **options) == found[position + 1 :]


class Blocks(io.RawIOBase):
    """A stream of many blocks, of which it holds one at a time."""

    def __init__(self, *parts: bytes | Iterator[bytes]) -> None:
        self.blocks = chain.from_iterable([part] if isinstance(part, bytes) else part for part in parts)
        self.block = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        self.block = self.block or next(self.blocks, b"")
        taken, self.block = self.block[: len(view)], self.block[len(view) :]
        view[: len(taken)] = taken
        return len(taken)


def peak_memory(*parts: bytes | Iterator[bytes], container: str) -> tuple[list[str], int]:
    tracemalloc.start()
    try:
        stream = io.BufferedReader(Blocks(*parts))
        found = told(list(READERS["alpaca"].read(stream, container=container)))
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_published_record_becomes_a_document() -> None:
    raw = line(record(3))
    (document,) = read(raw + b"\n")
    assert document == Document(
        line=1,
        offset=0,
        end=len(raw) + 1,
        raw=raw,
        instruction="第3问：“星”字怎么写？".replace("星", "冬"),
        input="例词：冬冬\n请说明。",
        output="先写“冬”的上部，再写下部，共3步。",
        major=("问答",),
        minor=("知识问答", "第3类"),
        domain=("语文",),
        metadata='{"编号": 3}',
        answer_from="human",
        claimed_human_verified=True,
        claimed_copyright="测试用文，随意使用。",
    )


def test_eight_fields_and_fewer_are_taken_without_defaults() -> None:
    fields = record(1)
    del fields["metadata"]
    assert read_one(fields).metadata == NO_METADATA
    bare = read_one({"instruction": "问", "output": ""})
    assert (bare.input, bare.output, bare.answer_from, bare.metadata) == ("", "", None, NO_METADATA)
    assert (bare.major, bare.minor, bare.domain) == (None, None, None)
    assert (bare.external_id, bare.claimed_human_verified, bare.claimed_copyright) == (None, None, None)
    assert read_one(record(1) | {"metadata": " \n"}).metadata == NO_METADATA
    assert read_one(record(1) | {"task_type": {}}).major is None
    assert read_one(record(1) | {"task_type": {"major": []}, "domain": []}).major == ()


@pytest.mark.parametrize(
    ("written", "taken"), [("llm", "llm"), ("expert", "expert"), ("", ""), ("Human", ""), ("人", "")]
)
def test_unknown_author_of_the_answer_is_left_open(written: str, taken: str) -> None:
    assert read_one(record(1) | {"answer_from": written}).answer_from == taken


@pytest.mark.parametrize(
    ("fields", "identifier"),
    [
        ({"id": 7}, "7"),
        ({"id": 10**30}, "1" + "0" * 30),
        ({"id": 0}, "0"),
        ({"id": "a-1"}, "a-1"),
        ({"id": "", "external_id": None}, None),
        ({"id": 1, "external_id": "x"}, "x"),
    ],
)
def test_identifier_is_kept_as_text(fields: dict[str, Any], identifier: str | None) -> None:
    for name in ("cqia", "alpaca"):
        assert read_one(record(1) | fields, name).external_id == identifier


@pytest.mark.parametrize("identifier", [True, 1.5, ["a"], {}])
def test_identifier_of_another_type_is_refused(identifier: object) -> None:
    assert refusal_of(record(1) | {"id": identifier}) == ("wrong_type", "/id")


def test_unknown_keys_are_named_and_kept_in_the_raw_record() -> None:
    fields = record(1) | {"score": 9.5, "标签": ["x"], "\x1b[0m": 1}
    fields["task_type"]["third"] = []
    document = read_one(fields)
    assert document.unknown_keys == ("score", "标签", r"\x1b[0m", "task_type/third")
    assert document.raw == line(fields)
    assert len(read_one(record(1) | {f"k{number}": 0 for number in range(1000)}).unknown_keys) == 50
    assert read_one({"instruction": "问", "output": "", "domain": []}, "alpaca").unknown_keys == ("domain",)


def test_history_beside_nine_fields_is_refused_and_never_cut() -> None:
    pair = {"instruction": "问", "input": "", "output": "答"}
    assert refusal_of(pair | {"history": [["旧问", "旧答"]]}) == ("multi_turn", "/history")
    no_turns: list[object] = [[], None, ""]
    for empty in no_turns:
        assert read_one(pair | {"history": empty}).unknown_keys == ()
        assert read_one(pair | {"history": empty}, "alpaca") == read_one(pair | {"history": empty})


def test_refusals_point_at_the_value() -> None:
    assert refusal_of(record(1) | {"task_type": {"major": ["a", 1]}}) == ("wrong_type", "/task_type/major/1")
    assert refusal_of({"output": "答"}, "alpaca") == ("missing", "/instruction")
    assert refusal_of({"instruction": "\u3000", "output": "答"}, "alpaca") == ("empty", "/instruction")
    assert refusal_of({"instruction": "问", "input": None, "output": "答"}, "alpaca") == ("wrong_type", "/input")


def test_only_line_feeds_end_lines() -> None:
    data = '{"instruction": "甲\u2028\u0085\u000b", "output": ""}'.replace("\u000b", "\\u000b").encode()
    found = read(data + b"\r\n\r\n \t\n" + PAIR % 2 + b"\r \n" + PAIR % 3, "alpaca")
    assert [each.line for each in found] == [1, 4, 5]
    assert told(found) == ["甲\u2028\u0085\x0b", "q2", "q3"]
    assert found[0].raw == data
    assert (found[1].offset, found[1].end) == (len(data) + 7, len(data) + 7 + len(PAIR) - 1 + 3)
    assert found[2].end == len(data) + 7 + 2 * (len(PAIR) - 1) + 3


def test_one_byte_order_mark_is_passed_over_and_a_second_refused() -> None:
    mark, good = b"\xef\xbb\xbf", PAIR % 1
    assert [(each.offset, each.raw) for each in read(mark + good)] == [(3, good)]
    assert told(read(mark + mark + good + b"\n" + good)) == ["byte_order_mark", "q1"]
    assert told(read(good + b"\n" + mark + good)) == ["q1", "byte_order_mark"]
    assert told(read(mark + b"[" + good + b"]", container="array")) == ["q1"]


@pytest.mark.parametrize("container", ["jsonl", "array"])
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \n\r\n"])
def test_nothing_holds_no_records(container: str, data: bytes) -> None:
    assert read(data, container=container) == []


def test_faulty_lines_leave_their_neighbours_alone() -> None:
    faulty = faulty_lines()
    assert len(faulty) >= 1000
    good = good_lines(len(faulty))
    mixed = [each for pair in zip(good, (wrong for wrong, _ in faulty), strict=True) for each in pair]
    found = read(b"\n".join(mixed) + b"\n")
    assert [each.line for each in found] == list(range(1, 2 * len(faulty) + 1))
    assert [each.raw for each in found[::2]] == good
    assert all(isinstance(each, Document) for each in found[::2])
    refused = [each for each in found[1::2] if isinstance(each, Refusal)]
    assert [each.code for each in refused] == [code for _, code in faulty]
    assert len({each.code for each in refused}) >= 20
    for each, (wrong, _) in zip(refused, faulty, strict=True):
        assert each.cut == (len(wrong) > MAX_LINE_BYTES)
        assert each.raw == (wrong[:RAW_KEPT_BYTES] if each.cut else wrong)
        assert each.end - each.offset == len(wrong) + 1
        assert each.message("en") != each.message("zh-hans")


def test_faulty_elements_leave_their_neighbours_alone() -> None:
    """In an array, those that end where their brackets say; and the codes stay the same."""
    whole = ("nul", "lone_surrogate", "not_finite", "duplicate_key", "wrong_type", "missing", "empty", "multi_turn")
    faulty = [(wrong, code) for wrong, code in faulty_lines() if code in whole]
    good = good_lines(len(faulty))
    mixed = [each for pair in zip(good, (wrong for wrong, _ in faulty), strict=True) for each in pair]
    found = read(b"[" + b",".join(mixed) + b"]", container="array")
    assert [each.raw for each in found[::2]] == good
    assert told(found[1::2]) == [code for _, code in faulty]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_reading_resumes_after_any_line(end: bytes) -> None:
    wrong = [b"", b"{", b" ", b'{"instruction": ""}', b"x" * 1_100_000, b"\xff"]
    mixed = [each for pair in zip(good_lines(6), wrong, strict=True) for each in pair]
    assert_resumable(b"\xef\xbb\xbf" + (end or b"\n").join(mixed) + end)


@given(
    st.lists(st.sampled_from([b"\n", b"\r", b" ", b"{", b"}", PAIR % 1, PAIR % 2 + b"\n", b"\xff", b'"']), max_size=30)
)
def test_every_byte_of_a_file_of_lines_is_accounted_for(parts: list[bytes]) -> None:
    data = b"".join(parts)
    found = read(data, "alpaca")
    for each in found:
        assert data[each.offset : each.end].startswith(each.raw)
        assert data[each.offset + len(each.raw) : each.end] in {b"", b"\r", b"\n", b"\r\n"}
        assert data[: each.offset].count(b"\n") == each.line - 1
    ends = [0, *(each.end for each in found)]
    starts = [*(each.offset for each in found), len(data)]
    assert not b"".join(data[end:start] for end, start in zip(ends, starts, strict=True)).strip()
    assert_resumable(data)


def test_fifty_megabytes_on_one_line_cost_no_memory() -> None:
    long_line = chain([b'{"instruction": "'], repeat(b"x" * (1 << 16), 800), [b'"}\n'])
    found, peak = peak_memory(PAIR % 1, b"\n", long_line, PAIR % 2, container="jsonl")
    assert found == ["q1", "line_too_long", "q2"]
    assert peak < 8 << 20


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_lines_behind_one_that_is_too_long_are_told_apart(end: bytes) -> None:
    data = b"x" * (MAX_LINE_BYTES + 9) + b"\n" + b"\n".join(good_lines(3)) + end
    assert [each.line for each in read(data)] == [1, 2, 3, 4]
    assert told(read(data))[0] == "line_too_long"
    assert_resumable(data)


def test_a_hundred_megabytes_without_a_line_feed_cost_no_memory() -> None:
    found, peak = peak_memory(repeat(b"x" * (1 << 16), 1600), container="jsonl")
    assert found == ["line_too_long"]
    assert peak < 8 << 20


@pytest.mark.parametrize("filling", [b"x", b"\\n", b'", "', b"]}{[", b" "])
def test_fifty_megabytes_in_one_element_cost_no_memory(filling: bytes) -> None:
    text = repeat(filling * ((1 << 15) // len(filling)), 1600)
    element = chain([b'{"instruction": "'], text, [b'"}'])
    found, peak = peak_memory(b"[", PAIR % 1, b",", element, b",", PAIR % 2, b"]", container="array")
    assert found == ["q1", "line_too_long", "q2"]
    assert peak < 32 << 20


def test_lines_in_a_declared_encoding_keep_their_places() -> None:
    for encoding in ("gb18030", "gbk", "big5"):
        texts = [json.dumps({"instruction": text, "output": ""}, ensure_ascii=False) for text in ("中文", "日月")]
        first, second = (text.encode(encoding) for text in texts)
        found = read(first + b"\r\n" + second + b"\n", encoding=encoding)
        assert [(each.raw, each.offset) for each in found] == [(first, 0), (second, len(first) + 2)]
        assert told(found) == ["中文", "日月"]
        wrong = read(first + b"\n\xff\n" + second, encoding=encoding)
        assert told(wrong) == ["中文", "undecodable", "日月"]
        assert_resumable(first + b"\n\xff\n" + second, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_encodings_are_split_between_characters(encoding: str) -> None:
    """U+0A05 before U+4E00 holds the bytes of a line feed across two characters."""
    texts = ["ਅ一一ਅ", "一" * 300_000, "𠀀\u2028"]
    data = "\r\n".join(json.dumps({"instruction": text, "output": ""}, ensure_ascii=False) for text in texts)
    found = read((data + "\r\n").encode(encoding), "alpaca", encoding=encoding)
    assert told(found) == [texts[0], "field_too_long" if "16" in encoding else "line_too_long", texts[2]]
    assert [each.line for each in found] == [1, 2, 3]
    assert found[-1].end == len((data + "\r\n").encode(encoding))
    assert_resumable((data + "\r\n").encode(encoding), encoding=encoding)


@pytest.mark.parametrize("size", [65_537, 200_003])
def test_wide_line_above_the_limit_is_skipped_whatever_the_blocks(size: int) -> None:
    long_line = json.dumps({"instruction": "ਅ一" * 400_000, "output": ""}, ensure_ascii=False)
    data = f"{long_line}\n{PAIR.decode() % 1}\n{long_line}\n{PAIR.decode() % 2}\n{long_line}".encode("utf-16-be")
    in_blocks = Blocks(data[start : start + size] for start in range(0, len(data), size))
    found = list(READERS["alpaca"].read(cast("BinaryIO", in_blocks), encoding="utf-16-be"))
    assert told(found) == ["line_too_long", "q1", "line_too_long", "q2", "line_too_long"]
    assert found == read(data, "alpaca", encoding="utf-16-be")
    assert [each.offset for each in found] == [0, *(each.end for each in found[:-1])]
    assert found[-1].end == len(data)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_array_in_a_declared_encoding_is_transcribed(encoding: str) -> None:
    text = json.dumps([{"instruction": text, "output": "珅"} for text in ("中文", "𠀀", "末")], ensure_ascii=False)
    found = read(text.encode(encoding), encoding=encoding, container="array")
    assert told(found) == ["中文", "𠀀", "末"]
    mark = "\ufeff" if encoding == "utf-16" else ""
    assert (mark + text).encode()[found[1].offset : found[1].end] == found[1].raw
    assert_resumable(text.encode(encoding), encoding=encoding, container="array")
    damaged = text.encode("gb18030").replace("末".encode("gb18030"), b"\xff\xff")
    assert told(read(damaged, encoding="gb18030", container="array")) == ["中文", "𠀀", "undecodable"]


def test_all_published_records_are_documents(shared_data: Path) -> None:
    found = [each for path in sorted((shared_data / "finished").glob("*.jsonl")) for each in read_file(path)]
    assert Counter(type(each) for each in found) == {Document: 8757}
    assert not any(each.unknown_keys for each in found if isinstance(each, Document))


def test_real_arrays_are_documents(shared_data: Path) -> None:
    counts = {"reviewed/ruozhiba_before.json": 1496, "reviewed/ruozhiba_after.json": 1475, "raw/alpaca_zh.json": 1000}
    for name, count in counts.items():
        data = (shared_data / name).read_bytes()
        found = read_file(shared_data / name)
        assert Counter(type(each) for each in found) == {Document: count}
        assert [each.line for each in found] == list(range(1, count + 1))
        assert [json.loads(each.raw) for each in found] == json.loads(data)
        assert all(data[each.offset : each.end] == each.raw for each in found)


def test_duplicate_keys_of_the_law_exam(shared_data: Path) -> None:
    documents = [each for each in read_file(shared_data / "finished/law_gee.jsonl") if isinstance(each, Document)]
    keys = {duplicate_key(each.instruction, each.input, each.output) for each in documents}
    assert (len(documents), len(keys)) == (2515, 2505)


def test_real_file_resumes_from_every_record(shared_data: Path) -> None:
    data = (shared_data / "finished/ruozhiba.jsonl").read_bytes()
    assert_resumable(data)


def test_unsupported_encoding_is_refused() -> None:
    with pytest.raises(Unreadable, match="unknown_encoding"):
        read(b"{}", encoding="rot13")


def test_a_failure_of_a_reader_is_that_records_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fail_at_two(record: Record, piece: Piece) -> Document:
        return made(piece, "问", "答" * (3 // (cast("int", record["n"]) - 2)))

    reader = Reader("failing", lambda _record: True, fail_at_two)
    found = list(reader.read(io.BytesIO(b'{"n": 1}\n{"n": 2}\n{"n": 3}\n')))
    assert [type(each) for each in found] == [Document, Refusal, Document]
    refused = found[1]
    assert isinstance(refused, Refusal)
    assert (refused.line, refused.code, refused.raw) == (2, "unforeseen", b'{"n": 2}')
    assert "ZeroDivisionError" in refused.message("en")
    assert "Format failing, line 2" in caplog.text
