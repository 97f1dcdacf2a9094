"""Parquet: the nine fields as columns, the lists nested."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exports.writers.form import Form, Sink, Writer

GROUP_ROWS = 4096
GROUP_BYTES = 16 * 1024 * 1024
INSIDE = {None: "snappy", "gzip": "gzip", "zstd": "zstd"}


def schema() -> Any:  # noqa: ANN401  pyarrow has no types
    """Return the columns; pyarrow is large, and loaded only where Parquet is asked for."""
    import pyarrow as pa  # noqa: PLC0415  see above

    words = pa.list_(pa.string())
    return pa.schema(
        [
            *((name, pa.string()) for name in ("instruction", "input", "output")),
            ("task_type", pa.struct([("major", words), ("minor", words)])),
            ("domain", words),
            *((name, pa.string()) for name in ("metadata", "answer_from")),
            ("human_verified", pa.bool_()),
            ("copyright", pa.string()),
        ]
    )


class _Sink(io.RawIOBase):
    """What pyarrow writes to: it asks where it stands."""

    def __init__(self, sink: Sink) -> None:
        self._give = sink
        self._bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  anything that gives its bytes
        """Hand over the bytes and return their number."""
        block = bytes(data)
        self._give(block)
        self._bytes += len(block)
        return len(block)

    def tell(self) -> int:
        return self._bytes


class _Table:
    """An open Parquet file; a group of rows ends where number or size of its lines say so."""

    def __init__(self, sink: Sink, compression: str | None) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415  see schema()

        self._schema = schema()
        self._writer = pq.ParquetWriter(_Sink(sink), self._schema, compression=INSIDE[compression])
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, lines: list[bytes]) -> None:
        """Append records."""
        for line in lines:
            self._waiting.append(line)
            self._size += len(line)
            if len(self._waiting) == GROUP_ROWS or self._size >= GROUP_BYTES:
                self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa  # noqa: PLC0415  see schema()

        rows = [json.loads(line) for line in self._waiting]
        self._writer.write_table(pa.Table.from_pylist(rows, self._schema), row_group_size=GROUP_ROWS)
        self._waiting, self._size = [], 0

    def close(self) -> None:
        """Write the last group and the end of the file."""
        if self._waiting:
            self._write_group()
        self._writer.close()


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a Parquet file, a group of rows at a time."""
    import pyarrow.parquet as pq  # noqa: PLC0415  see schema()

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=GROUP_ROWS):
            yield from batch.to_pylist()


def _begin(sink: Sink, compression: str | None) -> Form:
    return _Table(sink, compression)


WRITER = Writer("parquet", "data", ".parquet", _begin)
