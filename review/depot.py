"""Files that every machine may need: uploads, what was refused of them, releases.

Without `CQIA_STORAGE` they are where they stand in the data folder. With it they are kept in S3-compatible storage
under the same names, and a data folder is a cache of it: a file that came from there, or went there, may not be written
to, and is compared with what is kept before it is used. So one that is removed or replaced is so for every machine.
"""

import fcntl
import logging
import os
import shutil
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Protocol, cast

from django.conf import settings
from django.core.files.storage import storages

logger = logging.getLogger(__name__)

SHARED = "shared"
"""The name of the storage in the settings, where there is one."""
CACHED_MODE = 0o400
CACHE_SECONDS = 7 * 86400.0
"""How long this machine's copy of a file is kept after its last use."""
LEFTOVER_SECONDS = 86400.0
"""A file that nobody finished may be one that is being made: until it is as old."""
JUST_NOW_SECONDS = 5.0
CLOCKS_APART_SECONDS = 300.0
FETCHING = ".fetching-"


class Away(OSError):  # noqa: N818  what the storage is
    """The storage does not answer, or does not let us in."""


class Spoiled(OSError):  # noqa: N818  what the file is
    """What is kept is not what was put there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept: where it stands on this disk once it is needed, its size, when it was put there."""

    path: Path
    size: int
    changed: float


@dataclass(frozen=True, slots=True)
class Known:
    """What the storage says of a file: its name and size, when it was put there, the file's own time if asked for."""

    name: str
    size: int
    changed: float
    mtime_ns: int = 0


class Shared(Protocol):
    """The storage of several machines. What goes wrong is a FileNotFoundError or `Away`."""

    def about(self, name: str) -> Known: ...
    def put(self, name: str, path: Path) -> None: ...
    def get(self, name: str, path: Path) -> None: ...
    def names(self, beginning: str) -> Iterator[Known]: ...
    def drop(self, names: Collection[str]) -> None: ...


def is_shared() -> bool:
    """Tell whether files are kept in one place for several machines."""
    return SHARED in settings.STORAGES


def roots() -> dict[str, Path]:
    """Return the folders of what is kept, by the names under which it is kept."""
    return {"uploads": Path(settings.UPLOAD_ROOT), "releases": Path(settings.RELEASE_ROOT)}


def name_of(path: Path) -> str:
    """Return the name under which a file is kept. Raises ValueError for one that is not."""
    for name, root in roots().items():
        if path.is_relative_to(root):
            return PurePosixPath(name, *path.relative_to(root).parts).as_posix()
    raise ValueError(path)


def place_of(name: str) -> Path:
    """Return where the file of a name belongs on this machine. Raises ValueError for one that belongs nowhere."""
    top, *rest = PurePosixPath(name).parts
    if top not in roots() or not rest or ".." in rest:
        raise ValueError(name)
    return roots()[top].joinpath(*rest)


def keep(*paths: Path) -> None:
    """Have files that are finished kept for every machine, in the place of what was kept. Raises OSError."""
    if is_shared():
        for path in paths:
            _shared().put(name_of(path), path)
            path.chmod(CACHED_MODE)


def here(path: Path, *, sha256: str = "") -> Path:
    """Return `path` once what is kept under it stands there; with `sha256`, what is fetched must have it.

    Raises FileNotFoundError when nothing is kept under it (any more), another OSError when it cannot be had.
    """
    if is_shared():
        known = _shared().about(name_of(path))
        if _fits(path, known.size, known.mtime_ns):
            with suppress(FileNotFoundError):
                os.utime(path, ns=(time.time_ns(), known.mtime_ns))  # in use: its time of change says so
        else:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _fetch(path, known.mtime_ns, sha256)
    return path


def remove(path: Path) -> None:
    """Forget a file, here and for every machine."""
    if is_shared():
        _shared().drop([name_of(path)])
    path.unlink(missing_ok=True)


def clear(folder: Path, *, sparing: Collection[str] = ()) -> None:
    """Forget everything in a folder, here and for every machine, but files of these names that stand right in it."""
    if is_shared():
        spared = {name_of(folder / name) for name in sparing}
        names = [known.name for known in _shared().names(f"{name_of(folder)}/")]
        _shared().drop([name for name in names if name not in spared])
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in sparing:
            path.unlink(missing_ok=True)


def listing(folder: Path) -> Iterator[Kept]:
    """Yield the files that are kept below a folder; those that go meanwhile are passed over."""
    if not is_shared():
        yield from _on_disk(folder)
        return
    beginning = next((name for name, root in roots().items() if root == folder), "") or name_of(folder)
    for known in _shared().names(f"{beginning}/"):
        yield Kept(place_of(known.name), known.size, known.changed)


def folders(folder: Path) -> Iterator[tuple[Path, float]]:
    """Yield the folders that stand in a folder, each with when something was last put in or removed, in seconds."""
    if is_shared():
        changed: dict[Path, float] = {}
        for kept in listing(folder):
            inner = folder / kept.path.relative_to(folder).parts[0]
            changed[inner] = max(changed.get(inner, 0.0), kept.changed)
        yield from changed.items()
        return
    for inner in folder.glob("*"):
        with suppress(FileNotFoundError):  # another process has just removed it
            yield inner, inner.stat().st_mtime


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Give a folder as it is kept: itself, or what is kept of it fetched anew into another, for the block."""
    if not is_shared():
        yield folder
        return
    with TemporaryDirectory(prefix=FETCHING, dir=_made(folder.parent)) as aside:
        copy = Path(aside) / folder.name
        for kept in listing(folder):
            path = copy / kept.path.relative_to(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            name = name_of(kept.path)
            _shared().get(name, path)
            _set_time(path, _shared().about(name).mtime_ns)
        yield copy


def tidy() -> int:
    """Remove from this disk what is kept no more, or has long not been used; return how many files went.

    Where files are kept on this disk alone, there is nothing to do.
    """
    return sum(_tidy(root) for root in roots().values()) if is_shared() else 0


def keep_tidy(**_signal: object) -> None:
    """Have this disk tidied from time to time for as long as the process lives, by one process at a time."""
    if is_shared():
        _begin_to_tidy(os.getpid())


@cache
def _begin_to_tidy(_process: int) -> None:
    Thread(target=_tidy_for_ever, name="depot", daemon=True).start()


def _tidy_for_ever() -> None:
    while True:
        try:
            with (settings.DATA_DIR / "depot.lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                while True:
                    time.sleep(settings.STORAGE_TIDY_SECONDS)
                    _tidied()
        except OSError as error:
            logger.warning("the data folder cannot be tidied: %s", error)
            time.sleep(settings.STORAGE_TIDY_SECONDS)


def _tidied() -> None:
    try:
        tidy()
    except OSError as error:
        logger.warning("the data folder is not tidied now: %s", error)


def answers() -> bool:
    """Tell whether the storage can be asked."""
    try:
        next(iter(_shared().names(next(iter(roots())))), None)
    except OSError:
        return False
    return True


def _shared() -> Shared:
    return cast("Shared", storages[SHARED])


def _fits(path: Path, size: int, mtime_ns: int) -> bool:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size == size and about.st_mtime_ns == mtime_ns


def _fetch(path: Path, mtime_ns: int, sha256: str) -> None:
    """Bring a file to this disk, whole or not at all."""
    draft = path.with_name(f"{FETCHING}{token_hex(8)}")
    try:
        _shared().get(name_of(path), draft)
        if sha256 and _sha256(draft) != sha256:
            raise Spoiled(5, "what is kept is not what was put there", name_of(path))
        _set_time(draft, mtime_ns)
        draft.chmod(CACHED_MODE)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _set_time(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(time.time_ns(), mtime_ns))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _on_disk(folder: Path) -> Iterator[Kept]:
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            about = path.lstat()
            if stat.S_ISREG(about.st_mode):
                yield Kept(path, about.st_size, about.st_mtime)


def _tidy(root: Path) -> int:
    began = time.time()
    kept = {known.path: known for known in listing(root)}
    gone = 0
    for path in sorted(root.rglob("*"), reverse=True):
        with suppress(FileNotFoundError):
            about = path.lstat()
            if stat.S_ISDIR(about.st_mode):
                if began - about.st_ctime > LEFTOVER_SECONDS:
                    with suppress(OSError):  # not empty
                        path.rmdir()
            elif _is_stale(about, kept.get(path), began) or _is_replaced(path, about, kept.get(path)):
                path.unlink()
                gone += 1
    return gone


def _is_stale(about: os.stat_result, kept: Kept | None, began: float) -> bool:
    """Tell whether a file is kept no more, was never finished, or has long not been used."""
    age = began - about.st_ctime
    if about.st_mode & stat.S_IWUSR:
        return kept is None and age > LEFTOVER_SECONDS
    return age > (JUST_NOW_SECONDS if kept is None else CACHE_SECONDS)


def _is_replaced(path: Path, about: os.stat_result, kept: Kept | None) -> bool:
    """Tell whether something else is kept by now: asked for each file that was put there since it was last used."""
    if kept is None or about.st_mode & stat.S_IWUSR or kept.changed < about.st_ctime - CLOCKS_APART_SECONDS:
        return False
    known = _shared().about(name_of(path))
    return not _fits(path, known.size, known.mtime_ns)
