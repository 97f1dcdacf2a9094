"""What ingest remembers: jobs with their files, what was read of them in which chunk, and what was refused."""

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Case, F, Q, Sum, When
from django.db.models.functions import Coalesce, Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ingest import prompts
from ingest.document import UNREADABLE, Refusal
from review.models.clock import ClockTimestamp
from review.models.tracking import tracked
from review.text.faults import explain

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf
    from pathlib import Path

COUNTS = ("new", "changed", "unchanged", "duplicate", "dropped", "rejected")
"""What becomes of a record that was read: exactly one of these."""

MAX_FRUITLESS_RUNS = 3
"""After as many runs that broke off at the same place, a job is set aside for a person."""

REASONS = {
    "no_progress": _(
        "Tried %(runs)s times without getting beyond %(file)s, line %(line)s. Look at that place of the file, "
        "then resume the job or take the import back. %(trouble)s"
    ),
    "unexpected": _("The last run broke off (%(trouble)s); the log says more."),
    "disk": _("A stored file cannot be read or written (%(trouble)s). Mend that, then resume the job."),
}
"""Why a job stands still, by code, besides those of `ingest.document.UNREADABLE` and `ingest.prompts.FAULTS`."""


class JobQuerySet(models.QuerySet["Job"]):
    def claimable(self) -> Self:
        """Those that a worker may take: queued, or abandoned by a worker whose lease has run out."""
        return self.filter(Q(state=Job.State.QUEUED) | Q(state=Job.State.RUNNING, lease_until__lt=ClockTimestamp()))

    def fruitless(self) -> Self:
        """Claimable ones that were tried often enough without getting on."""
        return self.claimable().filter(fruitless_runs__gte=MAX_FRUITLESS_RUNS)

    def overdue(self) -> Self:
        """Claimable ones of which no worker has been told lately."""
        return self.claimable().exclude(dispatched_at__gte=ClockTimestamp() - settings.INGEST_RESEND_AFTER)

    def held(self, pk: int, fence: int) -> Self:
        """The one job, while the run with this fence holds it; nothing once another run has taken it."""
        return self.filter(pk=pk, fence=fence, state=Job.State.RUNNING)

    def with_counts(self) -> Self:
        """Annotate `read` and the six counts that it is the sum of."""
        return self.annotate(**{name: Coalesce(Sum(f"chunks__{name}"), 0) for name in ("read", *COUNTS)})

    def take(self) -> int:
        """Hold what is claimable: a higher fence and a lease. To go on after an interruption is no new attempt."""
        begins = Case(When(Q(attempt=0) | Q(state=Job.State.RUNNING), then=1), default=0)
        return self.claimable().update(
            state=Job.State.RUNNING,
            fence=F("fence") + 1,
            attempt=F("attempt") + begins,
            fruitless_runs=F("fruitless_runs") + 1,
            lease_until=ClockTimestamp() + settings.INGEST_LEASE,
            heartbeat_at=ClockTimestamp(),
            started_at=Coalesce("started_at", ClockTimestamp()),
            is_shared=False,
        )

    def renew(self) -> int:
        """Hold them for longer, though nothing has been taken in meanwhile."""
        return self.update(lease_until=ClockTimestamp() + settings.INGEST_LEASE, heartbeat_at=ClockTimestamp())

    def advance(self, *, file: int, offset: int, line: int) -> int:
        """Move the cursor, and with it the lease; the run that did is the first that may come no further."""
        return self.update(
            cursor_file=file,
            cursor_offset=offset,
            cursor_line=line,
            fruitless_runs=1,
            lease_until=ClockTimestamp() + settings.INGEST_LEASE,
            heartbeat_at=ClockTimestamp(),
        )

    def queue(self, *, error_code: str = "", **error_parameters: Any) -> int:
        """Let any worker take them from now on."""
        return self.update(
            state=Job.State.QUEUED,
            lease_until=None,
            finished_at=None,
            dispatched_at=ClockTimestamp(),
            error_code=error_code,
            error_parameters=error_parameters,
        )

    def pause(self) -> int:
        """Let nobody take them for the time being; who holds one loses it."""
        return self.update(state=Job.State.PAUSED, lease_until=None)

    def end(self, state: "Job.State", *, error_code: str = "", **error_parameters: Any) -> int:
        """Bring them to an end; nobody holds them any more."""
        return self.update(
            state=state,
            lease_until=None,
            finished_at=ClockTimestamp(),
            error_code=error_code,
            error_parameters=error_parameters,
        )

    def set_aside_fruitless(self) -> int:
        """Quarantine those that were tried often enough, with what is known of the reason; return how many."""
        with transaction.atomic():
            jobs = self.fruitless().select_for_update(skip_locked=True, of=("self",))
            for job in jobs:
                Job.objects.filter(pk=job.pk).end(
                    Job.State.QUARANTINED,
                    error_code="no_progress",
                    runs=job.fruitless_runs,
                    file=job.current_file,
                    line=job.cursor_line,
                    trouble=job.error,
                )
            return len(jobs)


class Job(models.Model):
    """One import: the truth about it, and the outbox from which workers are told of it.

    A worker holds it by `fence`, until `lease_until`. The cursor says where reading goes on: in file number
    `cursor_file`, at byte `cursor_offset`, after line `cursor_line`.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        QUARANTINED = "quarantined", _("quarantined")

    source = models.ForeignKey("review.Source", models.PROTECT, related_name="+", verbose_name=_("source"))
    batch = models.OneToOneField("review.Batch", models.PROTECT, related_name="+", verbose_name=_("batch"))
    state = models.CharField(_("state"), max_length=11, choices=State, default=State.QUEUED)
    format = models.CharField(_("format"), max_length=40, blank=True, default="", help_text=_("Empty: recognised."))
    encoding = models.CharField(_("encoding"), max_length=20, blank=True, default="", help_text=_("Empty: UTF-8."))
    rules = ArrayField(
        models.CharField(max_length=40),
        verbose_name=_("rules switched on"),
        default=list,
        blank=True,
        help_text=_("Repairs and drops for this import alone, beside those of the source."),
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    staged_as = models.UUIDField(_("staged as"), null=True, blank=True, editable=False)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    fruitless_runs = models.PositiveIntegerField(_("runs that came no further"), default=0)
    fence = models.PositiveBigIntegerField(_("fence"), default=0)
    is_shared = models.BooleanField(_("shared by several workers"), default=False)
    lease_until = models.DateTimeField(_("held until"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    dispatched_at = models.DateTimeField(_("workers told at"), null=True, blank=True)
    cursor_file = models.PositiveIntegerField(_("file"), default=1)
    cursor_offset = models.PositiveBigIntegerField(_("byte offset"), default=0)
    cursor_line = models.PositiveIntegerField(_("line"), default=0)
    error_code = models.CharField(_("error"), max_length=40, blank=True, default="")
    error_parameters = models.JSONField(_("parameters of the error"), default=dict, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    OPEN: ClassVar = [State.QUEUED, State.RUNNING, State.PAUSED]

    class Meta:
        verbose_name = _("import job")
        verbose_name_plural = _("import jobs")
        indexes: ClassVar = [
            models.Index(name="ingest_job_open", fields=["id"], condition=Q(state__in=["queued", "running"])),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="ingest_job_state_known",
                condition=Q(
                    state__in=["queued", "running", "paused", "done", "failed", "cancelled", "quarantined"],
                ),
            ),
            models.CheckConstraint(
                name="ingest_job_lease_while_running",
                condition=Q(state="running", lease_until__isnull=False)
                | (~Q(state="running") & Q(lease_until__isnull=True)),
                violation_error_message=_("A job is held exactly while it runs."),
            ),
            models.CheckConstraint(
                name="ingest_job_finished_has_time",
                condition=Q(state__in=["queued", "running", "paused"], finished_at__isnull=True)
                | (~Q(state__in=["queued", "running", "paused"]) & Q(finished_at__isnull=False)),
                violation_error_message=_("A job has an end exactly when it has ended."),
            ),
            models.CheckConstraint(
                name="ingest_job_failure_has_reason",
                condition=~Q(state__in=["failed", "quarantined"]) | ~Q(error_code=""),
                violation_error_message=_("Say why the job failed."),
            ),
            models.UniqueConstraint(
                name="ingest_job_staged_once",
                fields=["staged_as"],
                violation_error_message=_("These files are an import already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.batch_id}"

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.state in self.OPEN

    @property
    def error(self) -> str:
        """Why the job stands still and what to do, in the language in use; empty when nothing is wrong."""
        if not self.error_code:
            return ""
        if self.error_code in REASONS:
            message: str = REASONS[self.error_code] % self.error_parameters
            return message.strip()
        faults = UNREADABLE | prompts.FAULTS
        older = {f"{name}_zh": said for name, said in self.error_parameters.items() if name in {"kind", "known"}}
        told = older | self.error_parameters  # of older jobs, a kind is named in one language
        return explain(faults[self.error_code], "", told, get_language() or "")

    def named(self, sentence: str) -> str:
        """Put before the reason why a file cannot be read the name of the file, where it does not say it itself."""
        name = str(self.error_parameters.get("file", ""))
        return f"{name}: {sentence}" if name and name not in sentence else sentence

    def unknown_keys(self) -> Counter[str]:
        """How often each key occurred that the format does not know."""
        return self._sum("unknown_keys")

    def dropped_because(self) -> Counter[str]:
        """How many records were dropped, by reason."""
        return self._sum("dropped_because")

    def tally(self) -> dict[str, Counter[str]]:
        """How often each stage did what, by stage and what it did, such as the templates used."""
        total: dict[str, Counter[str]] = {}
        for tally in self.chunks.exclude(tally={}).values_list("tally", flat=True).iterator():
            for stage, counts in tally.items():
                total.setdefault(stage, Counter()).update(counts)
        return total

    def _sum(self, column: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for counts in self.chunks.exclude(**{column: {}}).values_list(column, flat=True).iterator():
            total.update(counts)
        return total

    @property
    def current_file(self) -> str:
        """The name of the file in which reading goes on."""
        return next((upload.name for upload in self.uploads.all() if upload.number == self.cursor_file), "")

    @property
    def folder(self) -> "Path":
        """Where files made by the job stand."""
        folder: Path = settings.UPLOAD_ROOT / f"job-{self.pk}"
        return folder

    @property
    def rejects_path(self) -> "Path":
        """Where the refused records stand, once the job is done and if there are any."""
        return self.folder / "rejects.jsonl"


class Upload(models.Model):
    """One file of a job, stored under a name of our own. How it is read is filled in when it is first looked at."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="uploads", verbose_name=_("job"))
    number = models.PositiveIntegerField(_("number"))
    name = models.CharField(_("name"), max_length=200, help_text=_("For people: printable, without folders."))
    stored_as = models.UUIDField(_("stored as"), unique=True)
    size = models.BigIntegerField(_("size in bytes"))
    sha256 = models.BinaryField(_("sha256"), max_length=32)
    format = models.CharField(_("format"), max_length=40, blank=True, default="")
    container = models.CharField(_("container"), max_length=20, blank=True, default="")
    encoding = models.CharField(_("encoding"), max_length=20, blank=True, default="")
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("uploaded file")
        verbose_name_plural = _("uploaded files")
        constraints: ClassVar = [
            models.UniqueConstraint(name="ingest_upload_number", fields=["job", "number"]),
            models.CheckConstraint(name="ingest_upload_size_not_negative", condition=Q(size__gte=0)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> "Path":
        """Where the file stands."""
        path: Path = settings.UPLOAD_ROOT / self.stored_as.hex
        return path


class Part(models.Model):
    """Some lines of a file that one of the runs sharing a job prepares; it is gone once they have entered.

    They enter when the cursor of the job stands `after_file`, `after_offset`. The run holds the part by `lease_until`;
    the fence is that of the job.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="parts", db_index=False, verbose_name=_("job"))
    fence = models.PositiveBigIntegerField(_("fence"))
    after_file = models.PositiveIntegerField(_("file before"))
    after_offset = models.PositiveBigIntegerField(_("byte offset before"))
    file = models.PositiveIntegerField(_("number of the file"))
    first_offset = models.PositiveBigIntegerField(_("byte offset"))
    lines_before = models.PositiveIntegerField(_("lines before"))
    end_offset = models.PositiveBigIntegerField(_("byte after the end"))
    last_line = models.PositiveIntegerField(_("last line"))
    lease_until = models.DateTimeField(_("held until"))

    class Meta:
        verbose_name = _("part")
        verbose_name_plural = _("parts")
        constraints: ClassVar = [
            models.UniqueConstraint(name="ingest_part_once", fields=["job", "fence", "after_file", "after_offset"]),
            models.CheckConstraint(name="ingest_part_goes_forward", condition=Q(end_offset__gt=F("first_offset"))),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.file}/{self.first_offset}"


class Chunk(models.Model):
    """What was read in one transaction, and what became of it: the audit row of its records."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="chunks", db_index=False, verbose_name=_("job"))
    number = models.PositiveIntegerField(_("number"))
    file = models.PositiveIntegerField(_("number of the file"))
    first_line = models.PositiveIntegerField(_("first line"))
    last_line = models.PositiveIntegerField(_("last line"))
    first_offset = models.PositiveBigIntegerField(_("byte offset"))
    end_offset = models.PositiveBigIntegerField(_("byte after the end"))
    new = models.IntegerField(_("new"), default=0)
    changed = models.IntegerField(_("changed"), default=0)
    unchanged = models.IntegerField(_("unchanged"), default=0)
    duplicate = models.IntegerField(_("duplicate"), default=0)
    dropped = models.IntegerField(_("dropped"), default=0)
    rejected = models.IntegerField(_("rejected"), default=0)
    read = models.GeneratedField(
        expression=F("new") + F("changed") + F("unchanged") + F("duplicate") + F("dropped") + F("rejected"),
        output_field=models.IntegerField(_("read")),
        db_persist=True,
    )
    dropped_because = models.JSONField(_("dropped because of"), default=dict, help_text="{reason: count}")
    unknown_keys = models.JSONField(_("unknown keys"), default=dict, help_text="{key: count}")
    tally = models.JSONField(_("what the stages did"), default=dict, help_text="{stage: {what: count}}")
    sha256 = models.BinaryField(
        _("sha256"),
        max_length=32,
        help_text=_(
            "Of the hashes of the records as they stood, one after the other (refused ones: of the part kept)."
        ),
    )
    at = models.DateTimeField(_("at"), db_default=ClockTimestamp())

    class Meta:
        verbose_name = _("chunk")
        verbose_name_plural = _("chunks")
        constraints: ClassVar = [
            models.UniqueConstraint(name="ingest_chunk_once", fields=["job", "number"]),
            models.CheckConstraint(
                name="ingest_chunk_counts_not_negative",
                condition=Q(
                    new__gte=0, changed__gte=0, unchanged__gte=0, duplicate__gte=0, dropped__gte=0, rejected__gte=0
                ),
            ),
            models.CheckConstraint(
                name="ingest_chunk_goes_forward",
                condition=Q(last_line__gte=F("first_line"), end_offset__gt=F("first_offset")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.number}"


class Reject(models.Model):
    """A record that was refused: where it stood, why, and its beginning."""

    chunk = models.ForeignKey(Chunk, models.CASCADE, related_name="rejects", verbose_name=_("chunk"))
    line = models.PositiveIntegerField(_("line"))
    offset = models.PositiveBigIntegerField(_("byte offset"))
    code = models.CharField(_("code"), max_length=40)
    pointer = models.TextField(_("field"), blank=True, default="")
    parameters = models.JSONField(_("parameters of the message"), default=dict)
    raw = models.BinaryField(_("beginning of the record"))
    is_cut = models.BooleanField(_("longer than what is kept"), default=False)

    class Meta:
        verbose_name = _("refused record")
        verbose_name_plural = _("refused records")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="ingest_reject_has_code",
                condition=~Q(code=""),
                violation_error_message=_("Say why the record is refused."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.chunk_id}:{self.line} {self.code}"

    @property
    def message(self) -> str:
        """What is wrong and what to do, in the language in use."""
        parameters: MappingOf[str, Any] = self.parameters
        refusal = Refusal(self.line, self.offset, self.offset, self.code, self.pointer, parameters)
        return refusal.message(get_language() or "")


@tracked("mapping")
class Mapping(models.Model):
    """How the fields of a source's files become ours, kept under a name."""

    source = models.ForeignKey("review.Source", models.PROTECT, related_name="+", verbose_name=_("source"))
    name = models.CharField(_("name"), max_length=100)
    spec = models.JSONField(_("mapping"))

    class Meta:
        verbose_name = _("mapping")
        verbose_name_plural = _("mappings")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="ingest_mapping_name",
                fields=["source", "name"],
                violation_error_message=_("This source has a mapping of that name already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
