"""The container of JSONL: one record a line, and nothing but a line feed ends a line."""

from collections.abc import Iterator
from functools import partial
from itertools import chain

from ingest.document import Refusal
from ingest.readers import encodings
from ingest.readers.piece import Piece
from review.text.strict import MAX_LINE_BYTES, Malformed

BLOCK_BYTES = 1 << 18


def lines(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every line of ``stream`` that is not blank, numbered as an editor does; positions are bytes of the file.

    A byte order mark at the start is passed over, a carriage return before the line feed belongs to the line's end.
    A line above ``MAX_LINE_BYTES`` is refused and skipped without being held in memory. Reading goes on at a record's
    ``end`` and ``line`` when these are given, and then the stream must be seekable.
    """
    encoding = encodings.resolved(stream, encoding)
    carriage_return, is_utf8 = "\r".encode(encoding), encoding == "utf-8"
    head, begin = start(stream, encoding, offset)
    for content, length in physical_lines(stream, "\n".encode(encoding), head):
        line += 1
        end = begin + length
        raw = content.removesuffix(carriage_return)
        try:
            if len(raw) > MAX_LINE_BYTES:
                raise Malformed("line_too_long", limit=MAX_LINE_BYTES)  # noqa: TRY301 -- one place makes the refusal
            body = raw if is_utf8 else encodings.decoded(raw, encoding)
        except Malformed as fault:
            yield Refusal.because(fault, line=line, offset=begin, end=end, raw=raw)
        else:
            if body and not body.isspace():
                yield Piece(line, begin, end, raw, body)
        begin = end


def start(stream: encodings.ByteSource, encoding: str, offset: int) -> tuple[bytes, int]:
    """Bytes read ahead, and the offset at which the first line begins: after a byte order mark."""
    if offset:
        stream.seek(offset)
        return b"", offset
    mark = encodings.byte_order_mark(encoding)
    head = stream.read(len(mark))
    return (b"", len(mark)) if head == mark else (head, 0)


def physical_lines(stream: encodings.ByteSource, newline: bytes, head: bytes) -> Iterator[tuple[bytes, int]]:
    """Each line without its end, and its length with it; of a line beyond the limit only the beginning."""
    rest = b""
    for block in chain([head], iter(partial(stream.read, BLOCK_BYTES), b"")):
        *whole, rest = _split(rest + block, newline)
        for content in whole:
            yield content, len(content) + len(newline)
        if len(rest) > MAX_LINE_BYTES + len(newline):
            skipped, follows = _skip_line(stream, newline, rest)
            yield rest, len(rest) + skipped
            *whole, rest = _split(follows, newline)
            for content in whole:
                yield content, len(content) + len(newline)
    if rest:
        yield rest, len(rest)


def _skip_line(stream: encodings.ByteSource, newline: bytes, begun: bytes) -> tuple[int, bytes]:
    """Pass over what remains of the line ``begun``: how many bytes that was, and what was read beyond it."""
    width = len(newline)
    skipped, carry = 0, begun[len(begun) - len(begun) % width :]
    for block in iter(partial(stream.read, BLOCK_BYTES), b""):
        content, *others = _split(carry + block, newline)
        if others:
            return skipped + len(content) - len(carry) + width, newline.join(others)
        skipped += len(block)
        carry = content[len(content) - len(content) % width :]
    return skipped, b""


def _split(data: bytes, newline: bytes) -> list[bytes]:
    """``data`` cut at every newline; one of several bytes counts only where a character can begin."""
    if len(newline) == 1:
        return data.split(newline)
    parts, start, found = [], 0, data.find(newline)
    while found != -1:
        if found % len(newline):
            found = data.find(newline, found + 1)
        else:
            parts.append(data[start:found])
            start = found + len(newline)
            found = data.find(newline, start)
    parts.append(data[start:])
    return parts
