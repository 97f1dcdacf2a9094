from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from review import proof
from review.reporting import ReportingCommand


class Command(ReportingCommand):
    help = gettext_noop("Check that every record marked verified was approved, as it stands, by a permitted person.")

    def work(self, _options: dict[str, Any]) -> None:
        """Run the proof query; fail when a record is not proven."""
        done = proof.prove()
        said = {"verified": done.verified, "problems": done.problems, "seconds": done.seconds}
        self.say(_("%(verified)s records are marked verified; %(problems)s of them without proof.") % said)
        self.conclude({"ok": not done.problems, **said, "records": done.records})
        if done.problems:
            numbers = ", ".join(f"#{record}" for record in done.records[:10])
            raise CommandError(_("Without proof: %(records)s") % {"records": numbers})
