import json
import os
import subprocess
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import get_language, gettext_lazy, gettext_noop
from django.utils.translation import gettext as _

from ingest import jobs, mappings, overview, pipeline, rejects
from ingest.management.failures import USAGE, in_one_sentence
from ingest.management.progress import Meter
from ingest.mapping import FieldMapping
from ingest.models import COUNTS, Chunk, Job
from ingest.readers import READERS
from review.models import Licence, Source
from review.refused import Ground, Refused
from review.reporting import BilingualCommand

SHOWN_REJECTS = 20
POLL_SECONDS = 0.5
OF_RIGHTS = ("licence", "holder", "evidence")
READ_AS = ("format", "encoding", "rules")
_WORKERS = gettext_noop(
    "processes that share the job (default: %(default)s); they share files of one record a line, while one that is "
    "packed (gzip, Zstandard), a JSON array, a table or Parquet is read by one of them"
)
_RIGHTS_UNKNOWN = gettext_lazy(
    "The rights are unknown: what is approved stays out of published releases until the rights of the import, of the "
    "source or of the record are decided."
)


class Command(BilingualCommand):
    help = gettext_noop(
        "Import files of records as one job: JSONL, JSON, CSV or TSV, blocks of lines or Parquet, plain or packed with "
        "gzip or Zstandard, in any of the formats of the README. The command does the job itself. When it is killed, a "
        "running worker goes on with "
        "the job; `ingest --resume JOB` does, too, and so does the same command again: what is in counts as unchanged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("paths", metavar="PATH", nargs="*", type=Path, help=_("a file of records"))
        add("--source", metavar="SLUG", help=_("the source in the catalogue, such as ruozhiba"))
        add(
            "--licence",
            metavar="NAME",
            default="",
            help=_("of these files: %(names)s") % {"names": ", ".join(Licence.values)},
        )
        add("--holder", metavar="TEXT", default="", help=_("who holds the rights in these files"))
        add(
            "--evidence",
            metavar="TEXT",
            default="",
            help=_("where the licence is stated, or who allowed what, and when"),
        )
        add(
            "--format",
            metavar="NAME",
            default="",
            help=_("%(names)s; recognised when left out") % {"names": ", ".join(READERS)},
        )
        add("--encoding", metavar="NAME", default="", help=_("UTF-8 when left out"))
        add("--mapping", metavar="FILE", help=_("how the fields become ours: a JSON file, or one kept for the source"))
        add(
            "--rules",
            metavar="NAME,…",
            type=_names,
            default=(),
            help=_("repairs and drops to switch on for this import"),
        )
        add("--dry-run", action="store_true", help=_("count, show what would be refused, write nothing"))
        add("--workers", metavar="N", type=int, default=1, help=_(_WORKERS))
        add("--join", metavar="JOB", type=int, help=SUPPRESS)
        add("--resume", metavar="JOB", type=int, help=_("go on with a job that stopped, instead of PATH and --source"))
        add("--json", action="store_true", help=_("make the last line of standard output one JSON object"))

    def execute(self, *args: Any, **options: Any) -> str | None:
        with in_one_sentence():
            return super().execute(*args, **options)

    def handle(self, **options: Any) -> None:
        self.started = time.monotonic()
        self.as_json: bool = options["json"]
        _check_usage(options)
        if options["join"] is not None:
            pipeline.join(options["join"])
        elif options["dry_run"]:
            self._rehearse(options)
        else:
            job = _submitted(options) if options["resume"] is None else _resumed(options["resume"])
            self._do(job, others=options["workers"] - 1)

    def _do(self, job: Job, *, others: int) -> None:
        """Do the job in this process, with so many others; where a worker was faster, watch it."""
        sizes = [upload.size for upload in job.uploads.order_by("number")]
        try:
            with Meter(sizes, self._say, is_terminal=self.stderr.isatty()) as meter, ExitStack() as helpers:
                self._follow(job, meter, partial(_call_in, job, others, helpers) if others else None)
        except KeyboardInterrupt:
            jobs.cancel(job, by=None)
        job = Job.objects.with_counts().select_related("batch__rights", "source__rights").get(pk=job.pk)
        self._report(job)
        if job.state != Job.State.DONE:
            raise CommandError(_why(job))

    def _follow(self, job: Job, meter: Meter, invite: Callable[[], None] | None) -> None:
        def on_chunk(chunk: Chunk) -> None:
            meter.show(chunk.file, chunk.end_offset, more=chunk.read)

        while job.is_open and job.state != Job.State.PAUSED:
            outcome = pipeline.run(job.pk, on_chunk=on_chunk, invite=invite)
            job.refresh_from_db()
            if outcome != pipeline.Outcome.ENDED and job.is_open:
                meter.show(job.cursor_file, job.cursor_offset)
                time.sleep(POLL_SECONDS)

    def _report(self, job: Job) -> None:
        refused = rejects.at_hand(job)
        counts = {name: getattr(job, name) for name in ("read", *COUNTS)}
        if job.state == Job.State.DONE and not counts["read"]:
            self._say(_("The files hold no records."))
        for notice in _notices(job):
            self._say(notice)
        decided = overview.rights(job)
        if counts["new"] and (decided is None or decided.is_unknown):
            self._say(str(_RIGHTS_UNKNOWN))
        self._finish(job.pk, job.state, counts, str(refused) if refused else None)

    def _rehearse(self, options: dict[str, Any]) -> None:
        """Count what an import would do, and show what it would refuse."""
        paths, source, counts = options["paths"], _source(options["source"]), Counter[str]()
        read_as = {name: options[name] for name in READ_AS}
        jobs.check(source, said={name: options[name] for name in OF_RIGHTS}, **read_as)
        sizes = [path.stat().st_size for path in paths]
        with Meter(sizes, self._say, is_terminal=self.stderr.isatty()) as meter:
            for portion, counted in pipeline.rehearse(
                paths,
                source=source,
                mapping=_mapping(options["mapping"], source),
                **read_as,
            ):
                for refusal in portion.refusals[: SHOWN_REJECTS - counts["rejected"]]:
                    where = f"{paths[portion.file - 1]}:{refusal.line}"
                    self._say(f"{where} ({refusal.offset}): {refusal.message(get_language() or '')}")
                counts.update(read=portion.read, rejected=len(portion.refusals), dropped=counted.dropped.total())
                counts.update({name: getattr(counted, name) for name in COUNTS[:4]})
                meter.show(portion.file, portion.end, more=portion.read)
        if counts["rejected"] > SHOWN_REJECTS:
            self._say(_("… and %(more)s more refused records.") % {"more": counts["rejected"] - SHOWN_REJECTS})
        self._finish(None, "dry-run", counts, None)

    def _finish(self, job: int | None, state: str, counts: Mapping[str, int], rejects_file: str | None) -> None:
        seconds = round(time.monotonic() - self.started, 3)
        result: dict[str, object] = {"job": job, "state": state}
        result |= {name: counts[name] for name in ("read", *COUNTS)}
        result |= {"rejects_file": rejects_file, "seconds": seconds}
        if self.as_json:
            self.stdout.write(json.dumps(result, ensure_ascii=False))
            return
        names = {field.name: field.verbose_name for field in Chunk._meta.fields}
        parts = " + ".join(f"{counts[name]:,} {names[name]}" for name in COUNTS)
        words = {"read": f"{counts['read']:,}", "parts": parts, "seconds": f"{seconds:.1f}"}
        self._say(_("%(read)s read = %(parts)s (%(seconds)s s)") % words)

    def _say(self, text: str) -> None:
        (self.stderr if self.as_json else self.stdout).write(text, str)


def _check_usage(options: dict[str, Any]) -> None:
    """Refuse what makes no sense, before anything is asked of the database."""
    trouble = None
    if options["workers"] < 1:
        trouble = _("--workers must be at least 1.")
    elif options["join"] is not None:
        return
    elif options["resume"] is not None and (options["paths"] or options["source"] or options["dry_run"]):
        trouble = _("--resume goes on with a job as it was submitted: give nothing else.")
    elif options["resume"] is None and not (options["paths"] and options["source"]):
        trouble = _("Name the file to import and, with --source, where it comes from.")
    elif missing := next((path for path in options["paths"] if not path.exists()), None):
        trouble = _("There is no file %(path)s.") % {"path": missing}
    elif folder := next((path for path in options["paths"] if path.is_dir()), None):
        trouble = _("%(path)s is a folder: name the files in it, such as %(path)s/*.jsonl.") % {"path": folder}
    if trouble:
        raise CommandError(trouble, returncode=USAGE)


def _names(said: str) -> tuple[str, ...]:
    """Return the names in a list with commas."""
    return tuple(filter(None, (name.strip() for name in said.split(","))))


def _source(slug: str) -> Source:
    sources = {source.slug: source for source in Source.objects.all()}
    if slug in sources:
        return sources[slug]
    near = get_close_matches(slug, sources, n=3, cutoff=0.5) or sorted(sources)
    message = _("There is no source “%(slug)s”. Did you mean: %(near)s?") % {"slug": slug, "near": ", ".join(near)}
    raise Refused(message, ground=Ground.INVALID)


def _mapping(given: str | None, source: Source) -> FieldMapping | None:
    """Return the mapping in a file, or the one that is kept for the source under that name."""
    if not given:
        return None
    if Path(given).is_file():
        return mappings.checked(Path(given).read_text(encoding="utf-8-sig", errors="replace"))
    if kept := mappings.named(given, source=source):
        return kept
    names = ", ".join(mappings.kept_for(source).values_list("name", flat=True)) or "–"
    message = _("There is no file %(name)s, and no mapping of that name is kept for the source (there are: %(known)s).")
    raise Refused(message % {"name": given, "known": names}, ground=Ground.INVALID)


def _submitted(options: dict[str, Any]) -> Job:
    source = _source(options["source"])
    return jobs.submit(
        source=source,
        mapping=_mapping(options["mapping"], source),
        files=_opened(options["paths"]),
        by=None,
        **{name: options[name] for name in (*OF_RIGHTS, *READ_AS)},
        tell_workers=False,
    )


def _call_in(job: Job, number: int, helpers: ExitStack) -> None:
    """Start processes that join the job; they are gone when the stack is left."""
    words = [sys.executable, "-m", "django", "ingest", "--join", str(job.pk)]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "cqia_site.settings"}
    for _number in range(number):
        process = subprocess.Popen(  # noqa: S603  this very command
            words, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        helpers.callback(process.wait)
        helpers.callback(process.terminate)


def _opened(paths: Sequence[Path]) -> Iterator[tuple[str, BinaryIO]]:
    for path in paths:
        with path.open("rb") as stream:
            yield path.name, stream


def _resumed(pk: int) -> Job:
    job = Job.objects.filter(pk=pk).first()
    if job is None:
        raise Refused(_("There is no job %(job)s.") % {"job": pk}, ground=Ground.INVALID)
    jobs.resume(job, by=None, tell_workers=False)
    return job


def _notices(job: Job) -> Iterator[str]:
    """What a person should know besides the counts."""
    unknown, dropped = job.unknown_keys(), job.dropped_because()
    if unknown:
        names = ", ".join(f"{key} ({count})" for key, count in unknown.most_common(20))
        yield _("Keys that the format does not know, kept in the originals: %(names)s.") % {"names": names}
    if dropped:
        yield _("Dropped: %(reasons)s.") % {"reasons": ", ".join(f"{name} ({n})" for name, n in dropped.most_common())}
    if repairs := job.tally().get("repair"):
        yield _("Repaired: %(rules)s.") % {"rules": ", ".join(f"{name} ({n})" for name, n in repairs.most_common())}
    if scores := job.tally().get("score"):
        counted = ", ".join(f"{score} ({number})" for score, number in overview.by_score(scores))
        yield _("Quality scores: %(scores)s.") % {"scores": counted}
    if templates := job.tally().get("template"):
        yield _("Prompt templates used:") + "".join(f"\n  {n:>6,}  {text}" for text, n in templates.most_common())
    if path := rejects.find(job):
        yield _("Refused records, with reasons: %(path)s") % {"path": path}


def _why(job: Job) -> str:
    """Why a job is not done, and what to do."""
    if job.state == Job.State.PAUSED:
        return _("Job %(job)s is paused: `ingest --resume %(job)s` goes on.") % {"job": job.pk}
    if job.state == Job.State.CANCELLED:
        message = _(
            "Job %(job)s was stopped. What was read stays: `ingest --resume %(job)s` goes on, "
            "`retract_import %(job)s` takes it back."
        )
        return message % {"job": job.pk}
    return _("Job %(job)s, %(state)s: %(error)s") % {
        "job": job.pk,
        "state": job.get_state_display(),
        "error": job.named(job.error),
    }
