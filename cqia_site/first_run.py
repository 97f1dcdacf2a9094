"""What the very first start sets up: the sample candidates and the first three people. Later starts find them there.

People come last, in one transaction: as long as there is none, an interrupted first start goes on where it was, since
loading the samples again changes nothing.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction
from django.utils.translation import gettext as _

from review.models import Role, User

SAMPLES = settings.BASE_DIR / "ingest" / "samples"
SAMPLE_LICENCE = "CC0-1.0"
SAMPLE_HOLDER = "CQIA 项目自撰示例"
ADMINISTRATOR = "admin"
REVIEWERS = ("reviewer1", "reviewer2")
PASSWORD_BYTES = 12
LOCK = 0x43514941

type Say = Callable[[str], object]


def set_up(say: Say) -> None:
    """Bring the database up to date and, where nobody can sign in yet, load the samples and make the first people."""
    with _alone():
        call_command("migrate", interactive=False, verbosity=0)
        if User.objects.exists():
            return
        say(_("First start: loading the sample candidates …"))
        load_samples()
        path, passwords = make_people()
    say(_("These people can sign in; the passwords also stand in %(path)s:") % {"path": path})
    for name, password in passwords.items():
        say(f"  {name}  {password}")


def load_samples() -> None:
    """Import the project's own candidates: a file for each source, named after it."""
    for path in sorted(SAMPLES.glob("*.jsonl")):
        with Path(os.devnull).open("w", encoding="utf-8") as nothing:
            call_command(
                "ingest",
                str(path),
                source=path.stem,
                licence=SAMPLE_LICENCE,
                holder=SAMPLE_HOLDER,
                stdout=nothing,
            )


@transaction.atomic
def make_people() -> tuple[Path, dict[str, str]]:
    """Make an administrator and two reviewers; return the file of their passwords, and the passwords by name."""
    passwords = {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in (ADMINISTRATOR, *REVIEWERS)}
    User.objects.create_superuser(ADMINISTRATOR, password=passwords[ADMINISTRATOR])
    reviewer = Group.objects.get(name=Role.REVIEWER)
    for name in REVIEWERS:
        User.objects.create_user(name, password=passwords[name]).groups.add(reviewer)
    return _write_passwords(passwords), passwords


def _write_passwords(passwords: dict[str, str]) -> Path:
    """Write the file before the people are committed: whoever can sign in stands in it."""
    path: Path = settings.DATA_DIR / "first-passwords.txt"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name} {password}\n" for name, password in passwords.items())
        file.flush()
        os.fsync(descriptor)
    return path


@contextmanager
def _alone() -> Iterator[None]:
    """Keep two first starts on one database apart."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
