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


def peak_apart(file: Path) -> tuple[str, int]:
    """The codes of what is read in a process of its own, and the most memory that it or one below it has held."""
    program = (
        "import sys\nfrom collections import Counter\nfrom resource import RUSAGE_CHILDREN, getrusage\n"
        "from ingest.document import Unreadable\n"
        "from ingest.readers import READERS, recognise\n"
        "try:\n"
        "    recognise(sys.argv[1])\n"
        "    found = READERS['alpaca'].read(open(sys.argv[1], 'rb'), container='parquet')\n"
        "    print(*Counter(getattr(each, 'code', 'taken') for each in found).items())\n"
        "except Unreadable as error:\n    print(error.code)\n"
        "own = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
        "print(max(int(own), getrusage(RUSAGE_CHILDREN).ru_maxrss))\n"
    )
    run = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)
    said, kilobytes = run.stdout.splitlines()
    return said, int(kilobytes) >> 10


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


LONG = pa.array(["字" * 2_000_000])


def repeated(times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), LONG)


@pytest.mark.parametrize(
    ("columns", "said", "options"),
    [
        pytest.param({"instruction": repeated(100)}, "('line_too_long', 100)", {}, id="one value in every row"),
        pytest.param(
            {"instruction": [f"{LONG[0]}{number}" for number in range(30)]},
            "('line_too_long', 30)",
            {"use_dictionary": False, "column_encoding": {"instruction": "DELTA_BYTE_ARRAY"}},
            id="one beginning in every row",
        ),
        pytest.param(
            {"instruction": ["q"], "tags": pa.ListArray.from_arrays(pa.array([0, 300], pa.int32()), repeated(300))},
            "damaged",
            {},
            id="one value all over a row",
        ),
    ],
)
def test_a_few_bytes_that_stand_for_many_cost_no_memory(
    columns: dict[str, Any], said: str, options: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "a.parquet"
    columns |= {"output": ["a"] * len(columns["instruction"])}
    file.write_bytes(as_parquet(columns, compression="zstd", store_schema=False, **options))
    assert file.stat().st_size < 1 << 14
    found, megabytes = peak_apart(file)
    assert (found, megabytes < 300) == (said, True), megabytes


def test_rows_that_do_not_fit_together_are_read_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), pa.array(["x" * 900_000]))
    number = [str(each) for each in range(400)]
    file.write_bytes(as_parquet({"instruction": number, "output": ["a"] * 400, "note": one}, store_schema=False))
    with file.open("rb") as stream:
        found = list(READERS["alpaca"].read(stream, container="parquet"))
    assert told(found) == number
    assert [each.line for each in found] == list(range(1, 401))
