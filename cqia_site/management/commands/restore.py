from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cqia_site import backups
from exports.reporting import ReportingCommand


class Command(ReportingCommand):
    help = gettext_noop("Put a backup into an empty database and data folder, all or nothing.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", type=Path, help=_("the archive that `backup` wrote"))

    def work(self, options: dict[str, Any]) -> None:
        """Restore the archive and say what is there now."""
        path: Path = options["file"]
        with self.progress(_("Restoring")) as show:
            about = backups.read(path, progress=show)
        words = {"rows": f"{about.rows:,}", "files": len(about.files), "at": about.made_at}
        self.say(_("Restored as of %(at)s: %(rows)s rows and %(files)s files.") % words)
        self.say(_("Compare the releases with what was released: `verify_release --all`."))
        self.conclude({"rows": about.rows, "files": len(about.files), "made_at": about.made_at})
