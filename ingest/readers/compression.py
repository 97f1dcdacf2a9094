"""Compressed files: a stream of what is inside, unpacked as it is read, and stopped when it grows beyond reason."""

import zlib
from collections.abc import Callable, Iterator

import zstandard

from ingest.document import Unreadable
from ingest.readers.encodings import ByteSource

SKIPPABLE = tuple(bytes([number]) + b"\x2a\x4d\x18" for number in range(0x50, 0x60))
"""Frames of Zstandard that hold no contents, and may come first."""
MAGIC = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"} | dict.fromkeys(SKIPPABLE, "zst")
"""By the first bytes, the ending that the name of the container gets."""

KINDS = {"gz": "gzip", "zst": "Zstandard"}

MAX_UNPACKED_BYTES = 16 << 30
ALWAYS_ALLOWED_BYTES = 64 << 20
"""So much may come out of a file whatever its size: short files of repeated text pack very well."""
MAX_RATIO = 250
"""Beyond that, this many times what was read of the file. Chinese text packs to a fifth, a bomb to a thousandth."""

_READ_BYTES = 1 << 16
_OUT_BYTES = 1 << 18
_ZSTD_STEP_BYTES = 1 << 10
"""Zstandard's decoder returns all that comes of a step at once: at 32,000 to 1 that is 32 MiB."""
_ZSTD_WINDOW_BYTES = 1 << 27
_GZIP_WINDOW_BITS = 31


def packing(head: bytes) -> str:
    """How a file that begins with ``head`` is packed: a key of ``KINDS``, or empty."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "")


def unpacked(stream: ByteSource, kind: str) -> ByteSource:
    """What is inside ``stream``, offsets counting the bytes of that.

    Reading raises ``Unreadable`` where the file is damaged, ends too early or grows beyond the limits; what stands
    before is read first. Seeking unpacks again from the start.
    """
    return _Unpacked(stream, kind)


class _Unpacked:
    def __init__(self, stream: ByteSource, kind: str) -> None:
        self._stream = stream
        self._kind = kind
        self._begin()

    def _begin(self) -> None:
        self._blocks = _UNPACK[self._kind](self._pull)
        self._block, self._at = b"", 0
        self._taken = self._given = 0

    def _pull(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._taken += len(data)
        return data

    def read(self, size: int, /) -> bytes:
        while self._at >= len(self._block):
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._given += len(block)
            self._refuse_a_bomb()
            self._block, self._at = block, 0
        found = self._block[self._at : self._at + size]
        self._at += len(found)
        return found

    def _refuse_a_bomb(self) -> None:
        allowed = min(max(ALWAYS_ALLOWED_BYTES, self._taken * MAX_RATIO), MAX_UNPACKED_BYTES)
        if self._given > allowed:
            raise Unreadable("archive_too_large", kind=KINDS[self._kind], bytes=allowed)

    def seek(self, offset: int, /) -> int:
        self._stream.seek(0)
        self._begin()
        position = 0
        while position < offset and (passed := self.read(min(offset - position, _OUT_BYTES))):
            position += len(passed)
        return position


def _gunzipped(pull: Callable[[int], bytes]) -> Iterator[bytes]:
    """The contents of a gzip file, of several members as well."""
    inner, data = zlib.decompressobj(_GZIP_WINDOW_BITS), pull(_READ_BYTES)
    while data:
        try:
            block = inner.decompress(data, _OUT_BYTES)
        except zlib.error:
            raise Unreadable("archive_damaged", kind=KINDS["gz"]) from None
        if block:
            yield block
        data = inner.unconsumed_tail
        if inner.eof:
            data = inner.unused_data.lstrip(b"\x00")
            while not data and (block := pull(_READ_BYTES)):
                data = block.lstrip(b"\x00")
            if not data:
                return
            inner = zlib.decompressobj(_GZIP_WINDOW_BITS)
        data = data or pull(_READ_BYTES)
    if block := inner.flush(_OUT_BYTES):
        yield block
    raise Unreadable("archive_cut_off", kind=KINDS["gz"])


def _unpacked_frames(pull: Callable[[int], bytes]) -> Iterator[bytes]:
    """The contents of a Zstandard file, of several frames as well."""
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    inner, data = decoder.decompressobj(), pull(_ZSTD_STEP_BYTES)
    while data:
        try:
            block = inner.decompress(data)
        except zstandard.ZstdError:
            raise Unreadable("archive_damaged", kind=KINDS["zst"]) from None
        if block:
            yield block
        data = b""
        if inner.eof:
            data = inner.unused_data or pull(_ZSTD_STEP_BYTES)
            if not data:
                return
            inner = decoder.decompressobj()
        data = data or pull(_ZSTD_STEP_BYTES)
    raise Unreadable("archive_cut_off", kind=KINDS["zst"])


_UNPACK: dict[str, Callable[[Callable[[int], bytes]], Iterator[bytes]]] = {"gz": _gunzipped, "zst": _unpacked_frames}
