import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ingest import jobs
from ingest.management.failures import USAGE, in_one_sentence
from ingest.models import Job
from review.reporting import BilingualCommand


class Command(BilingualCommand):
    help = gettext_noop(
        "Take back all that one import brought in: its records leave queue, search and releases, wordings that it "
        "replaced come back where nobody has decided since, and the same file can be imported again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", metavar="JOB", type=int, help=_("number of the job, as `ingest` gave it"))
        parser.add_argument("--reason", metavar="TEXT", default="", help=_("kept in the history"))
        parser.add_argument("--json", action="store_true", help=_("print one JSON object"))

    def execute(self, *args: Any, **options: Any) -> str | None:
        with in_one_sentence():
            return super().execute(*args, **options)

    def handle(self, *, job: int, reason: str, **options: Any) -> None:
        found = Job.objects.select_related("batch").filter(pk=job).first()
        if found is None:
            raise CommandError(_("There is no job %(job)s.") % {"job": job}, returncode=USAGE)
        records = jobs.retract(found, by=None, reason=reason).records.count()
        if options["json"]:
            self.stdout.write(json.dumps({"job": job, "state": found.state, "retracted": records}))
        else:
            self.stdout.write(_("Job %(job)s: %(records)s record(s) taken back.") % {"job": job, "records": records})
