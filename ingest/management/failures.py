"""What a command says when something goes wrong: one sentence, and the exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingest.document import Unreadable
from review.refused import Ground, Refused

USAGE = 2
"""Exit status of wrong usage; work that failed exits with 1."""


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """Turn what may go wrong in the block into a CommandError."""
    try:
        yield
    except Refused as refused:
        raise CommandError(str(refused), returncode=USAGE if refused.ground == Ground.INVALID else 1) from refused
    except Unreadable as error:
        raise CommandError(error.message(get_language() or "")) from error
    except (DatabaseError, InterfaceError) as error:
        what = str(error).strip().split("\n", 1)[0]
        raise CommandError(
            _("The database refuses to work (%(what)s). What was taken in stays; mend that and run the command again.")
            % {"what": what}
        ) from error
    except BrokenPipeError:
        raise  # nobody reads on: that is no fault of a file
    except OSError as error:
        raise CommandError(_("A file cannot be read or written (%(what)s).") % {"what": error}) from error
    except KeyboardInterrupt:
        raise CommandError(_("Stopped; nothing was changed.")) from None
