"""Encodings other than UTF-8: which are read, how a file of one is read, and which one a file is likely to be in."""

import codecs
from typing import Protocol

from ingest.document import Unreadable
from review.text.strict import Malformed, printable

SUPPORTED = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
    "gb18030", "gbk", "gb2312", "big5", "big5hkscs", "cp950",
)  # fmt: skip
"""Names as Python's codec registry spells them; its aliases are taken too."""

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""In the order in which they must be tried: the mark of UTF-32-LE begins with that of UTF-16-LE."""

GUESSES = ("gb18030", "big5")

UNDECODED = b"\xff"
"""Stands in a transcription for what could not be decoded; never occurs in UTF-8."""

_BLOCK_BYTES = 1 << 14

_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后"
    "這來國個說們為時會著過學對裡後，。、：；？！“”「」《》（）"
)
_LEAST_FREQUENT_SHARE = 0.05


class ByteSource(Protocol):
    """As much of a binary file as reading takes; ``seek`` is called only to resume, and for UTF-16 and UTF-32."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...


def canonical(name: str) -> str:
    """The one name of an encoding for all of its aliases; raises ``Unreadable`` for one that is not supported."""
    try:
        found = codecs.lookup(name).name.removesuffix("-sig")
    except (LookupError, ValueError):
        found = ""
    if found not in SUPPORTED:
        raise Unreadable("unknown_encoding", encoding=printable(name), known=", ".join(SUPPORTED))
    return found


def marked(head: bytes) -> str | None:
    """The encoding whose byte order mark ``head`` begins with."""
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)


def byte_order_mark(encoding: str) -> bytes:
    """U+FEFF in ``encoding``; nothing where it cannot be written."""
    return "\ufeff".encode(encoding, "ignore")


def resolved(stream: ByteSource, encoding: str) -> str:
    """``encoding`` with its byte order settled: by the mark at the start of the stream, else little-endian."""
    name = canonical(encoding)
    if name not in {"utf-16", "utf-32"}:
        return name
    stream.seek(0)
    found = marked(stream.read(4)) or ""
    stream.seek(0)
    return found if found.startswith(name) else f"{name}-le"


def decoded(raw: bytes, encoding: str) -> bytes:
    """One record in UTF-8; raises ``Malformed`` when it is not in ``encoding``."""
    try:
        return raw.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise Malformed("undecodable", encoding=encoding, byte=error.start + 1) from None


def text(raw: bytes, encoding: str) -> str:
    """One line as text; raises ``Malformed`` when it is not in ``encoding``."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8":
            raise Malformed("not_utf8", byte=error.start + 1) from None
        raise Malformed("undecodable", encoding=encoding, byte=error.start + 1) from None


def transcribed(stream: ByteSource, encoding: str) -> ByteSource:
    """``stream`` read as UTF-8, offsets counting the bytes of that form; what cannot be decoded becomes ``UNDECODED``.

    ``encoding`` is one that :func:`resolved` gave.
    """
    return stream if encoding == "utf-8" else _Transcript(stream, encoding)


def guess(sample: bytes) -> str | None:
    """The encoding in which ``sample`` reads as Chinese; ``None`` when it does in none of ``GUESSES``."""
    share, name = max((_frequent_share(sample, name), name) for name in GUESSES)
    return name if share >= _LEAST_FREQUENT_SHARE else None


def _frequent_share(sample: bytes, encoding: str) -> float:
    """Which part of the characters beyond ASCII is among the most frequent ones of Chinese text."""
    text = sample.decode(encoding, "replace")
    foreign = [character for character in text if not character.isascii()]
    return sum(character in _FREQUENT for character in foreign) / max(len(foreign), 1)


def _flag_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error("ingest.flag_undecodable", _flag_undecodable)


class _Transcript:
    """A stream of another encoding as UTF-8; seeking reads again from the start."""

    def __init__(self, stream: ByteSource, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._begin()

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder(self._encoding)("ingest.flag_undecodable")
        self._ready = b""
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._ready and not self._ended:
            block = self._stream.read(_BLOCK_BYTES)
            self._ended = not block
            self._ready = self._decoder.decode(block, final=self._ended).encode("utf-8", "surrogateescape")
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def seek(self, offset: int, /) -> int:
        self._stream.seek(0)
        self._begin()
        position = 0
        while position < offset and (passed := self.read(offset - position)):
            position += len(passed)
        return position
