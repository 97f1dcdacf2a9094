"""What a container cuts out of a file: one record, not yet parsed."""

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
