from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from exports import comparing, storage
from exports.comparing import Change, Counts
from exports.models import Release
from exports.reporting import ReportingCommand
from review.refused import Ground, Refused


class Command(ReportingCommand):
    help = gettext_noop("Count what differs between two releases, record by record.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("old", metavar="OLD", help=_("a folder, or a version kept here"))
        parser.add_argument("new", metavar="NEW", help=_("a folder, or a version kept here"))

    def work(self, options: dict[str, Any]) -> None:
        """Compare two versions by their frozen rows, and by their files where one is a folder."""
        counts = _compared(options["old"], options["new"])
        for slug, found in counts.by_source.items():
            said = ", ".join(f"{Change(change).label} {number:,}" for change, number in sorted(found.items()))
            self.say(f"{slug}: {said}")
        total = counts.total
        self.say(_("All: %(counts)s") % {"counts": ", ".join(f"{Change(k).label} {n:,}" for k, n in total.items())})
        self.conclude(total)


def _compared(old: str, new: str) -> Counts:
    before, now = _found(old), _found(new)
    if isinstance(before, Release) and isinstance(now, Release):
        return comparing.releases(before, now)
    return comparing.folders(_folder(before), _folder(now))


def _found(name: str) -> Path | Release:
    release = Release.objects.filter(version=name).exclude(state=Release.State.PLANNED).first()
    if Path(name).is_dir() or release is None:
        if not Path(name).is_dir():
            said = _("There is no folder and no release “%(name)s”.") % {"name": name}
            raise Refused(said, ground=Ground.INVALID)
        return Path(name)
    return release


def _folder(found: Path | Release) -> Path:
    return storage.fetched(found) if isinstance(found, Release) else found
