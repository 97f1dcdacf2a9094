"""How several workers share one job: its files are cut into parts, each prepared by whoever claims it.

Parts are prepared side by side and enter one after the other, in the order of the files, each when the cursor of the
job has come to it. So what is stored and counted is the same however many workers there are: which of two equal lines
is the duplicate, and which wording of a record is the later one, is decided by the order of the lines alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.expressions import CombinedExpression

from ingest.models import Job, Part
from review.models.clock import ClockTimestamp

WORTH_SHARING = 4
"""A job with less than so many parts left is faster done than shared."""
BLOCK_BYTES = 1 << 18
CUTTABLE = {"jsonl"}
"""Containers in which every line feed ends a record."""
WIDE = ("utf-16", "utf-32")
"""Encodings in which the byte of a line feed is no line feed."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a job, and how it is read."""

    number: int
    path: Path
    format: str
    container: str
    encoding: str

    @property
    def is_cuttable(self) -> bool:
        """Whether reading can begin at any line."""
        return self.container in CUTTABLE and not self.encoding.startswith(WIDE)

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.path.stat().st_size


class Excerpt:
    """A file that seems to end at byte `end`."""

    def __init__(self, stream: BinaryIO, end: int) -> None:
        self._stream = stream
        self._end = end

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, max(self._end - self._stream.tell(), 0)))

    def seek(self, offset: int, /) -> int:
        return self._stream.seek(offset)


def is_shareable(job: Job, files: Sequence[File]) -> bool:
    """Tell whether the files can be cut, and enough of them is left."""
    left = sum(file.size for file in files if file.number >= job.cursor_file) - job.cursor_offset
    return left >= WORTH_SHARING * settings.INGEST_PART_BYTES and all(file.is_cuttable for file in files)


def claim(job: Job, files: Sequence[File]) -> Part | None:
    """Hold a part that another run has left, else the next one of the files; None when there is none."""
    while True:
        if part := abandoned(job):
            return part
        part = _next(job, files, *_reached(job))
        if part is None:
            return None
        try:
            with transaction.atomic():
                part.save(force_insert=True)
        except IntegrityError:
            continue
        return part


def abandoned(job: Job) -> Part | None:
    """Take over the first part whose lease has run out."""
    parts = Part.objects.filter(job=job, fence=job.fence)
    for part in parts.filter(lease_until__lt=ClockTimestamp()).order_by("file", "first_offset"):
        if parts.filter(pk=part.pk, lease_until=part.lease_until).update(lease_until=_lease()):
            return part
    return None


def renew(part: Part) -> None:
    """Hold a part for longer."""
    Part.objects.filter(pk=part.pk).update(lease_until=_lease())


def are_left(job: Job) -> bool:
    """Tell whether somebody holds a part that has not entered."""
    return Part.objects.filter(job=job, fence=job.fence).exists()


def forget(part: Part) -> None:
    """Let go of a part that another run has taken in."""
    Part.objects.filter(pk=part.pk).delete()


def _lease() -> CombinedExpression:
    return ClockTimestamp() + settings.INGEST_LEASE


def _reached(job: Job) -> tuple[int, int, int]:
    """Return the place up to which all is claimed or has entered. The cursor is asked last: it overtakes parts."""
    claimed = Part.objects.filter(job=job, fence=job.fence).order_by("-file", "-first_offset")
    last = claimed.values_list("file", "end_offset", "last_line").first()
    cursor = Job.objects.values_list("cursor_file", "cursor_offset", "cursor_line").get(pk=job.pk)
    return max(last, cursor) if last else cursor


def _next(job: Job, files: Sequence[File], number: int, offset: int, line: int) -> Part | None:
    """Cut the part that follows a place in the files; None at their end."""
    for file in files:
        if file.number < number:
            continue
        begin, lines_before = (offset, line) if file.number == number else (0, 0)
        if begin < file.size:
            end, lines = cut(file.path, begin, settings.INGEST_PART_BYTES)
            return Part(
                job=job, fence=job.fence, after_file=number, after_offset=offset, file=file.number,
                first_offset=begin, lines_before=lines_before, end_offset=end, last_line=lines_before + lines,
                lease_until=_lease(),
            )  # fmt: skip
    return None


def cut(path: Path, begin: int, size: int) -> tuple[int, int]:
    """Return the end of the first line that ends at least `size` bytes after `begin`, and the lines up to there."""
    position, lines, end, tail = begin, 0, begin + size, b""
    with path.open("rb") as file:
        file.seek(begin)
        for block in iter(partial(file.read, BLOCK_BYTES), b""):
            found = block.find(b"\n", max(end - 1 - position, 0))
            if found >= 0:
                return position + found + 1, lines + block.count(b"\n", 0, found + 1)
            position += len(block)
            lines += block.count(b"\n")
            tail = block
    return position, lines + (not tail.endswith(b"\n"))
