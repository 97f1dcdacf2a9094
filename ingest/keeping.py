"""The room that uploads take: how much they may take together, and when they go again."""

import logging
import re
import shutil
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from ingest.models import Job, Upload
from review import depot
from review.models.clock import ClockTimestamp
from review.refused import Refused

if TYPE_CHECKING:
    from ingest.models import JobQuerySet

logger = logging.getLogger(__name__)

STAGED_FOR = timedelta(days=1)
"""How long files that are no job yet are kept for the person who sent them."""

STRAY_AFTER = timedelta(days=1)
"""A stored file that belongs to no job may be one that is being made: until it is as old."""
NAME_CHARACTERS = 32
AT_ONCE = 500


def used() -> int:
    """Return how many bytes the stored files take, those that are no job yet included."""
    return sum(kept.size for kept in depot.listing(settings.UPLOAD_ROOT))


def check_room(size: int = 0) -> None:
    """Refuse another `size` bytes when they go beyond the quota, or would fill the disk."""
    allowed = settings.INGEST_QUOTA_BYTES
    taken = used()
    if taken + size > allowed:
        said = {"used": filesizeformat(taken), "allowed": filesizeformat(allowed)}
        raise Refused(
            _(
                "There is no room for more files: uploads take %(used)s of the %(allowed)s that they may. Old ones go "
                "by themselves; INGEST_QUOTA_GIB and INGEST_KEEP_DAYS say how much and how long."
            )
            % said
        )
    if shutil.disk_usage(_existing(settings.UPLOAD_ROOT)).free - size < settings.INGEST_FREE_BYTES:
        raise Refused(_("The disk is nearly full. Make room, then import again."))


def tidy() -> int:
    """Remove the files of jobs that ended long ago, and those that belong to no job; return how many went.

    What a job refused counts as one, and so do files that were sent together and not confirmed.
    """
    return _remove_old() + _remove_old_rejects() + _remove_strays() + remove_leftovers()


def staged_root() -> Path:
    """Return the folder of all that is not a job yet."""
    folder: Path = settings.UPLOAD_ROOT / "staged"
    return folder


def remove_leftovers() -> int:
    """Remove what nobody came back for; return how many."""
    before = time.time() - STAGED_FOR.total_seconds()
    old = [folder for folder, changed in depot.folders(staged_root()) if changed < before]
    for folder in old:
        _remove_folder(folder)
    return len(old)


def _remove_old() -> int:
    """What came in of them stays, with its raw lines; the job says that its files are gone."""
    old = Upload.objects.filter(job__in=_ended_long_ago(), removed_at=None).order_by("pk")
    uploads = list(old[:AT_ONCE])
    for upload in uploads:
        depot.remove(upload.path)
    Upload.objects.filter(pk__in=[upload.pk for upload in uploads]).update(removed_at=ClockTimestamp())
    if uploads:
        logger.info("%s uploaded file(s) removed: kept for long enough", len(uploads))
    return len(uploads)


def _remove_old_rejects() -> int:
    """Remove what these jobs have written of refused records: they go with the files that they stood in."""
    folders = [folder.name for folder, _changed in depot.folders(settings.UPLOAD_ROOT)]
    numbers = [int(found[1]) for name in folders if (found := re.fullmatch(r"job-([0-9]{1,18})", name))]
    old = _ended_long_ago().filter(pk__in=numbers)
    for job in old:
        _remove_folder(job.folder)
    return len(old)


def _ended_long_ago() -> "JobQuerySet":
    long_ago = ClockTimestamp() - settings.INGEST_KEEP_UPLOADS
    return Job.objects.exclude(state__in=Job.OPEN).filter(finished_at__lt=long_ago)


def _remove_folder(folder: Path) -> None:
    depot.clear(folder)
    with suppress(OSError):
        folder.rmdir()


def _remove_strays() -> int:
    """Remove what a process that died has left between storing the files and making the job."""
    before = time.time() - STRAY_AFTER.total_seconds()
    found = [kept.path for kept in depot.listing(settings.UPLOAD_ROOT) if kept.changed < before]
    named = {
        path.name: path for path in found if path.parent == settings.UPLOAD_ROOT and len(path.name) == NAME_CHARACTERS
    }
    known = {stored.hex for stored in Upload.objects.filter(stored_as__in=named).values_list("stored_as", flat=True)}
    strays = [path for name, path in named.items() if name not in known]
    for path in strays:
        depot.remove(path)
    return len(strays)


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
