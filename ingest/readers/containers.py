"""Every way in which a file can hold many records, by name."""

from collections.abc import Iterator
from typing import Protocol

from ingest.document import Refusal
from ingest.readers.array import elements
from ingest.readers.encodings import ByteSource
from ingest.readers.lines import lines
from ingest.readers.piece import Piece


class Container(Protocol):
    """Cuts a stream into records; can go on at the ``end`` and ``line`` of any of them."""

    def __call__(
        self, stream: ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
    ) -> Iterator[Piece | Refusal]: ...


CONTAINERS: dict[str, Container] = {"jsonl": lines, "array": elements}
