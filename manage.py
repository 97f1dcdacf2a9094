#!/usr/bin/env python
"""The commands of CQIA, with the embedded services up around those that use them."""

import os
import sys
from contextlib import ExitStack

from cqia_site import embedded

WITHOUT_SERVICES = {"help", "version", "makemessages", "compilemessages", "startapp", "startproject", "record_states"}
HELP_OPTIONS = {"-h", "--help", "--version"}


def needs_services(arguments: list[str]) -> bool:
    """Tell whether a command line, without the program's name, goes to the database or the broker."""
    return bool(arguments) and arguments[0] not in WITHOUT_SERVICES and HELP_OPTIONS.isdisjoint(arguments)


def main() -> int:
    """Run the command of the command line; return its exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cqia_site.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  a clear word comes first if it is missing

    try:
        with ExitStack() as stack:
            if needs_services(sys.argv[1:]):
                stack.enter_context(embedded.services())
            execute_from_command_line(sys.argv)
    except embedded.Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
