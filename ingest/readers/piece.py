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
