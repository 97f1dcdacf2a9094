"""Portions: what one chunk takes of a file, read and made ready; touches no database."""

import hashlib
import math
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from ingest import parts
from ingest.document import Dropped, Refusal, Unreadable
from ingest.models import Part
from ingest.parts import File
from ingest.readers import READERS
from ingest.stages import Stages, Tally
from review.entries import Entry, Prepared, prepared

if TYPE_CHECKING:
    from ingest.document import Document

CHUNK_BYTES = 8 << 20
PIECE_RECORDS = 100
"""Records that come from a process of their own at once: of so few, what was made is still in the processor's cache."""
MAX_UNKNOWN_KEYS = 100
"""Different unknown keys that are named for a chunk."""


@dataclass(slots=True)
class Portion:
    """What one chunk takes: some records of one file, ready for the database."""

    file: int
    first_offset: int
    first_line: int
    end: int = 0
    last_line: int = 0
    prepared: list[Prepared] = field(default_factory=list)
    """The candidates, for those who show them; where they only enter, their entries are enough."""
    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    unknown_keys: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=dict)
    size: int = 0
    hashes: bytearray = field(default_factory=bytearray)
    """Of what stood in the file for each record, one after the other."""

    @property
    def read(self) -> int:
        """How many records it holds, those that are refused or dropped included."""
        return len(self.entries) + len(self.refusals) + self.dropped.total()

    def is_full(self, records: int) -> bool:
        """Tell whether it holds so many records, or as many bytes as a chunk should have."""
        return self.read >= records or self.size >= CHUNK_BYTES

    def add(self, following: Self) -> None:
        """Take in what follows in the same file."""
        self.end, self.last_line = following.end, following.last_line
        self.prepared += following.prepared
        self.entries += following.entries
        self.refusals += following.refusals
        self.dropped += following.dropped
        self.unknown_keys += following.unknown_keys
        for stage, counts in following.tally.items():
            self.tally.setdefault(stage, Counter()).update(counts)
        self.size += following.size
        self.hashes += following.hashes

    @property
    def named_keys(self) -> dict[str, int]:
        """The first of the keys that the format does not know, each with how often it stands there."""
        return dict(islice(self.unknown_keys.items(), MAX_UNKNOWN_KEYS))


def portions(
    files: Iterable[File], *, stages: Stages, offset: int = 0, line: int = 0, most: int | None = None
) -> Generator[Portion]:
    """Read files, the first from `offset` after `line`; no portion holds records of two. Touches no database.

    A portion holds `most` records, else as many as a chunk should have.
    """
    for file in files:
        with file.path.open("rb") as stream:
            found = _UntilBroken(
                READERS[file.format].read(
                    stream,
                    container=file.container,
                    offset=offset,
                    line=line,
                    encoding=file.encoding,
                    change=stages.change(file.container),
                )
            )
            records = stages.through(found)
            while portion := _portion(records, file.number, stages, most or stages.chunk_records):
                yield portion
            if found.trouble:
                raise found.trouble
        offset = line = 0


def put_together(pieces: Iterable[Portion], *, records: int) -> Iterator[Portion]:
    """Make portions of so many records out of small ones, as they follow one another in the files."""
    whole: Portion | None = None
    try:
        for piece in pieces:
            if whole and whole.file != piece.file:
                yield whole
                whole = None
            if whole:
                whole.add(piece)
            else:
                whole = piece
            if whole.is_full(records):
                yield whole
                whole = None
    except Exception:  # what came before the break is taken in
        if whole:
            yield whole
        raise
    if whole:
        yield whole


def portion_of(part: Part, files: Sequence[File], stages: Stages) -> Portion:
    """Read a part; it may hold no record."""
    file = next(file for file in files if file.number == part.file)
    portion = Portion(part.file, part.first_offset, part.lines_before + 1)
    with file.path.open("rb") as stream:
        records = READERS[file.format].read(
            cast("BinaryIO", parts.Excerpt(stream, part.end_offset)),
            container=file.container,
            offset=part.first_offset,
            line=part.lines_before,
            encoding=file.encoding,
            change=stages.change(file.container),
        )
        _fill(portion, stages.through(records), stages)
    portion.end, portion.last_line = part.end_offset, part.last_line
    return portion


class _UntilBroken:
    """The records of a file to the place from which it cannot be read, so that those before it are taken in."""

    def __init__(self, records: "Iterator[Document | Refusal]") -> None:
        self._records = records
        self.trouble: Unreadable | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> "Document | Refusal":
        try:
            return next(self._records)
        except Unreadable as error:
            self.trouble = error
            raise StopIteration from None


def _portion(records: "Iterator[Document | Refusal | Dropped]", file: int, stages: Stages, most: int) -> Portion | None:
    """Read the next portion of a file, None at its end."""
    first = next(records, None)
    if first is None:
        return None
    portion = Portion(file, first.offset, first.line)
    _fill(portion, chain([first], records), stages, most=most)
    return portion


def _fill(
    portion: Portion, records: "Iterable[Document | Refusal | Dropped]", stages: Stages, *, most: float = math.inf
) -> None:
    """Add records to a portion, at most so many, and not many more bytes than a chunk should have."""
    for read, record in enumerate(records, start=1):
        portion.hashes += _add(portion, record, stages)
        if read >= most or portion.size >= CHUNK_BYTES:
            break
    portion.tally = stages.counted()


def _add(portion: Portion, record: "Document | Refusal | Dropped", stages: Stages) -> bytes:
    """Add a record, and return the hash of what stood in the file."""
    portion.end, portion.last_line = record.end, record.line
    portion.size += len(record.raw)
    if isinstance(record, Refusal):
        portion.refusals.append(record)
        return hashlib.sha256(record.raw).digest()
    if isinstance(record, Dropped):
        portion.dropped[record.reason] += 1
        return hashlib.sha256(record.raw).digest()
    candidate = prepared(record, source=stages.source)
    portion.prepared.append(candidate)
    portion.entries.append(candidate.entry)
    if record.unknown_keys:
        portion.unknown_keys.update(record.unknown_keys)
    return candidate.entry.raw_hash
