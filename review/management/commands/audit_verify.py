import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from review import sealing
from review.reporting import ReportingCommand


def anchor(text: str) -> sealing.Anchor:
    """Read a link that somebody has written down: its number, a colon, its sha256."""
    if not re.fullmatch(r"\d{1,18}:[0-9a-f]{64}", text):
        raise ArgumentTypeError("NUMBER:SHA256")
    no, _colon, link = text.partition(":")
    return int(no), link, "--anchor"


class Command(ReportingCommand):
    help = gettext_noop(
        "Check the whole history against its hash chain: name each row that was changed, removed or inserted later."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--anchor", action="append", type=anchor, default=[], metavar="NO:SHA256", help=_("a link that is known")
        )

    def work(self, options: dict[str, Any]) -> None:
        """Verify; fail when anything is wrong."""
        with self.progress(_("Checking the history")) as show:
            problems = list(sealing.verify(anchors=options["anchor"], progress=show))
        last, waiting = sealing.anchor(), sealing.waiting()
        for problem in problems:
            self.say(problem)
        if not problems:
            said = {"sealed": last["seal"], "waiting": waiting}
            self.say(_("Intact: %(sealed)s rows are sealed, %(waiting)s wait for the sealer.") % said)
        self.conclude(
            {"ok": not problems, "sealed": last["seal"], "waiting": waiting, "last": last, "problems": problems}
        )
        if problems:
            raise CommandError(_("%(number)d problems were found.") % {"number": len(problems)})
