"""Doing a job: its files are read chunk by chunk, each chunk and the cursor in one transaction.

One run holds a job. When it is worth it, others join it: then what they read is cut up by `ingest.parts`.
"""

import gc
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from enum import StrEnum, auto
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Max, Prefetch
from psycopg.errors import LockNotAvailable

from ingest import parts, prompts, rejects
from ingest.ahead import InProcess, InThread
from ingest.document import Unreadable
from ingest.models import Chunk, Job, Part, Reject, Upload
from ingest.parts import File
from ingest.portions import PIECE_RECORDS, Portion, portion_of, portions, put_together
from ingest.readers import recognise
from ingest.stages import Stages
from review import depot, intake
from review.depot import Away
from review.models import Batch

if TYPE_CHECKING:
    from ingest.mapping import FieldMapping
    from ingest.models import JobQuerySet
    from review.models import Source
    from review.text.faults import Parameters

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a chunk is given to the database before the run gives up."""
TURN_POLL_SECONDS = 0.005
WORTH_A_PROCESS = 8 << 20
"""Bytes of files from which on records are prepared in a process of its own; also where none is shared with others."""


class Outcome(StrEnum):
    """How a run ended."""

    NOT_HELD = auto()
    """The job is another run's, or needs none."""
    INTERRUPTED = auto()
    """There is more to do: the job waits for the next run."""
    HELPED = auto()
    """There is more to do, and other runs that share the job do it."""
    ENDED = auto()
    """The job is done, or has failed for good."""


class Lost(Exception):  # noqa: N818  a state of affairs, not an error
    """The job is no longer held by this run: its lease ran out and another run took it, or it was stopped."""


class SetBack(Exception):  # noqa: N818  as above
    """The cursor stands before the place to which this run had brought it: the database crashed and lost chunks."""


class TooEarly(Exception):  # noqa: N818  as above
    """What stands before this part has not entered yet."""


class Overtaken(Exception):  # noqa: N818  as above
    """Another run has taken in this part: its lease had run out."""


type OnChunk = Callable[[Chunk], object]


def run(
    job_id: int,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_chunk: OnChunk = lambda _chunk: None,
    invite: Callable[[], object] | None = None,
) -> Outcome:
    """Hold the job and do it, from where the last run left it, until it is done or `should_stop` says so.

    With `invite`, which is called once they can begin, others `join`. Whatever ends a run, what its chunks took in
    stays in, and the next run goes on behind it. Raises what a run cannot deal with (a database that stays away, a
    failure of the program); the job is queued again then.
    """
    job = _take(job_id)
    if job is None:
        logger.info("Job %s is not to be had: duplicate delivery, or done", job_id)
        return Outcome.NOT_HELD

    def read() -> Outcome:
        _bring_here(job)
        _recognise(job)
        files = _files(job)
        stages = Stages.of_job(job)
        if invite is None or stages.model or not parts.is_shareable(job, files):
            return _read_alone(job, stages, should_stop, on_chunk)
        _expect(_held(job).update(is_shared=True))
        invite()
        return _read_together(job, files, should_stop, on_chunk)

    return _through(job, read)


def join(
    job_id: int, *, should_stop: Callable[[], bool] = lambda: False, on_chunk: OnChunk = lambda _chunk: None
) -> Outcome:
    """Help the run that holds the job until nothing is left to begin; raises as `run`."""
    job = _fetched(Job.objects.filter(pk=job_id, state=Job.State.RUNNING, is_shared=True))
    if job is None:
        return Outcome.NOT_HELD

    def read() -> Outcome:
        _bring_here(job)
        return _read_together(job, _files(job), should_stop, on_chunk)

    return _through(job, read)


def _through(job: Job, read: Callable[[], Outcome]) -> Outcome:
    """See a run through to its end, whatever comes of reading."""
    try:
        outcome = read()
        if outcome == Outcome.ENDED:
            rejects.write(job)
            outcome = _end(job)
        if outcome == Outcome.INTERRUPTED:
            _held(job).queue()
    except Lost:
        logger.warning("Job %s, fence %s: another run has taken it, or it was stopped", job.pk, job.fence)
        return Outcome.NOT_HELD
    except (Unreadable, prompts.Unsound) as error:
        _held(job).end(Job.State.FAILED, error_code=error.code, **error.parameters)
    except Away as error:
        _give_back(job, error)
        raise
    except OSError as error:
        logger.exception("Job %s", job.pk)
        _held(job).end(Job.State.FAILED, error_code="disk", trouble=error.strerror or type(error).__name__)
    except BaseException as error:
        _give_back(job, error)
        raise
    else:
        return outcome
    return Outcome.ENDED


def _end(job: Job) -> Outcome:
    """End the job if nothing of it was lost in a crash of the database; else there is more to do."""
    if _at_cursor(job).end(Job.State.DONE):
        return Outcome.ENDED
    _expect(_held(job).exists())
    return Outcome.INTERRUPTED


def rehearse(  # noqa: PLR0913  what is asked for
    paths: Sequence[Path],
    *,
    source: "Source",
    format: str = "",  # noqa: A002  named like the option
    encoding: str = "",
    rules: Collection[str] = (),
    mapping: "FieldMapping | None" = None,
) -> Iterator[tuple[Portion, intake.Counted]]:
    """Go through files as a job would, portion by portion, and count without writing. Raises Unreadable."""
    files = []
    format = format or (mapping.format if mapping else "")  # noqa: A001  as above
    for number, path in enumerate(paths, start=1):
        found = recognise(path, format=format or None, encoding=encoding or None)
        files.append(File(number, path, found.format, found.container, found.encoding))
    ledger = intake.Ledger(Batch(pk=0, source=source))
    stages = Stages.of(source, also=rules, mapping=mapping, is_rehearsal=True)
    with closing(portions(files, stages=stages)) as coming:
        for portion in coming:
            counted = intake.count_records(portion.entries, ledger=ledger)
            counted.dropped.update(portion.dropped)
            yield portion, counted


def _take(job_id: int) -> Job | None:
    """Hold the job if it is to be had; one that was tried often enough is set aside instead."""
    jobs = Job.objects.filter(pk=job_id)
    jobs.set_aside_fruitless()
    with transaction.atomic():
        if not jobs.take():
            return None
        Part.objects.filter(job=job_id).delete()
        return _fetched(jobs)


def _fetched(jobs: "JobQuerySet") -> Job | None:
    """Return the job with all that doing it needs."""
    uploads = Prefetch("uploads", Upload.objects.order_by("number"))
    return jobs.select_related("batch__source", "batch__by").prefetch_related(uploads).first()


def _files(job: Job) -> list[File]:
    """Return the files that are not read to their end."""
    return [
        File(upload.number, upload.path, upload.format, upload.container, upload.encoding)
        for upload in job.uploads.all()
        if upload.number >= job.cursor_file
    ]


def _held(job: Job) -> "JobQuerySet":
    return Job.objects.held(job.pk, job.fence)


def _expect(held: object) -> None:
    if not held:
        raise Lost


def _at_cursor(job: Job) -> "JobQuerySet":
    """Return the job if it is held and its cursor stands where this run has left it."""
    return _held(job).filter(cursor_file=job.cursor_file, cursor_offset=job.cursor_offset)


def _give_back(job: Job, error: BaseException) -> None:
    """Queue the job again; where not even that is possible, the end of the lease does."""
    with suppress(DatabaseError, InterfaceError):
        _renew_connection()
        _held(job).queue(error_code="unexpected", trouble=type(error).__name__)


def _renew_connection() -> None:
    """Let go of a broken connection; the next query opens another."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def _patience() -> float:
    """Return the seconds that may pass before a lease is renewed."""
    seconds: float = settings.INGEST_LEASE.total_seconds() / 4
    return seconds


def _bring_here(job: Job) -> None:
    """See to it that the files that are left to read stand on this machine's disk, however long they take to come."""
    left = [upload for upload in job.uploads.all() if upload.number >= job.cursor_file]
    coming = (depot.here(upload.path, sha256=bytes(upload.sha256).hex()) for upload in left)
    with InThread(coming, patience=_patience()) as ahead:
        while ahead.take(meanwhile=lambda: _expect(_held(job).renew())):
            pass


def _recognise(job: Job) -> None:
    """Find out how each file is to be read, all before the first record is taken; raises Unreadable."""
    for upload in job.uploads.all():
        if upload.format:
            continue
        try:
            found = recognise(upload.path, format=job.format or None, encoding=job.encoding or None, name=upload.name)
        except Unreadable as error:
            raise Unreadable(error.code, error.pointer, **_named(upload, error.parameters)) from error
        upload.format, upload.container, upload.encoding = found.format, found.container, found.encoding
        upload.save(update_fields=["format", "container", "encoding"])


def _named(upload: Upload, parameters: "Parameters") -> dict[str, str | int]:
    """Say which file is meant, by its name for people where the reader had only the one it is stored under."""
    stored, shown = upload.path.name, upload.name
    named = {key: shown if key == "name" and value == stored else value for key, value in parameters.items()}
    return named | {"file": shown}


def _read_alone(job: Job, stages: Stages, should_stop: Callable[[], bool], on_chunk: OnChunk) -> Outcome:
    """Take in what is left; what a crash of the database has taken out again is read once more."""
    while True:
        try:
            return _read_on(job, _files(job), stages, should_stop, on_chunk)
        except SetBack:
            job.refresh_from_db(fields=["cursor_file", "cursor_offset", "cursor_line"])
            logger.warning("Job %s: the database lost chunks, going on behind line %s", job.pk, job.cursor_line)


def _read_on(
    job: Job, files: Sequence[File], stages: Stages, should_stop: Callable[[], bool], on_chunk: OnChunk
) -> Outcome:
    """Take in portion after portion, the next one prepared while the database is busy with the last.

    In this process that begins with the commit: before it, the two would only wait for one another.
    """
    with (
        _settled_objects_spared(),
        _prepared(job, files, stages) as (found, is_beside),
        InThread(found, patience=_patience()) as ahead,
    ):
        while portion := ahead.take(meanwhile=lambda: _expect(_held(job).renew())):
            if is_beside:
                ahead.begin()
            if chunk := _save(job, portion, meanwhile=ahead.begin):
                on_chunk(chunk)
            if should_stop():
                return Outcome.INTERRUPTED
    return Outcome.ENDED


@contextmanager
def _prepared(job: Job, files: Sequence[File], stages: Stages) -> Iterator[tuple[Iterator[Portion], bool]]:
    """Yield the portions that are left, and whether they come from a process beside this one, as of large files."""
    found = partial(portions, files, stages=stages, offset=job.cursor_offset, line=job.cursor_line)
    left = sum(file.size for file in files) - job.cursor_offset
    if left < WORTH_A_PROCESS or stages.model:
        with closing(found()) as here:
            yield here, False
    else:
        records = stages.chunk_records
        pieces = map(_entering, found(most=min(PIECE_RECORDS, records)))
        with closing(InProcess(pieces)) as beside:
            yield put_together(beside, records=records), True


def _entering(portion: Portion) -> Portion:
    """Leave the candidates behind: what enters is in their entries."""
    portion.prepared.clear()
    return portion


def _read_together(job: Job, files: Sequence[File], should_stop: Callable[[], bool], on_chunk: OnChunk) -> Outcome:
    """Prepare part after part and take each in when its turn has come."""
    stages = Stages.of_job(job)
    with _settled_objects_spared():
        while part := parts.claim(job, files):
            _enter(job, part, files, stages, on_chunk)
            if should_stop():
                return Outcome.HELPED if parts.are_left(job) else Outcome.INTERRUPTED
    if parts.are_left(job):
        return Outcome.HELPED
    job.refresh_from_db(fields=["cursor_file", "cursor_offset"])
    return Outcome.HELPED if parts.are_left(job) else Outcome.ENDED  # a crash brings them back


def _enter(job: Job, part: Part, files: Sequence[File], stages: Stages, on_chunk: OnChunk) -> None:
    """Prepare a part and take it in as soon as all before it has entered.

    Who waits longer looks after what may be in the way: a part that the run before has left.
    """
    portion = portion_of(part, files, stages)
    turn = time.monotonic()
    while True:
        try:
            if chunk := _save(job, portion, part=part):
                on_chunk(chunk)
        except TooEarly:
            if time.monotonic() - turn > settings.INGEST_LEASE.total_seconds() / 10:
                turn = time.monotonic()
                _expect(_held(job).renew())
                parts.renew(part)
                if left := parts.abandoned(job):
                    _enter(job, left, files, stages, on_chunk)
            time.sleep(TURN_POLL_SECONDS)
        except Overtaken:
            parts.forget(part)
            return
        else:
            return


@contextmanager
def _settled_objects_spared() -> Iterator[None]:
    """Let the garbage collector look at what comes and goes with the chunks only, not at all that was there before."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _save(
    job: Job, portion: Portion, *, part: Part | None = None, meanwhile: Callable[[], None] = lambda: None
) -> Chunk | None:
    """Take in one portion, all or nothing, moving the cursor behind it; `meanwhile` is begun before the commit.

    A lost connection, a deadlock or a race for a key is met by doing the same again. The portion of a part raises
    TooEarly or Overtaken, any other SetBack; None is returned for one without records.
    """
    for attempt in count(1):
        try:
            chunk = _take_in(job, portion, part, meanwhile)
        except (IntegrityError, OperationalError, InterfaceError) as error:
            if part and isinstance(error.__cause__, LockNotAvailable):
                raise TooEarly from error
            if attempt == TRIES:
                raise
            logger.warning("Job %s, line %s, try %s: %s", job.pk, portion.first_line, attempt, type(error).__name__)
            if not isinstance(error, IntegrityError):
                time.sleep(0.1 * 4**attempt)
                _renew_connection()
            chunk = job.chunks.filter(file=portion.file, end_offset=portion.end).first()
            if chunk is None:
                continue
        job.cursor_file, job.cursor_offset = portion.file, portion.end
        return chunk
    raise AssertionError


@transaction.atomic
def _take_in(job: Job, portion: Portion, part: Part | None, meanwhile: Callable[[], None]) -> Chunk | None:
    _suit_the_database()
    _move_cursor(job, portion, part)
    chunk = _write(job, portion) if portion.read else None
    meanwhile()
    return chunk


def _move_cursor(job: Job, portion: Portion, part: Part | None) -> None:
    """Move the cursor behind the portion. Another run that is about to do the same is waited for."""
    held = _held(job)
    to = {"file": portion.file, "offset": portion.end, "line": portion.last_line}
    if part is None:
        if not _at_cursor(job).advance(**to):
            _expect(held.exists())
            raise SetBack
        return
    before = (part.after_file, part.after_offset)
    if not held.filter(cursor_file=before[0], cursor_offset=before[1]).advance(**to):
        cursor = held.values_list("cursor_file", "cursor_offset").first()
        _expect(cursor is not None)
        raise Overtaken if cursor and cursor > before else TooEarly  # its turn may have come in between
    parts.forget(part)


def _suit_the_database() -> None:
    """Set what this transaction can do without.

    It need not wait until it is on disk. Should the server crash before it is, the cursor is where it was as well, and
    the chunk is read again; whatever is committed later, such as the end of the job or a decision on one of the
    records, brings it to disk with itself. And no look-up of its keys is worth the start of other processes, which the
    planner would have at every chunk.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off; SET LOCAL max_parallel_workers_per_gather TO 0")


def _write(job: Job, portion: Portion) -> Chunk:
    counted = intake.add_records(portion.entries, batch=job.batch)
    dropped = counted.dropped + portion.dropped
    number = (job.chunks.aggregate(last=Max("number"))["last"] or 0) + 1
    chunk = Chunk.objects.create(
        job=job,
        number=number,
        file=portion.file,
        first_line=portion.first_line,
        last_line=portion.last_line,
        first_offset=portion.first_offset,
        end_offset=portion.end,
        new=counted.new,
        changed=counted.changed,
        unchanged=counted.unchanged,
        duplicate=counted.duplicate,
        dropped=dropped.total(),
        rejected=len(portion.refusals),
        dropped_because=dropped,
        unknown_keys=portion.named_keys,
        tally=portion.tally,
        sha256=sha256(portion.hashes).digest(),
    )
    Reject.objects.bulk_create(
        Reject(
            chunk=chunk,
            line=refusal.line,
            offset=refusal.offset,
            code=refusal.code,
            pointer=refusal.pointer,
            parameters=dict(refusal.parameters),
            raw=refusal.raw,
            is_cut=refusal.cut,
        )
        for refusal in portion.refusals
    )
    return chunk
