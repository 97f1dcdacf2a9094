from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cqia_site import backups
from exports.reporting import ReportingCommand


class Command(ReportingCommand):
    help = gettext_noop(
        "Write every row of the database, as of one moment, and the files of imports and releases into one archive."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", type=Path, help=_("the archive to write; must not exist yet"))

    def work(self, options: dict[str, Any]) -> None:
        """Write the archive and say what is in it."""
        path: Path = options["file"].absolute()
        if path.exists():
            raise CommandError(_("%(path)s exists already. Name another file.") % {"path": path})
        with self.progress(_("Backing up")) as show:
            about = backups.write(path, progress=show)
        words = {"path": path, "rows": f"{about.rows:,}", "tables": len(about.tables), "files": len(about.files)}
        self.say(_("%(path)s holds %(rows)s rows of %(tables)s tables, and %(files)s files.") % words)
        self.say(_("Keep SECRET_KEY elsewhere: the secrets of authenticator apps are encrypted with it."))
        size = path.stat().st_size
        self.conclude({"file": str(path), "rows": about.rows, "files": len(about.files), "bytes": size})
