import json
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from exports import build, placing, releases, tasks
from exports.facts import NOT_IN_MIX, moment, reasons
from exports.held import FLAGGED, SENT_BACK
from exports.models import Mix, Release
from exports.options import FORMATS
from exports.policies import DEFAULT
from exports.reporting import ReportingCommand
from exports.writers import COMPRESSIONS
from review.refused import Ground, Refused

WAIT_SECONDS = 0.5


class Command(ReportingCommand):
    help = gettext_noop("Cut a release, or take the same one again, and place a checked copy of it in a folder.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("version", help=_("such as v1.0"))
        parser.add_argument("--out", required=True, metavar="DIR", help=_("the folder to make"))
        parser.add_argument("--source", nargs="+", action="extend", default=[], metavar="SLUG", help=_("only these"))
        parser.add_argument(
            "--format", default="cqia", metavar="NAME,…", help=_("there are: %(names)s") % {"names": ", ".join(FORMATS)}
        )
        parser.add_argument("--mix", metavar="FILE", help=_("a JSON file of caps and seed, or the name of a mix"))
        parser.add_argument("--split", default="", metavar="NAME=SHARE,…", help=_("such as train=0.95,validation=0.05"))
        parser.add_argument("--shard-size", type=int, metavar="N", help=_("records a file at most"))
        parser.add_argument("--compress", choices=tuple(COMPRESSIONS))
        parser.add_argument(
            "--policy",
            default=DEFAULT,
            metavar="NAME",
            help=_("what may leave; without it: %(name)s") % {"name": DEFAULT},
        )

    def work(self, options: dict[str, Any]) -> None:
        """Check the place before the version is taken; then cut, build, place."""
        began = monotonic()
        target = placing.check_place(options["out"])
        release, is_new = releases.obtain(
            version=options["version"],
            policy=releases.policy_named(options["policy"]),
            options=releases.options(
                sources=options["source"],
                formats=options["format"].replace(" ", "").split(","),
                mix=None if options["mix"] is None else _mix(options["mix"]),
                split=options["split"],
                shard_size=options["shard_size"],
                compress=options["compress"],
            ),
            by=None,
        )
        release = self._built(release)
        is_placed = placing.place(release, target)
        self._explain(release, is_new=is_new)
        self.say(_("Placed in %(path)s.") % {"path": target} if is_placed else _("It is there already, and intact."))
        self.conclude(_object(release) | {"seconds": round(monotonic() - began, 3)})

    def _built(self, release: Release) -> Release:
        is_told = False
        with self.progress(_("Writing release %(version)s") % {"version": release.version}) as show:
            while True:
                try:
                    return build.build(release.pk, progress=show, tell=tasks.tell)
                except build.Busy:
                    if not is_told:
                        self.say(_("Another process is building this release. Waiting for it to end."))
                    is_told = True
                    sleep(WAIT_SECONDS)

    def _explain(self, release: Release, *, is_new: bool) -> None:
        """Say what the release holds, what it does not, and what there is to decide."""
        said = {"name": release.name, "records": release.records, "policy": release.policy.slug, "at": moment(release)}
        if is_new:
            self.say(_("Release %(name)s holds %(records)s records, under policy “%(policy)s”.") % said)
        else:
            self.say(_("Release %(name)s was cut at %(at)s: %(records)s records, policy “%(policy)s”.") % said)
        if release.is_internal:
            self.say(_("It is for training in the house only and is never published."))
        held = reasons(release.held_back)
        for reason, number in held.items():
            self.say(_explained(reason, number, release))
        if not release.records and not held:
            self.say(_("It holds nothing: no record was approved yet. Records are approved under /review/."))
        elif held and not is_new:
            self.say(_("What was decided since is in no release that exists: cut another version."))


def _mix(name: str) -> object:
    """Return what a mix file says, or the mix of this name."""
    path = Path(name)
    if not path.is_file():
        mix = Mix.objects.filter(slug=name).first()
        if mix is None:
            raise Refused(_("There is no file and no mix “%(name)s”.") % {"name": name}, ground=Ground.INVALID)
        return mix.spec
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Refused(_("%(path)s is no JSON.") % {"path": path}, ground=Ground.INVALID) from error


def _explained(reason: str, number: int, release: Release) -> str:
    said = {"number": number, "policy": release.policy.slug}
    sentences: dict[str, str] = {
        "rights-unknown": _(
            "Held back: %(number)s approved records of unknown rights. Decide the rights of their source or import "
            "under /admin/review/rights/, or name them when importing (ingest … --licence NAME --holder TEXT); the "
            "policy “internal” lets them leave for training in the house."
        ),
        "rights-restricted": _("Held back: %(number)s approved records of restricted rights, which never leave."),
        "rights-objected": _(
            "Held back: %(number)s approved records to whose rights a reviewer objected. The objections stand under "
            "/admin/review/rights/, where the rights are decided anew."
        ),
        "licence-not-in-policy": _(
            "Held back: %(number)s approved records whose licence is not in the policy “%(policy)s”. Choose a policy "
            "that holds it with --policy."
        ),
        FLAGGED: _(
            "Held back: %(number)s approved records that have flags which the policy “%(policy)s” heeds. They leave "
            "once their texts are mended."
        ),
        SENT_BACK: _("Held back: %(number)s records that were sent back and are not decided again yet."),
        "taken-down": _("Held back: %(number)s approved records that were taken down."),
        NOT_IN_MIX: _("Left out: %(number)s records that the mix did not draw."),
        "retracted": _("Held back: %(number)s approved records whose import was taken back."),
    }
    return sentences[reason] % said


def _object(release: Release) -> dict[str, Any]:
    files = release.artifacts.order_by("path").values("path", "records", "bytes", "sha256")
    return {
        "version": release.version,
        "records": release.records,
        "held_back": reasons(release.held_back),
        "files": list(files),
    }
