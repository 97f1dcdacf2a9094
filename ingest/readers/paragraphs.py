"""The container of text in blocks: one record a group of lines between blank ones."""

from collections.abc import Iterator

from ingest.document import Refusal
from ingest.readers import encodings
from ingest.readers.lines import physical_lines, start
from ingest.readers.piece import Piece
from review.text.strict import MAX_LINE_BYTES, Malformed


def blocks(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every block, its lines as a list under ``lines``; it bears the number of its last line, as an editor shows it.

    Reading goes on after a block when its ``end`` and ``line`` are given.
    """
    encoding = encodings.resolved(stream, encoding)
    head, begin = start(stream, encoding, offset)
    block = _Block(encoding)
    for content, length in physical_lines(stream, "\n".encode(encoding), head):
        line += 1
        if not block.takes(content, line, begin, begin + length) and block.lines:
            yield block.closed()
            block = _Block(encoding)
        begin += length
    if block.lines:
        yield block.closed()


class _Block:
    """The lines of one record so far; beyond the limit only their number is kept."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.lines: list[str] = []
        self._raw: list[bytes] = []
        self._size = 0
        self._fault: Malformed | None = None

    def takes(self, content: bytes, line: int, begin: int, end: int) -> bool:
        """Take in a line; False when it is blank and so ends the block."""
        try:
            text = encodings.text(content, self.encoding)
        except Malformed as fault:
            self._fault, text = self._fault or fault, "\ufffd"
        if not text.strip():
            return False
        if not self.lines:
            self._offset = begin
        self._size += len(content)
        self._line, self._end = line, end
        if self._size > MAX_LINE_BYTES:
            self._fault = Malformed("line_too_long", limit=MAX_LINE_BYTES)
        if not self._fault or not self.lines:
            self.lines.append(text.removesuffix("\r"))
            self._raw.append(content.removesuffix("\r".encode(self.encoding)))
        return True

    def closed(self) -> Piece | Refusal:
        raw = "\n".encode(self.encoding).join(self._raw)
        if self._fault:
            return Refusal.because(self._fault, line=self._line, offset=self._offset, end=self._end, raw=raw)
        return Piece(self._line, self._offset, self._end, raw, b"", {"lines": self.lines})
