"""Every way in which a file can hold many records, by name; packed files by the name with an ending, as `jsonl.gz`."""

from collections.abc import Iterator
from typing import Protocol

from ingest.document import Refusal
from ingest.readers import compression, rows
from ingest.readers.array import elements, members
from ingest.readers.encodings import ByteSource
from ingest.readers.lines import lines
from ingest.readers.paragraphs import blocks
from ingest.readers.parquet import parquet_rows
from ingest.readers.piece import Piece
from ingest.readers.returned import returned


class Container(Protocol):
    """Cuts a stream into records; can go on at the ``end`` and ``line`` of any of them."""

    def __call__(
        self, stream: ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
    ) -> Iterator[Piece | Refusal]: ...


CONTAINERS: dict[str, Container] = {
    "jsonl": lines,
    "array": elements,
    "object": members,
    **rows.CONTAINERS,
    "blocks": blocks,
    "parquet": parquet_rows,
    "rejects": returned,
}


def cut(
    stream: ByteSource, *, container: str, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every record of a stream, packed or not; offsets in a packed one are bytes of what is inside."""
    name, _, packing = container.partition(".")
    if packing:
        stream = compression.unpacked(stream, packing)
    return CONTAINERS[name](stream, offset=offset, line=line, encoding=encoding)
