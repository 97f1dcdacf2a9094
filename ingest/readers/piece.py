"""What a container cuts out of a file: one record, not yet parsed unless the container had to."""

from collections.abc import Mapping
from typing import NamedTuple


class Piece(NamedTuple):
    """One record's bytes and their place in the file; positions as in :class:`ingest.document.Document`."""

    line: int
    offset: int
    end: int
    raw: bytes
    """As it stood in the file."""
    body: bytes
    """The same in UTF-8."""
    fields: Mapping[str, object] | None = None
    """The record itself, where it is not JSON: the cells of a row by the names of their columns, or ``lines``."""
    returned: "Returned | None" = None
    """The line of a rejects file in which the record came back."""

    @property
    def kept(self) -> bytes:
        """What is kept of it when it is refused: with what is said beside it, where it came back."""
        return self.returned.line if self.returned else self.raw


class Returned(NamedTuple):
    """A line of a rejects file: its bytes, and what it says."""

    line: bytes
    entry: Mapping[str, object]
