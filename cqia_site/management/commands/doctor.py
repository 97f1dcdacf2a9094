from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cqia_site import condition
from exports.reporting import ReportingCommand


class Command(ReportingCommand):
    help = gettext_noop("Look at every part of the system and say what is wrong with it and what to do.")
    requires_system_checks = ()  # it looks at a system that may be broken

    def work(self, options: dict[str, Any]) -> None:  # noqa: ARG002  there are none
        """Name what was found, the bad with advice; fail when something needs a person."""
        found = []
        for finding in condition.findings():
            found.append(finding)
            self.say(f"{'✓' if finding.is_good else '✕'} {finding.name}: {finding.found}")
            if not finding.is_good and finding.advice:
                self.say(f"    {finding.advice}")
        bad = [finding.name for finding in found if not finding.is_good]
        said = [
            {"name": one.name, "ok": one.is_good, "found": one.found, "advice": "" if one.is_good else one.advice}
            for one in found
        ]
        self.conclude({"ok": not bad, "findings": said})
        if bad:
            raise CommandError(_("Something needs a person: %(names)s.") % {"names": ", ".join(bad)})
