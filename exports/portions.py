"""The files of a release's sources, written side by side: each source is a part that any worker may take.

A builder lays the parts out, tells other workers that there are some, and writes what nobody else has taken. A part is
written into a folder of its own below the builder's; whose lease has run out loses it, and what they wrote is thrown
away. Workers on other machines do not see the folder, and leave the parts alone.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Self

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from exports import storage
from exports.facts import File, SourceFacts
from exports.models import Release, ReleasePart
from exports.options import Options
from exports.parts import SourceFiles
from exports.rows import frozen_rows
from review.models.clock import ClockTimestamp
from review.refused import Refused

LEASE = timedelta(seconds=30)
HEARTBEAT_SECONDS = 3.0
PAGE_ROWS = 8192
BLOCK_BYTES = 1024 * 1024

type Before = Callable[[], object]
"""Called before each page; raises when the work is no longer wanted."""

type After = Callable[[int], object]
"""Called after each page with the number of records that are written of the part."""


class Overtaken(Exception):  # noqa: N818  a state, not an error
    """The part has been given to somebody else, or its builder is gone."""


def lay_out(release: Release, folder: Path) -> None:
    """Write down what there is to write, in the order of the release's rows, instead of what another builder did."""
    after = 0
    parts = []
    for said in release.sources:
        upto = after + int(said["records"])
        parts.append(ReleasePart(release=release, slug=said["slug"], after=after, upto=upto, folder=folder.name))
        after = upto
    with transaction.atomic():
        ReleasePart.objects.filter(release=release).delete()
        ReleasePart.objects.bulk_create(parts)


def clear(release: Release, folder: Path) -> None:
    """Forget the parts that were laid out for this folder: all is written, or its builder has given up."""
    ReleasePart.objects.filter(release=release, folder=folder.name).delete()


def is_open(release: Release) -> bool:
    """Tell whether a part is not written yet."""
    return ReleasePart.objects.filter(release=release, is_done=False).exists()


def written(release_id: int) -> int:
    """Return how many records of a release its builders have written."""
    return ReleasePart.objects.filter(release=release_id).aggregate(written=Sum("written"))["written"] or 0


def take(release_id: int) -> ReleasePart | None:
    """Take the largest part that nobody writes; None when there is none, or its folder is not on this machine."""
    free = Q(lease_until=None) | Q(lease_until__lt=ClockTimestamp())
    with transaction.atomic():
        parts = ReleasePart.objects.filter(free, release=release_id, is_done=False)
        part = parts.order_by(F("after") - F("upto"), "pk").select_for_update(skip_locked=True).first()
        if part is None or not _place(part).is_dir():
            return None
        ReleasePart.objects.filter(pk=part.pk).update(
            fence=F("fence") + 1, lease_until=ClockTimestamp() + LEASE, written=0
        )
    part.refresh_from_db()
    return part


def _place(part: ReleasePart) -> Path:
    return Path(settings.RELEASE_ROOT, part.folder)


def write(
    part: ReleasePart, release: Release, *, before: Before = lambda: None, after: After = lambda _done: None
) -> None:
    """Write a part that was taken; raises `Overtaken` when somebody else has it now."""
    folder = _place(part) / f".part-{part.pk}-{part.fence}"
    try:
        folder.mkdir()
        files, kinds = _write(part, release, folder, before, after)
        _finish(part, files, kinds)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        _owned(part).update(lease_until=None, written=0)
        raise


def _finish(part: ReleasePart, files: list[File], kinds: Counter[bytes]) -> None:
    done = _owned(part).update(
        is_done=True,
        lease_until=None,
        written=part.upto - part.after,
        files=[asdict(file) for file in files],
        kinds={kind.decode(): number for kind, number in kinds.items()},
    )
    if not done:
        raise Overtaken


def _owned(part: ReleasePart) -> "QuerySet[ReleasePart]":
    return ReleasePart.objects.filter(pk=part.pk, fence=part.fence, is_done=False)


def _write(
    part: ReleasePart, release: Release, folder: Path, before: Before, after: After
) -> tuple[list[File], Counter[bytes]]:
    kinds: Counter[bytes] = Counter()
    position, renewed = part.after, monotonic()
    with (
        SourceFiles(folder, part.slug, Options.from_json(release.options), storage.moment_of(release)) as files,
        _Behind(files) as written,
    ):
        while position < part.upto:
            before()
            if monotonic() - renewed > HEARTBEAT_SECONDS:
                if not _owned(part).update(lease_until=ClockTimestamp() + LEASE, written=position - part.after):
                    raise Overtaken
                renewed = monotonic()
            upto = min(position + PAGE_ROWS, part.upto)
            kinds.update(_write_page(release, position, upto, written))
            position = upto
            after(position - part.after)
    return files.files, kinds


class _Behind:
    """Files that are written in another thread, block by block, while the next block is read from the database."""

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def add(self, lines: list[bytes], about: list[bytes]) -> None:
        """Begin to write a block, once the one before it is written; raises what that one raised."""
        self._settle()
        self._writing = self._thread.submit(self._files.add, lines, about)

    def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._thread.shutdown()
        if kind is None:
            self._settle()


def _write_page(release: Release, after: int, upto: int, written: _Behind) -> list[bytes]:
    """Write the rows at positions `after` + 1 to `upto` and return their kinds."""
    lines: list[bytes] = []
    about: list[bytes] = []
    kinds: list[bytes] = []
    size = 0
    for line, head, tail, kind in frozen_rows(release.pk, after, upto, release.aliases):
        lines.append(line)
        about.append(head + sha256(line).hexdigest().encode() + tail)
        kinds.append(kind)
        size += len(line)
        if size > BLOCK_BYTES:
            written.add(lines, about)
            lines, about, size = [], [], 0
    written.add(lines, about)
    if len(kinds) != upto - after:
        raise Refused(_("Rows of release “%(version)s” are missing.") % {"version": release.version})
    return kinds


def help_out(release_id: int) -> int:
    """Write parts of a release for its builder, as long as there are any; return how many."""
    release = Release.objects.get(pk=release_id)
    number = 0
    while part := take(release_id):
        try:
            write(part, release)
        except Overtaken:
            break
        number += 1
    return number


def gather(release: Release, folder: Path) -> tuple[list[SourceFacts], list[File]]:
    """Put the files of all parts where they belong, and return what was counted of each source, and every file."""
    facts = {said["slug"]: SourceFacts(said) for said in release.sources}
    files: list[File] = []
    for part in ReleasePart.objects.filter(release=release).order_by("after", "pk"):
        facts[part.slug].kinds.update({kind.encode(): number for kind, number in part.kinds.items()})
        made = folder / f".part-{part.pk}-{part.fence}"
        for said in part.files:
            place = folder / said["path"]
            place.parent.mkdir(exist_ok=True)
            (made / said["path"]).rename(place)
            files.append(File(**said))
    for made in folder.glob(".part-*"):  # those of writers who were lost, too
        shutil.rmtree(made)
    return list(facts.values()), files
