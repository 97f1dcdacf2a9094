"""Asking for imports: submit, pause, cancel, resume, retract."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingest import keeping
from ingest.document import Unreadable
from ingest.models import Job, Upload
from ingest.readers import READERS, encodings
from ingest.rejects import sync_folder
from ingest.sweeper import send
from review import access, depot, retractions, rights
from review.models import Batch, Licence, Retraction
from review.models.clock import ClockTimestamp
from review.refused import Ground, Refused
from review.text.rules import RULES, Kind
from review.text.strict import printable

if TYPE_CHECKING:
    from uuid import UUID

    from ingest.mapping import FieldMapping
    from review.models import Source, User

BLOCK_BYTES = 1 << 20
MAX_NAME_CHARACTERS = 200
MAX_HOLDER_CHARACTERS = 500
MAX_EVIDENCE_CHARACTERS = 2000


def submit(  # noqa: PLR0913  what is asked for
    *,
    source: "Source",
    files: Iterable[tuple[str, BinaryIO]],
    by: "User | None",
    licence: str = "",
    holder: str = "",
    evidence: str = "",
    format: str = "",  # noqa: A002  named like the option
    encoding: str = "",
    rules: Collection[str] = (),
    mapping: "FieldMapping | None" = None,
    staged_as: "UUID | None" = None,
    tell_workers: bool = True,
) -> Job:
    """Store the files, names with open streams, and queue their import as one job; workers are told after the commit.

    The job keeps the mapping as it is now, whatever becomes of one that was kept under a name.
    With anything said of them, the rights of the batch are decided. Raises Refused for what may not be or is not known,
    OSError when the disk refuses; then nothing is left behind.
    """
    access.check_import(by)
    format = format or (mapping.format if mapping else "")  # noqa: A001  as above
    said = {"licence": licence, "holder": holder, "evidence": evidence}
    check(source, said=said, format=format, encoding=encoding, rules=rules)
    keeping.check_room()
    with _stored(files) as uploads, transaction.atomic():
        if not uploads:
            raise Refused(_("Give a file to import."), ground=Ground.INVALID)
        batch = Batch.objects.create(source=source, name=_batch_name(uploads), by=by)
        if any(said.values()):
            rights.decide_rights(batch, by=by, **said | {"licence": licence or Licence.UNKNOWN})
        job = Job.objects.create(
            source=source,
            batch=batch,
            by=by,
            format=format,
            encoding=encoding,
            rules=sorted(set(rules)),
            options={"mapping": dict(mapping.spec)} if mapping else {},
            staged_as=staged_as,
            dispatched_at=ClockTimestamp(),
        )
        for upload in uploads:
            upload.job = job
        Upload.objects.bulk_create(uploads)
        if tell_workers:
            transaction.on_commit(partial(send, job.pk), robust=True)
    return job


def cancel(job: Job, *, by: "User | None") -> None:
    """Stop a job after the chunk that it is at; what came in stays in."""
    access.check_import(by)
    if not Job.objects.filter(pk=job.pk, state__in=Job.OPEN).end(Job.State.CANCELLED):
        raise Refused(_("This job has ended already."))
    job.refresh_from_db()


def pause(job: Job, *, by: "User | None") -> None:
    """Let a job rest after the chunk that it is at, until somebody resumes it."""
    access.check_import(by)
    if not Job.objects.filter(pk=job.pk, state__in=[Job.State.QUEUED, Job.State.RUNNING]).pause():
        raise Refused(_("Only a job that waits or runs can be paused."))
    job.refresh_from_db()


@transaction.atomic
def resume(job: Job, *, by: "User | None", tell_workers: bool = True) -> None:
    """Let a job that was paused, failed, was cancelled or set aside go on where it stopped."""
    access.check_import(by)
    _lock(job)
    if Retraction.objects.filter(batch=job.batch_id).exists():
        raise Refused(_("This import was taken back. Import the files again instead."))
    jobs = Job.objects.filter(pk=job.pk)
    if jobs.filter(state=Job.State.DONE).exists():
        raise Refused(_("This job is done already."))
    if job.uploads.exclude(removed_at=None).exists():
        raise Refused(
            _("The files of this job are not kept any more. Import them again: what is in counts as unchanged.")
        )
    stopped = jobs.exclude(state__in=[Job.State.QUEUED, Job.State.RUNNING])
    stopped.update(fruitless_runs=0)
    stopped.queue()
    depot.remove(job.rejects_path)
    job.refresh_from_db()
    if tell_workers:
        transaction.on_commit(partial(send, job.pk), robust=True)


@transaction.atomic
def retract(job: Job, *, by: "User | None", reason: str = "") -> Retraction:
    """Take back all that came in with a job; one that still runs is stopped first."""
    access.check_retract(by)
    _lock(job)
    Job.objects.filter(pk=job.pk, state__in=Job.OPEN).end(Job.State.CANCELLED)
    retraction = retractions.retract(job.batch, by=by, reason=reason)
    job.refresh_from_db()
    return retraction


def _lock(job: Job) -> None:
    """Wait for whoever resumes the job or takes it back at this moment, and let the next one wait."""
    Job.objects.select_for_update().get(pk=job.pk)


def check(
    source: "Source",
    *,
    said: Mapping[str, str],
    format: str,  # noqa: A002  as above
    encoding: str,
    rules: Collection[str],
) -> None:
    """Refuse what is wrong whatever the files hold; `said` of the rights: `licence`, `holder`, `evidence`."""
    if not source.is_active:
        raise Refused(_("The source “%(source)s” is switched off.") % {"source": source}, ground=Ground.INVALID)
    _check_rights(**said)
    if format and format not in READERS:
        known = ", ".join(READERS)
        message = _("There is no format “%(format)s”. Known are: %(known)s.") % {"format": format, "known": known}
        raise Refused(message, ground=Ground.INVALID, fields={"format": message})
    if encoding:
        _check_encoding(encoding)
    _check_rules(rules)


def _check_rights(*, licence: str, holder: str, evidence: str) -> None:
    """Refuse a licence that there is not, and what is too long; without a licence it is unknown."""
    for name, text, most in (
        ("holder", holder, MAX_HOLDER_CHARACTERS),
        ("evidence", evidence, MAX_EVIDENCE_CHARACTERS),
    ):
        if len(text) > most:
            message = _("“%(name)s” is too long: %(most)s characters are allowed.") % {"name": name, "most": most}
            raise Refused(message, ground=Ground.INVALID, fields={name: message})
    if licence:
        rights.check_licence(licence)


def _check_rules(names: Collection[str]) -> None:
    """Refuse what is neither a repair nor a drop: flags need no switching on."""
    known = [rule.id for rule in RULES.values() if rule.kind != Kind.FLAG]
    if unknown := next((name for name in names if name not in known), None):
        message = _("There is no rule “%(name)s” that repairs or drops. Known are: %(known)s.")
        raise Refused(message % {"name": unknown, "known": ", ".join(known)}, ground=Ground.INVALID)


def _check_encoding(encoding: str) -> None:
    try:
        encodings.canonical(encoding)
    except Unreadable as error:
        message = error.message(get_language() or "")
        raise Refused(message, ground=Ground.INVALID, fields={"encoding": message}) from error


@contextmanager
def _stored(files: Iterable[tuple[str, BinaryIO]]) -> Iterator[list[Upload]]:
    """Write the files to disk, safe against a power cut, and where every worker finds them, for the block.

    They go again when it fails.
    """
    root: Path = settings.UPLOAD_ROOT
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    uploads: list[Upload] = []
    try:
        for number, (name, stream) in enumerate(files, start=1):
            upload = Upload(number=number, name=_shown(name), stored_as=uuid4())
            uploads.append(upload)
            upload.size, upload.sha256 = _copy(stream, upload.path)
            depot.keep(upload.path)
            keeping.check_room()
        sync_folder(root)
        yield uploads
    except BaseException:
        for upload in uploads:
            with suppress(OSError):
                depot.remove(upload.path)
        raise


def _copy(stream: BinaryIO, path: Path) -> tuple[int, bytes]:
    """Write what is left of a stream to a new file; return its size and sha256."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for block in iter(partial(stream.read, BLOCK_BYTES), b""):
            digest.update(block)
            size += file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.digest()


def _shown(name: str) -> str:
    """Return a file's name for people: the last part of its path, on one line, cut."""
    return printable(PurePath(name.replace("\\", "/")).name or "-", MAX_NAME_CHARACTERS)[:MAX_NAME_CHARACTERS]


def _batch_name(uploads: Sequence[Upload]) -> str:
    others = f" (+{len(uploads) - 1})" if len(uploads) > 1 else ""
    return uploads[0].name[: MAX_NAME_CHARACTERS - len(others)] + others
