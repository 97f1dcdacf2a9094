"""What pages and the API show of jobs: which ones, how far each is, and what taking one back would do."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.core.cache import cache
from django.db.models import Count, Exists, Field, OuterRef, Prefetch
from django.utils.translation import gettext_lazy as _

from ingest.document import UNREADABLE
from ingest.models import COUNTS, Chunk, Job, Reject, Upload
from review import access
from review.models import Batch, Claim, Decision, Flag, Record, Retraction, Rights, State
from review.text.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet
    from django_stubs_ext import StrOrPromise

    from ingest.models import JobQuerySet
    from review.models import User

PAGE = 25
SHOWN_REJECTS = 50
FLAGS_KEPT_SECONDS = 60
OF_THE_DISK = {"cannot_open", "not_a_file"}
"""Why a file cannot be read, but may be another time."""


FORMAT_NAMES = {
    "cqia": _("CQIA: nine fields, or the eight of the README"),
    "alpaca": _("Alpaca: instruction, input, output; with history, a conversation"),
    "sharegpt": _("ShareGPT: conversations"),
    "messages": _("OpenAI: messages"),
    "answers": _("Answers to questions, with votes and HTML"),
    "answer-rows": _("Answers in rows, with metadata as text"),
    "coig-exam": _("COIG exam questions"),
    "options": _("Exam questions with a list of options"),
    "choices": _("Exam questions with columns A, B, C, D"),
    "exam": _("Exam papers: question, answer, analysis, points"),
    "blocks": _("Exam questions in blocks of lines"),
    "parallel": _("Parallel texts: classical and modern, or two languages"),
    "qa": _("Questions and answers"),
    "poems": _("Poems"),
    "threads": _("Threads of a forum, without answers"),
    "prompts": _("Prompts without answers"),
    "articles": _("Articles: title and body"),
    "entries": _("Entries with attributes: templates make the question"),
    "rejects": _("Rejected records, mended: each in the format of its own"),
}
"""What the formats are called on pages."""

MEANINGS = {
    "new": _("enter the queue"),
    "changed": _("another wording of a known record"),
    "unchanged": _("here since an earlier import"),
    "duplicate": _("the same text as another record"),
    "dropped": _("left out by a rule"),
    "rejected": _("cannot be taken as they are"),
}
"""What each of the counts is, in half a sentence."""


@dataclass(frozen=True, slots=True)
class CountOf:
    """How many records of an import had the same fate, and what fate that is."""

    name: str
    meaning: "StrOrPromise"
    number: int

    @property
    def label(self) -> "StrOrPromise":
        """The name for people."""
        field: Field[object, object] = Chunk._meta.get_field(self.name)  # type: ignore[assignment]
        return field.verbose_name


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in bytes of its files."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        """Whole per cent; 100 only where all is done."""
        return self.done * 100 // self.total if self.total else 0


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a retraction changes: records that leave, by state, and those that get back the wording before."""

    states: list[tuple[State, int]]
    claimed: int
    reworded: int

    @property
    def records(self) -> int:
        """How many records leave."""
        return sum(number for _state, number in self.states)


def jobs_for(by: "User") -> "JobQuerySet":
    """Return the jobs that the person may see: those of the sources that they are not kept from."""
    limits = access.limited_to(by)
    uploads = Prefetch("uploads", Upload.objects.order_by("number"))
    jobs = Job.objects.filter(source__in=limits) if limits else Job.objects.all()
    return jobs.select_related(
        "source__category", "source__rights", "batch__rights", "batch__retraction", "by"
    ).prefetch_related(uploads)


def page_of_jobs(by: "User", *, before: int | None = None) -> "tuple[Sequence[Job], int | None]":
    """Return jobs with their counts, the newest first, those older than `before`; and where the next page begins."""
    found = jobs_for(by).filter(pk__lt=before) if before else jobs_for(by)
    keys = list(found.order_by("-pk").values_list("pk", flat=True)[: PAGE + 1])
    jobs = list(jobs_for(by).filter(pk__in=keys[:PAGE]).with_counts())
    jobs.sort(key=lambda job: -job.pk)
    return jobs, keys[PAGE - 1] if len(keys) > PAGE else None


def progress(job: Job) -> Progress:
    """Return how far a job is; `uploads` must be in order where they were fetched before."""
    uploads = list(job.uploads.all())
    total = sum(upload.size for upload in uploads)
    if job.state == Job.State.DONE:
        return Progress(total or 1, total or 1)
    before = sum(upload.size for upload in uploads if upload.number < job.cursor_file)
    within = next((upload.size for upload in uploads if upload.number == job.cursor_file), 0)
    return Progress(before + min(job.cursor_offset, within), total)


def counts(job: Job) -> list[CountOf]:
    """Return the six counts of a job that has them annotated; their sum is what was read."""
    return [CountOf(name, MEANINGS[name], getattr(job, name)) for name in COUNTS]


def rights(job: Job) -> Rights | None:
    """Return what is decided for the records of a job that say nothing of their own: by the import, else the source."""
    return job.batch.rights or job.source.rights


def can_go_on(job: Job) -> bool:
    """Tell whether it can help to resume a job that has ended: not where its files are gone, or as faulty as before."""
    if job.state == Job.State.DONE or any(upload.removed_at for upload in job.uploads.all()):
        return False
    return job.error_code not in UNREADABLE.keys() - OF_THE_DISK


def rejects(job: Job) -> "QuerySet[Reject]":
    """Return what was refused, in the order of the files."""
    return Reject.objects.filter(chunk__job=job).select_related("chunk").order_by("pk")


def by_score(numbers: "Mapping[str, int]") -> list[tuple[str, int]]:
    """Return how many records have each quality score, by score; those without one come last."""

    def place(counted: tuple[str, int]) -> tuple[bool, int, str]:
        score = counted[0]
        return (False, int(score), "") if score.isdecimal() else (True, 0, score)

    return sorted(numbers.items(), key=place)


def flags(job: Job) -> list[tuple[str, int]]:
    """Return by rule how many records that a job brought in were flagged, whichever wording of theirs it was.

    Kept for a minute: of a million records it takes a second or two to count, so it is counted of ended jobs only.
    """

    def counted() -> list[tuple[str, int]]:
        flagged = Flag.objects.filter(record__batch=job.batch_id)
        numbers = (
            flagged.values_list("rule").annotate(number=Count("record", distinct=True)).order_by("-number", "rule")
        )
        return [(rule, number) for rule, number in numbers if rule in RULES]

    if job.is_open:
        return []
    return cast("list[tuple[str, int]]", cache.get_or_set(f"flags-of-job-{job.pk}", counted, FLAGS_KEPT_SECONDS))


def consequences(batch: Batch) -> Consequences:
    """Count what a retraction of the batch would change."""
    live = Record.objects.filter(batch=batch, retraction=None)
    numbers: Counter[str] = Counter(dict(live.values_list("state").annotate(number=Count("pk"))))
    numbers[State.WAITING] += numbers.pop(State.SECOND, 0)
    undecided = ~Exists(Decision.objects.filter(record=OuterRef("pk")))
    reworded = Record.objects.filter(
        undecided, revision__batch=batch, state__in=[State.WAITING, State.UNANSWERED], retraction=None
    ).exclude(batch=batch)
    return Consequences(
        [(state, numbers[state]) for state in State if numbers[state]],
        Claim.objects.filter(record__in=live).count(),
        reworded.count(),
    )


def described(job: Job) -> dict[str, Any]:
    """Return what the API says of a job that has its counts annotated."""
    retraction: Retraction | None = getattr(job.batch, "retraction", None)
    return {
        "job": job.pk,
        "state": job.state,
        "source": job.source.slug,
        "read": sum(count.number for count in counts(job)),
        **{count.name: count.number for count in counts(job)},
        "percent": progress(job).percent,
        "files": [
            {"name": upload.name, "bytes": upload.size, "format": upload.format, "encoding": upload.encoding}
            for upload in job.uploads.all()
        ],
        "error": job.named(job.error),
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "retracted_at": retraction.at if retraction else None,
    }
