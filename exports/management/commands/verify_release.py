from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from exports import releases
from exports.models import Release
from exports.reporting import ReportingCommand
from exports.verify import Checked, check_folder


class Command(ReportingCommand):
    help = gettext_noop("Compute everything about releases again and compare: every hash, every count, every line.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", nargs="*", metavar="DIR|VERSION", help=_("folders, or versions kept here"))
        parser.add_argument("--all", action="store_true", dest="all_kept", help=_("every release that is kept here"))

    def work(self, options: dict[str, Any]) -> None:
        """Check one after the other; fail when anything is wrong."""
        names: list[str] = options["release"]
        if bool(names) == options["all_kept"]:
            raise CommandError(_("Name folders or versions, or say --all."), returncode=2)
        if options["all_kept"]:
            names = list(Release.objects.filter(state__in=Release.AVAILABLE).values_list("version", flat=True))
        found = {name: self._checked(name, options["all_kept"]) for name in sorted(names)}
        problems = [f"{name}: {problem}" for name, checked in found.items() for problem in checked.problems]
        records = sum(checked.records for checked in found.values())
        for problem in problems:
            self.say(problem)
        self.say(self._verdict(len(found), records, problems))
        self.conclude({"ok": not problems, "records": records, "problems": problems})
        if problems:
            raise CommandError(_("%(number)s problems were found.") % {"number": len(problems)})

    def _checked(self, name: str, is_version: bool) -> Checked:  # noqa: FBT001  --all names versions only
        with self.progress(_("Checking %(name)s") % {"name": name}) as show:
            if not is_version and Path(name).is_dir():
                return check_folder(Path(name), progress=show)
            release = Release.objects.filter(version=name).first()
            if release is None:
                return Checked(problems=[_("there is no folder and no release of this name")])
            return releases.verify(release, progress=show)

    @staticmethod
    def _verdict(number: int, records: int, problems: list[str]) -> str:
        if problems:
            return _("Not as it was written: see above.")
        return _("Intact: %(number)s releases with %(records)s records.") % {"number": number, "records": records}
