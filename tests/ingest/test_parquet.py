"""Parquet: damage is refused and never ends the process; one bad row leaves its neighbours alone."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PAIRS: dict[str, Any] = {"instruction": ["q", "b"], "output": ["a", None]}


def as_parquet(columns: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), file, **options)
    return file.getvalue()


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
