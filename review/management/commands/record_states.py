from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from review.reporting import BilingualCommand
from review.workflow import diagram

PAGE = Path(__file__).parents[3] / "docs" / "record-states.md"
BEGIN, END = "```mermaid\n", "```\n"


class Command(BilingualCommand):
    help = gettext_noop("Write the diagram of a record's states into docs/record-states.md, from the table of moves.")
    requires_system_checks: list[str] = []  # noqa: RUF012  as Django declares it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help=_("only say whether the page is up to date"))

    def handle(self, *_args: Any, **options: Any) -> None:
        written = PAGE.read_text(encoding="utf-8")
        before, rest = written.split(BEGIN, 1)
        _old, after = rest.split(END, 1)
        current = f"{before}{BEGIN}{diagram()}\n{END}{after}"
        if options["check"] and current != written:
            raise CommandError("docs/record-states.md is out of date: run `manage.py record_states`.")
        PAGE.write_text(current, encoding="utf-8")
