"""Erasing texts from what imports leave behind: uploaded files, files that are no job yet, refused records.

Where a file is plain text its lines are overwritten with blanks, so that offsets stay right. A compressed file is
removed as a whole, and so is one in columns that may hold the text: what was loaded of it stands in the database.
"""

import gzip
import heapq
import io
import mmap
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import UUID

import zstandard
from django.conf import settings
from django.utils.translation import gettext as _

from ingest import rejects
from ingest.models import Job, Reject, Upload
from review import depot
from review.models import Duplicate, Original, Record
from review.models.clock import ClockTimestamp
from review.refused import Refused

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from review.erasure import Erasing

PIECE_BYTES = 1 << 20
COLUMNS = b"PAR1"

OPENERS: dict[bytes, Callable[[Path], Iterator[bytes]]] = {}
"""How what is packed is read in pieces, by the bytes that such a file begins with."""


def remove(erasing: "Erasing") -> None:
    """Remove every copy of the texts; refused while a job is reading a file that holds one."""
    _check_no_job_reads(erasing)
    for kept in list(depot.listing(settings.UPLOAD_ROOT)):
        with suppress(FileNotFoundError):  # what has gone by itself meanwhile
            _clean(depot.here(kept.path), erasing)
    _clean_rejects(erasing)


def _check_no_job_reads(erasing: "Erasing") -> None:
    for upload in Upload.objects.filter(job__state__in=Job.OPEN).select_related("job").order_by("job", "number"):
        if _is_in(upload, erasing):
            said = {"job": upload.job_id, "file": upload.name}
            raise Refused(
                _("Job %(job)s still reads %(file)s, which holds the text. Let it end or stop it first.") % said
            )


def _is_in(upload: Upload, erasing: "Erasing") -> bool:
    with suppress(FileNotFoundError):
        path = depot.here(upload.path)
        return _holds(path, erasing.needles) or _may_hold_in_columns(path, erasing)
    return False


def _clean(path: Path, erasing: "Erasing") -> None:
    is_packed = _opener(path) is not None
    if (is_packed and (_holds(path, erasing.needles))) or _may_hold_in_columns(path, erasing):
        depot.remove(path)
        _stored_as(path).update(removed_at=ClockTimestamp())
    elif not is_packed and _overwrite(path, erasing.needles):
        depot.keep(path)
        with path.open("rb") as file:
            _stored_as(path).update(sha256=file_digest(file, "sha256").digest())


def _stored_as(path: Path) -> "QuerySet[Upload]":
    """Return the upload that is stored in a file; none for a file of another kind."""
    with suppress(ValueError):
        return Upload.objects.filter(stored_as=UUID(hex=path.name))
    return Upload.objects.none()


def _opener(path: Path) -> Callable[[Path], Iterator[bytes]] | None:
    with path.open("rb") as file:
        beginning = file.read(4)
    return next((read for magic, read in OPENERS.items() if beginning.startswith(magic)), None)


def _holds(path: Path, needles: tuple[bytes, ...]) -> bool:
    """Tell whether a file holds any of these bytes, packed or not."""
    if not needles:
        return False
    read = _opener(path) or _plain
    longest = max(map(len, needles))
    kept = b""
    with suppress(OSError, EOFError, zlib.error, zstandard.ZstdError, zipfile.BadZipFile):  # damaged: as far as it goes
        for piece in read(path):
            seen = kept + piece
            if any(needle in seen for needle in needles):
                return True
            kept = seen[-longest:]
    return False


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _pieces(file)


def _pieces(file: "IO[bytes] | gzip.GzipFile") -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _gzip(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        yield from _pieces(file)


def _zstd(path: Path) -> Iterator[bytes]:
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as file:
        yield from _pieces(io.BufferedReader(file))


def _zip(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                yield from _pieces(file)
            yield b"\0"  # no text goes on from one member to the next


OPENERS |= {b"\x1f\x8b": _gzip, b"\x28\xb5\x2f\xfd": _zstd, b"PK\x03\x04": _zip}


def _may_hold_in_columns(path: Path, erasing: "Erasing") -> bool:
    """Tell whether a file in columns, which nobody can search byte by byte, belongs to an import of these records."""
    with path.open("rb") as file:
        if file.read(4) != COLUMNS:
            return False
    records = Record.objects.filter(pk__in=erasing.records)
    batches = [
        set(model.objects.filter(record__in=records).values_list("batch", flat=True)) for model in (Original, Duplicate)
    ]
    sources = set(records.values_list("source", flat=True))
    upload = _stored_as(path).select_related("job").first()
    return upload is None or upload.job.batch_id in set.union(*batches) or upload.job.source_id in sources


def _overwrite(path: Path, needles: tuple[bytes, ...]) -> bool:
    """Blank every line of a plain file that holds any of these bytes, and wait for the disk; tell whether one does."""
    if not _holds(path, needles):
        return False
    path.chmod(0o600)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        found = heapq.merge(*(_lines_with(needle, content) for needle in needles))
        for start, end in _joined(found):
            for place in range(start, end, PIECE_BYTES):
                size = min(PIECE_BYTES, end - place)
                content[place : place + size] = b" " * size
        content.flush()
        os.fsync(file.fileno())
    os.utime(path)
    return True


def _lines_with(needle: bytes, content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield where the lines begin and end that hold these bytes, from the first to the last."""
    place = content.find(needle)
    while place >= 0:
        end = content.find(b"\n", place + len(needle))
        end = len(content) if end < 0 else end
        yield content.rfind(b"\n", 0, place) + 1, end
        place = content.find(needle, end - len(needle) + 1)  # what begins in the last of these lines may go on behind


def _joined(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Lay spans that overlap together; each is yielded when all that is still to come begins behind it.

    So nobody looks for bytes any more where they are blanked, whichever of several needles reaches further.
    """
    start, end = next(spans, (0, 0))
    for begin, until in spans:
        if begin > end:
            yield start, end
            start, end = begin, until
        else:
            end = max(end, until)
    yield start, end


def _clean_rejects(erasing: "Erasing") -> None:
    """Blank what was kept of refused records that hold a text, and write the files of these jobs anew."""
    jobs: set[int] = set()
    for reject in Reject.objects.select_related("chunk").iterator(chunk_size=2000):
        raw = bytes(reject.raw)
        if any(
            needle in raw or (reject.is_cut and raw.rstrip() in needle) for needle in erasing.needles if raw.strip()
        ):
            Reject.objects.filter(pk=reject.pk).update(raw=b"")
            jobs.add(reject.chunk.job_id)
    for job in Job.objects.filter(pk__in=jobs).exclude(state__in=Job.OPEN):
        rejects.write(job)
