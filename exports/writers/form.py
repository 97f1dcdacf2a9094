"""What every form has in common, and how lines become files: converted, compressed, in blocks of one size."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard

BLOCK_BYTES = 1024 * 1024
ZSTD_LEVEL = 6
GZIP_LEVEL = 6
WITH_GZIP_HEADER = 31

type Sink = Callable[[bytes], object]
type Convert = Callable[[bytes], bytes]


class Form(Protocol):
    """An open file of one form."""

    def add(self, lines: list[bytes]) -> None:
        """Append records, each given as its nine-field line without a newline."""

    def close(self) -> None:
        """Write what is still to be written."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A form: its name, the folder of its files, their ending, and what begins a file.

    `begin(sink, compression)` gives the open file; `line` is how one record is written where the form has lines.
    """

    name: str
    folder: str
    ending: str
    begin: Callable[[Sink, str | None], Form]
    line: Convert | None = None

    @property
    def has_lines(self) -> bool:
        return self.line is not None


class Lines:
    """A file of lines, each converted from the nine-field line; the same bytes however the lines are handed over."""

    def __init__(self, sink: Sink, compression: str | None, convert: Convert | None) -> None:
        self._sink = sink if compression is None else Packed(sink, compression)
        self._convert = convert

    def add(self, lines: list[bytes]) -> None:
        """Append records."""
        if lines:
            converted = lines if self._convert is None else list(map(self._convert, lines))
            self._sink(b"\n".join([*converted, b""]))

    def close(self) -> None:
        """Write what is still to be written."""
        if isinstance(self._sink, Packed):
            self._sink.close()


class Packed:
    """Compressed bytes. The compressor is fed blocks of one size, so that the result depends on the content alone."""

    def __init__(self, sink: Sink, compression: str) -> None:
        self._sink = sink
        self._waiting = bytearray()
        self._compressor = (
            zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, WITH_GZIP_HEADER)
            if compression == "gzip"
            else zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
        )

    def __call__(self, data: bytes) -> None:
        """Append bytes."""
        self._waiting += data
        while len(self._waiting) >= BLOCK_BYTES:
            self._sink(self._compressor.compress(bytes(self._waiting[:BLOCK_BYTES])))
            del self._waiting[:BLOCK_BYTES]

    def close(self) -> None:
        """Write what is still to be written, and the end."""
        self._sink(self._compressor.compress(bytes(self._waiting)))
        self._sink(self._compressor.flush())


def of_lines(name: str, folder: str, convert: Convert) -> Writer:
    """Return the writer of a form that has a line for each record."""

    def begin(sink: Sink, compression: str | None) -> Form:
        return Lines(sink, compression, convert)

    return Writer(name, folder, ".jsonl", begin, convert)
