#!/usr/bin/env python
"""The commands of CQIA, with the embedded services up around those that use them."""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from cqia_site import embedded

WITHOUT_SERVICES = {"help", "version", "makemessages", "compilemessages", "startapp", "startproject", "record_states"}
HELP_OPTIONS = {"-h", "--help", "--version"}
NOBODY_READS = 141
"""The status that a shell gives a program whose reader is gone, as in `doctor | head -1`."""


def needs_services(arguments: list[str]) -> bool:
    """Tell whether a command line, without the program's name, goes to the database or the broker."""
    return bool(arguments) and arguments[0] not in WITHOUT_SERVICES and HELP_OPTIONS.isdisjoint(arguments)


def speaks(arguments: list[str]) -> bool:
    """Tell whether a command line is answered by words of our own: by a command, or by what it says of itself."""
    asks_for_help = len(arguments) > 1 and (arguments[0] == "help" or not HELP_OPTIONS.isdisjoint(arguments))
    return asks_for_help or needs_services(arguments)


def speaks_english(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal that this environment belongs to asks for English; the commands speak Chinese else."""
    asked = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next(filter(None, asked), "").lower().startswith("en")


def speak_english() -> None:
    """Let the commands of this process speak English; pages and background work keep the languages of their readers."""
    import django  # noqa: PLC0415  a clear word comes first if it is missing
    from django.utils import translation  # noqa: PLC0415

    django.setup()
    translation.activate("en")


def main() -> int:
    """Run the command of the command line; return its exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cqia_site.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  a clear word comes first if it is missing

    try:
        with ExitStack() as stack:
            if needs_services(sys.argv[1:]):
                stack.enter_context(embedded.services())
            if speaks(sys.argv[1:]) and speaks_english(os.environ):
                speak_english()
            execute_from_command_line(sys.argv)
            sys.stdout.flush()
    except embedded.Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes as it ends
        return NOBODY_READS
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
