"""The container of Parquet: one record a row. Such a file has no lines and no text of its own.

``line`` is the number of the row, from 1; ``offset`` and ``end`` count rows too; ``raw`` is the row written as JSON.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import orjson

from ingest.document import Refusal, Unreadable
from ingest.readers import encodings
from ingest.readers.compression import ALWAYS_ALLOWED_BYTES, MAX_RATIO, MAX_UNPACKED_BYTES
from ingest.readers.piece import Piece
from review.text.strict import Malformed, printable

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
BATCH_ROWS = 256
MAX_ROW_GROUP_BYTES = 1 << 30
"""Unpacked. A row group is read in pieces, but a page of it must fit."""


def parquet_rows(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every row below number ``offset``; cells without a value count as missing. Raises ``Unreadable``."""
    del line, encoding  # the number of a row is its offset, and Parquet is UTF-8
    import pyarrow as pa  # noqa: PLC0415 -- takes half a second and 60 MB, which no other container needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        source = cast("BinaryIO", stream)
        file = pq.ParquetFile(source, pre_buffer=False)
        _refuse_alike(file.schema_arrow.names)
        groups, number = _from_row(file, offset, packed=source.seek(0, os.SEEK_END))
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=groups, use_threads=False):
            columns = list(zip(batch.schema.names, batch.columns, strict=True))
            for place in range(batch.num_rows):
                number += 1
                if number > offset:
                    yield _piece(number, columns, place)
    except Unreadable:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError):
        raise Unreadable("damaged", kind="Parquet") from None


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
