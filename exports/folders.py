"""Folders that appear whole or not at all.

A folder is made beside its target under a hidden name, written, synchronised with the disk, and renamed. Its maker
holds a lock on it, which the kernel frees when the maker is gone, however it went: so a folder that nobody holds is a
leftover, and is removed by whoever comes next.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

BLOCK = 1024 * 1024
SYNC_BYTES = 64 * BLOCK


@contextmanager
def staged(parent: Path, prefix: str, *, tag: str = "") -> Iterator[Path]:
    """Give an empty hidden folder in `parent`, held while the block runs and removed after it unless it was moved.

    Its name begins with `prefix` and `tag`. What others left behind under the same prefix, dead by now, is removed.
    """
    _remove_leftovers(parent, prefix)
    folder = _new(parent, ".new-")
    holder = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        folder = folder.rename(folder.with_name(f"{prefix}{tag}{folder.name.removeprefix('.new-')}"))
        yield folder
    finally:
        os.close(holder)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove the hidden folders under `prefix` whose makers are gone."""
    for folder in parent.glob(f"{prefix}*"):
        if folder.is_dir() and not is_held(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_held(folder: Path) -> bool:
    """Tell whether the process that makes this folder is alive."""
    with suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


def place(folder: Path, target: Path, *, replacing: bool = False) -> None:
    """Synchronise `folder` and everything in it with the disk, then give it the name `target`.

    `OSError` when something stands there. With `replacing` it is set aside and removed: readers see the old folder or
    the new one, never a part.
    """
    for path, _folders, _files in os.walk(folder, topdown=False):
        sync(Path(path))
    aside_prefix = f".{target.name}.aside."
    _remove_leftovers(target.parent, aside_prefix)
    aside = _new(target.parent, aside_prefix) if replacing and target.exists() else None
    if aside:
        target.rename(aside / target.name)
    folder.rename(target)
    sync(target.parent)
    if aside:
        shutil.rmtree(aside, ignore_errors=True)


class Writer:
    """A new file that is hashed while it is written, and on the disk when the block ends.

    It bears the time `moment`, in seconds.
    """

    def __init__(self, path: Path, moment: int) -> None:
        path.parent.mkdir(exist_ok=True)
        self._stream = path.open("xb")
        self._sha256 = sha256()
        self._moment = moment
        self._synced = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def write(self, block: bytes) -> None:
        """Append bytes; wait for the disk every now and then, so that the end of a large file does not take long."""
        self._stream.write(block)
        self._sha256.update(block)
        self.bytes += len(block)
        if self.bytes - self._synced > SYNC_BYTES:
            self._sync()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._synced = self.bytes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stream:
            if error is None:
                self._stream.flush()
                os.utime(self._stream.fileno(), (self._moment, self._moment))
                self._sync()


def sync(path: Path) -> None:
    """Wait until the disk holds a file's bytes, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy(source: Path, target: Path) -> str:
    """Copy a file with its time, synchronise it, and return the sha256 of the bytes that were copied."""
    digest = sha256()
    with source.open("rb") as reader, target.open("xb", buffering=0) as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
        os.fsync(writer.fileno())
    shutil.copystat(source, target)
    return digest.hexdigest()


def hashed(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as reader:
        digest = sha256()
        while block := reader.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _new(parent: Path, prefix: str) -> Path:
    folder = parent / f"{prefix}{token_hex(8)}"
    folder.mkdir()
    return folder
