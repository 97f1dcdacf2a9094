"""The containers of delimited text: one record a row, its cells named by the first row; quoted cells hold line feeds.

A row that cannot be read, because a quote is missing or cells are, costs its first line alone: reading goes on with
the line after it.
"""

import csv
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ingest.document import Refusal, Unreadable
from ingest.readers import compression, encodings
from ingest.readers.lines import BLOCK_BYTES, physical_lines, start
from ingest.readers.piece import Piece
from review.text.strict import MAX_LINE_BYTES, Malformed, printable

DELIMITERS = {"csv": ",", "tsv": "\t", "semicolons": ";"}
"""By the name of the container."""
MAX_COLUMNS = 500
MAX_ROW_BYTES = 8 * MAX_LINE_BYTES
"""So far the closing quote of a row that is too long is looked for, to refuse it as one."""
MAX_TRIED_LINES = 1000
"""A row of more lines that has a wrong number of cells is tried from its first line alone."""

csv.field_size_limit(2 * MAX_ROW_BYTES)


class _Line(NamedTuple):
    """A line of the file: as it stood, its end included in the text alone, and what is wrong with it."""

    raw: bytes
    text: str
    number: int
    offset: int
    end: int
    fault: Malformed | None


def rows(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8", delimiter: str = ","
) -> Iterator[Piece | Refusal]:
    """Every row below the first; a row of several lines bears the number of its last one, as an editor shows it.

    Reading goes on after a row when its ``end`` and ``line`` are given; the first row is then read again for the names
    of the columns. Raises ``Unreadable`` when two columns have the same name, or the first row cannot be read.
    """
    encoding = encodings.resolved(stream, encoding)
    heading = _Lines(stream, encoding)
    names = _names(heading, delimiter)
    lines = _Lines(stream, encoding, offset, line, heading.newline) if offset else heading
    yield from _pieces(lines, names, delimiter)


def column_names(stream: encodings.ByteSource, container: str, encoding: str) -> list[str]:
    """The names of the columns of delimited text, packed or not; none for a file of another kind."""
    name, _, packing = container.partition(".")
    if name not in DELIMITERS:
        return []
    if packing:
        stream = compression.unpacked(stream, packing)
    return _names(_Lines(stream, encodings.resolved(stream, encoding)), DELIMITERS[name])


def first_rows(text: bytes, delimiter: str, count: int) -> list[list[str]]:
    """The cells of the first rows of ``text`` in UTF-8 that are not blank, as far as they can be read."""
    lines = (f"{line}\n" for line in text.decode(errors="replace").split(_line_end(text, "utf-8")))
    found: list[list[str]] = []
    try:
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            if cells:
                found.append(cells)
            if len(found) == count:
                break
    except csv.Error:
        pass
    return found


CONTAINERS = {name: partial(rows, delimiter=delimiter) for name, delimiter in DELIMITERS.items()}


class _Lines:
    """The lines that ``csv`` asks for; those given for the row that is being read can be taken back."""

    def __init__(
        self, stream: encodings.ByteSource, encoding: str, offset: int = 0, line: int = 0, newline: bytes = b""
    ) -> None:
        self.encoding = encoding
        head, self._offset = start(stream, encoding, offset)
        if not newline:
            head += _beginning(stream)
        self.newline = newline or _line_end(head, encoding).encode(encoding)
        self._coming = physical_lines(stream, self.newline, head)
        self._number = line
        self._waiting: deque[_Line] = deque()
        self.given: list[_Line] = []
        self._held = 0
        self._hopeless = 0

    def begin_row(self) -> None:
        self.given, self._held = [], 0

    def take_back(self, lines: list[_Line]) -> None:
        self._waiting.extendleft(reversed(lines))

    def give_up(self) -> None:
        """Follow no other row into these lines: an open quote there leads to where the one that was read has led."""
        self._hopeless = max(self._hopeless, self.given[-1].number)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._held > MAX_ROW_BYTES:
            raise StopIteration
        if self.given and self._waiting and self._waiting[0].number <= self._hopeless:
            raise StopIteration
        line = self._waiting.popleft() if self._waiting else self._read()
        self.given.append(line)
        self._held += len(line.raw)
        return line.text

    def _read(self) -> _Line:
        content, length = next(self._coming)
        begin, self._offset = self._offset, self._offset + length
        self._number += 1
        text, fault = "", None
        if len(content) > MAX_LINE_BYTES:
            fault = Malformed("line_too_long", limit=MAX_LINE_BYTES)
        else:
            try:
                text = encodings.text(content, self.encoding)
            except Malformed as found:
                text, fault = content.decode(self.encoding, "replace"), found
            else:
                fault = Malformed("nul") if "\x00" in text else None
        raw = content.removesuffix("\r".encode(self.encoding))
        return _Line(raw, f"{text.removesuffix('\r')}\n", self._number, begin, self._offset, fault)


def _beginning(stream: encodings.ByteSource) -> bytes:
    """As much of a stream as tells how its lines end."""
    found = bytearray()
    while len(found) < BLOCK_BYTES and (block := stream.read(BLOCK_BYTES - len(found))):
        found += block
    return bytes(found)


def _line_end(beginning: bytes, encoding: str) -> str:
    """What ends the lines: a carriage return only where there is no line feed at all, as in old tables."""
    text = beginning[:BLOCK_BYTES].decode(encoding, "replace")
    return "\r" if "\r" in text and "\n" not in text else "\n"


def _names(lines: _Lines, delimiter: str) -> list[str]:
    """The names of the columns, from the first row that is not blank."""
    for cells in _cells(lines, delimiter):
        if any("\x00" in cell for cell in cells or ()):
            raise Unreadable("nul_in_names", line=lines.given[0].number)
        if cells is None or lines.given[-1].fault:
            raise Unreadable("no_column_names", line=lines.given[0].number)
        names = [name.strip() or str(place) for place, name in enumerate(cells, start=1)]
        name, times = Counter(names).most_common(1)[0]
        if times > 1:
            raise Unreadable("columns_alike", name=printable(name))
        return names[:MAX_COLUMNS]
    return []


def _cells(lines: _Lines, delimiter: str) -> Iterator[list[str] | None]:
    """The cells of one row after another, None where they cannot be told apart; blank lines are passed over."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        try:
            cells = next(reader)
        except csv.Error:
            yield None
        except StopIteration:
            return
        else:
            if cells or lines.given[0].fault:
                yield cells


def _pieces(lines: _Lines, names: list[str], delimiter: str) -> Iterator[Piece | Refusal]:
    for cells in _cells(lines, delimiter):
        given = lines.given
        fault = next((line.fault for line in given if line.fault), None)
        if cells is None or len(cells) != len(names):
            fault = given[0].fault or _fault(cells, names)
            if cells is None or len(given) > MAX_TRIED_LINES:
                lines.give_up()
            lines.take_back(given[1:])
            given = given[:1]
        elif not fault and sum(len(line.raw) for line in given) > MAX_LINE_BYTES:
            fault = Malformed("line_too_long", limit=MAX_LINE_BYTES)
        first, last = given[0], given[-1]
        raw = first.raw if first is last else lines.newline.join(line.raw for line in given)
        if fault:
            yield Refusal.because(fault, line=last.number, offset=first.offset, end=last.end, raw=raw)
        else:
            yield Piece(last.number, first.offset, last.end, raw, b"", dict(zip(names, cells or (), strict=True)))


def _fault(cells: list[str] | None, names: list[str]) -> Malformed:
    if cells is None:
        return Malformed("bad_row")
    return Malformed("wrong_columns", found=len(cells), expected=len(names))
