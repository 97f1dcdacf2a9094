"""The user that the embedded servers run as. PostgreSQL refuses to run as root: then it is another user than ours.

That user owns the servers' folder. Where it cannot pass through the folders above (a checkout under `/root`, say), the
servers' folder is made under `/var/lib` instead, with a link to it in its place, and programs are copied there.
"""

import errno
import importlib.metadata
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "cqia"
SYSTEM_FOLDER = Path("/var/lib")


@dataclass(frozen=True)
class Account:
    """The user and group of the servers; None means our own."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def of(cls, home: Path) -> "Account":
        """Return the account for the servers whose folder is `home`: under root its owner, else a user made for it."""
        if os.geteuid() != 0:
            return cls()
        with suppress(FileNotFoundError):
            if (owner := home.stat()).st_uid != 0:
                return cls(owner.st_uid, owner.st_gid)
        entry = _unprivileged_user()
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def process(self) -> dict[str, Any]:
        """The arguments of `subprocess` that run a program as this user."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> bool:
        """Tell whether `path` is a folder of this user that nobody else may enter."""
        try:
            found = path.lstat()
        except FileNotFoundError:
            return False
        uid = os.geteuid() if self.uid is None else self.uid
        return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077

    def make_folder(self, path: Path) -> None:
        """Make a folder that only this user may enter, unless it is there."""
        path.mkdir(mode=0o700, exist_ok=True)
        self._take(path)

    def make_private_folder(self, parent: Path) -> Path:
        """Make a folder of a new name that only this user may enter."""
        made = Path(tempfile.mkdtemp(prefix="cqia-", dir=parent))
        self._take(made)
        return made

    def make_home(self, home: Path) -> None:
        """Make the servers' folder, where this user can reach it; raise `OSError`."""
        if home.is_symlink() and not home.exists():
            raise FileNotFoundError(errno.ENOENT, "where the servers' folder was moved, nothing is left", str(home))
        self.make_folder(home)
        if self.uid is None:
            return
        home.parent.chmod(stat.S_IMODE(home.parent.stat().st_mode) | 0o011)
        if self._passes("-w", home.resolve()):
            return
        try:
            home.rmdir()
        except OSError as error:
            reason = "the unprivileged user of PostgreSQL cannot pass through the folders above it any more"
            raise PermissionError(errno.EACCES, reason, str(home)) from error
        home.symlink_to(self.make_private_folder(SYSTEM_FOLDER))
        print(  # noqa: T201  there is no Django here
            "PostgreSQL does not run as root, and its unprivileged user cannot reach "
            f"{home.parent}: the database and the queue are kept in {home.resolve()}.",
            file=sys.stderr,
        )

    def reachable(self, program: Path, package: str, copies: Path) -> Path:
        """Return `program` of a Python package, or the same in a copy under `copies` if this user cannot reach it."""
        if self.uid is None or self._passes("-x", program):
            return program
        site = next(folder.parent for folder in program.parents if folder.name == package)
        copy = copies / f"{package}-{importlib.metadata.version(package)}"
        if not copy.exists():
            draft = copies / "new"
            shutil.rmtree(draft, ignore_errors=True)
            for folder in site.glob(f"{package}*"):
                shutil.copytree(folder, draft / folder.name)
            for folder in (copies, draft):
                folder.chmod(0o755)
            draft.rename(copy)
        return copy / program.relative_to(site)

    def _take(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def _passes(self, test: str, path: Path) -> bool:
        """Tell whether `path` passes `test` of test(1) for this user."""
        command = ("/bin/sh", "-c", 'test "$1" "$2"', "sh", test, str(path))
        return subprocess.run(command, check=False, cwd="/", **self.process).returncode == 0  # noqa: S603


def _unprivileged_user() -> pwd.struct_passwd:
    for _ in range(10):  # another command may be changing the list of users
        with suppress(KeyError):
            return pwd.getpwnam(NAME)
        with suppress(OSError):
            command = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME)
            if subprocess.run(command, check=False, capture_output=True).returncode != 0:  # noqa: S603
                time.sleep(0.2)
    return pwd.getpwnam("nobody")
