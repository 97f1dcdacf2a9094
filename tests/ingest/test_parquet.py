"""Parquet: damage is refused and never ends the process; one bad row leaves its neighbours alone."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.document import Document, Refusal, Unreadable
from ingest.readers import READERS

PAIRS: dict[str, Any] = {"instruction": ["q", "b"], "output": ["a", None]}


def as_parquet(columns: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), file, **options)
    return file.getvalue()


def read(data: bytes) -> list[Document | Refusal]:
    return list(READERS["alpaca"].read(io.BytesIO(data), container="parquet"))


def told(found: list[Document | Refusal]) -> list[object]:
    """The instruction of every document, the code and pointer of every refusal."""
    return [each.instruction if isinstance(each, Document) else (each.code, each.pointer) for each in found]


def recognised_apart(file: Path) -> str:
    """What recognising says in a process of its own, which it may end."""
    program = (
        "import sys\nfrom ingest.document import Unreadable\nfrom ingest.readers import recognise\n"
        "try:\n    print(recognise(sys.argv[1]).format)\nexcept Unreadable as error:\n    print(error.code)"
    )
    run = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_damaged_footer_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    data = bytearray(as_parquet(PAIRS))
    data[151] = 102
    file = tmp_path / "a.parquet"
    file.write_bytes(data)
    assert recognised_apart(file) == "damaged"


def test_a_moment_that_no_calendar_has_leaves_its_neighbours_alone() -> None:
    moments = pa.array([1, 2**62, 3], pa.timestamp("us"))
    found = read(as_parquet({"instruction": ["一", "二", "三"], "output": ["a", "b", "c"], "t": moments}))
    assert told(found) == ["一", ("not_writable", "/t"), "三"]
    assert found[1].raw == '{"instruction":"二","output":"b"}'.encode()


def test_bytes_are_text_where_they_are_utf_8() -> None:
    binary = pa.array(["问题".encode(), b"\xff", b"q"], pa.binary())
    found = read(as_parquet({"instruction": binary, "output": pa.array([b"a"] * 3, pa.binary())}))
    assert told(found) == ["问题", ("not_utf8", "/instruction"), "q"]


def test_bytes_inside_a_list_are_text_or_refused() -> None:
    tags = pa.array([["标签".encode()], [b"\xff"]], pa.list_(pa.binary()))
    found = read(as_parquet({"instruction": ["一", "二"], "output": ["a", "b"], "tags": tags}))
    assert told(found) == ["一", ("not_utf8", "")]
    assert '"tags":["标签"]'.encode() in found[0].raw


def test_a_cell_that_is_not_utf_8_leaves_its_neighbours_alone() -> None:
    texts = pa.array([b"q1", b"\xe9\x97", b"q3"], pa.binary())
    spoiled = pa.StringArray.from_buffers(3, *texts.buffers()[1:])
    found = read(as_parquet({"instruction": spoiled, "output": ["a", "b", "c"]}))
    assert told(found) == ["q1", ("not_utf8", "/instruction"), "q3"]


def test_two_columns_of_one_name_are_refused() -> None:
    arrays = [pa.array([text]) for text in ("q", "a", "b")]
    with pytest.raises(Unreadable) as caught:
        read(as_parquet(pa.Table.from_arrays(arrays, names=["instruction", "output", "output"])))
    assert (caught.value.code, caught.value.parameters["name"]) == ("columns_alike", "output")
