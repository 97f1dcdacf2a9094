"""The container of Parquet: one record a row. Such a file has no lines and no text of its own.

``line`` is the number of the row, from 1; ``offset`` and ``end`` count rows too; ``raw`` is the row written as JSON.

Few bytes can stand for many, and what reads them asks for memory as they say: that is done in a process of its own,
which may have so much and no more.
"""

import os
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import orjson

from ingest.ahead import Died, InProcess
from ingest.document import Refusal, Unreadable
from ingest.readers import encodings
from ingest.readers.compression import ALWAYS_ALLOWED_BYTES, MAX_RATIO, MAX_UNPACKED_BYTES
from ingest.readers.piece import Piece
from review.text.strict import MAX_LINE_BYTES, Malformed, printable

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
BATCH_ROWS = 256
MAX_ROW_GROUP_BYTES = 1 << 30
"""Unpacked. A row group is read in pieces, but a page of it must fit."""
BUFFER_BYTES = 1 << 20
MEMORY_BYTES = 96 << 20
"""What reading may take beside Arrow itself,"""
MEMORY_RATIO = 4
"""and so many times the size of the file: some writers make pages of 100 MB."""
WATCH_SECONDS = 0.002


def parquet_rows(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every row below number ``offset``; cells without a value count as missing. Raises ``Unreadable``."""
    del line, encoding  # the number of a row is its offset, and Parquet is UTF-8
    for together in (BATCH_ROWS, 1):
        with closing(InProcess(_rows(cast("BinaryIO", stream), offset, together))) as beside:
            try:
                for pieces in beside:
                    yield from pieces
                    offset = pieces[-1].end
            except Died:
                continue  # so many rows do not fit, perhaps one does
            return
    raise Unreadable("damaged", kind="Parquet")


def _rows(stream: BinaryIO, offset: int, together: int) -> Iterator[list[Piece | Refusal]]:
    """The rows below number ``offset``, so many at a time; for a process of its own, whose memory it limits."""
    import pyarrow as pa  # noqa: PLC0415 -- takes half a second and 60 MB, which no other container needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    size = stream.seek(0, os.SEEK_END)
    most = _held() + MEMORY_BYTES + MEMORY_RATIO * size
    Thread(target=_end_above, args=[most], daemon=True).start()
    try:
        file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=BUFFER_BYTES)
        _refuse_alike(file.schema_arrow.names)
        groups, number = _from_row(file, offset, packed=size)
        for batch in file.iter_batches(batch_size=together, row_groups=groups, use_threads=False):
            columns = list(zip(batch.schema.names, batch.columns, strict=True))
            places = range(max(offset - number, 0), batch.num_rows)
            if places:
                yield [_piece(number + place + 1, columns, place) for place in places]
            number += batch.num_rows
    except Unreadable:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError):
        raise Unreadable("damaged", kind="Parquet") from None


def _held() -> int:
    """The bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _end_above(most: int) -> None:
    """End this process as soon as it holds more; a limit of the system counts what is set aside and never used."""
    while _held() <= most:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _refuse_alike(names: list[str]) -> None:
    """Refuse columns of which a row would keep the last alone."""
    if alike := next((name for name, times in Counter(names).items() if times > 1), None):
        raise Unreadable("columns_alike", name=printable(alike))


def _from_row(file: Any, offset: int, *, packed: int) -> tuple[list[int], int]:  # noqa: ANN401 -- pyarrow has no types
    """The row groups that hold the rows below number ``offset``, and the number of rows before them.

    ``packed`` is the size of the file: to ask a damaged one for those of its columns ends the process.
    """
    meta = file.metadata
    sizes = [meta.row_group(group).total_byte_size for group in range(meta.num_row_groups)]
    allowed = min(max(ALWAYS_ALLOWED_BYTES, packed * MAX_RATIO), MAX_UNPACKED_BYTES)
    if sum(sizes) > allowed or max(sizes, default=0) > MAX_ROW_GROUP_BYTES:
        raise Unreadable("archive_too_large", kind="Parquet", bytes=allowed)
    before, first = 0, 0
    while first < len(sizes) and before + meta.row_group(first).num_rows <= offset:
        before += meta.row_group(first).num_rows
        first += 1
    return list(range(first, len(sizes))), before


def _piece(number: int, columns: "list[tuple[str, pa.Array]]", place: int) -> Piece | Refusal:
    row: dict[str, object] = {}
    fault: Malformed | None = None
    for name, column in columns:
        try:
            value = column[place].as_py()
            if value is not None:
                row[name] = value.decode() if isinstance(value, bytes) else value
        except (ValueError, ArithmeticError, LookupError) as error:
            fault = fault or _unwritable(error, f"/{printable(name)}")
    try:
        body = orjson.dumps(row, default=_written, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        fault, body = fault or _unwritable(error.__cause__), b""
    if len(body) > MAX_LINE_BYTES:
        fault = fault or Malformed("line_too_long", limit=MAX_LINE_BYTES)
    if fault:
        return Refusal.because(fault, line=number, offset=number - 1, end=number, raw=body)
    return Piece(number, number - 1, number, body, body)


def _written(value: object) -> str:
    """What JSON has no form for: bytes are text in Parquet that says no more of them."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _unwritable(error: BaseException | None, pointer: str = "") -> Malformed:
    if isinstance(error, UnicodeDecodeError):
        return Malformed("not_utf8", pointer, byte=error.start + 1)
    return Malformed("not_writable", pointer)
