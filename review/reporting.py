"""How the long commands of this application speak: to people, and with `--json` to programs."""

import json
import sys
from abc import abstractmethod
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from review.refused import Ground, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE_SECONDS = 5.0


class BilingualCommand(BaseCommand):
    """A command whose `--help` is in the language in use; `help` and its like are marked by `gettext_noop`."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.description = _(self.help)
        return parser


class ReportingCommand(BilingualCommand):
    """A command with `--json`: the last line of standard output is one object, all else goes to standard error."""

    told: tuple[type[Exception], ...] = ()
    """What says in its own words what is wrong and what to do."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help=_("end with one JSON object"))

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do the work; what goes wrong on the way is told in one sentence."""
        self.as_json: bool = options["as_json"]
        try:
            self.work(options)
        except Refused as refused:
            raise CommandError(str(refused), returncode=2 if refused.ground == Ground.INVALID else 1) from refused
        except self.told as trouble:
            raise CommandError(str(trouble)) from trouble
        except (DatabaseError, InterfaceError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(_("The database is in the way: %(reason)s") % {"reason": reason}) from error
        except BrokenPipeError:
            raise  # nobody reads on: that is no fault of the disk
        except OSError as error:
            where = error.filename or ""
            said = {"reason": error.strerror or error, "path": where}
            raise CommandError(_("The disk is in the way: %(reason)s %(path)s") % said) from error

    @abstractmethod
    def work(self, options: dict[str, Any]) -> None:
        """Do what the command is for."""

    def say(self, text: object) -> None:
        """Tell a person something."""
        (self.stderr if self.as_json else self.stdout).write(str(text), str)

    def conclude(self, said: dict[str, Any]) -> None:
        """End with the object, when it was asked for."""
        if self.as_json:
            self.stdout.write(json.dumps(said, ensure_ascii=False))

    @contextmanager
    def progress(self, title: str) -> "Iterator[Callable[[int, int], None]]":
        """Give a function that shows how far the work is: a bar on a terminal, a line now and then elsewhere."""
        if not sys.stderr.isatty():
            yield self._lines(title)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def _lines(self, title: str) -> "Callable[[int, int], None]":
        said_at = monotonic()

        def show(done: int, total: int) -> None:
            nonlocal said_at
            if monotonic() - said_at > LINE_SECONDS:
                said_at = monotonic()
                self.say(f"{title}: {done:,} / {total:,}")

        return show
