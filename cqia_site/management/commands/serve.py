import ctypes
import fcntl
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cqia_site import embedded
from review.reporting import BilingualCommand

WEB_PROCESSES = min(2, os.cpu_count() or 1)
WEB_THREADS = 8
GRACE_SECONDS = 10.0
SEND_SECONDS = 120
"""How long a reader may take nothing."""
CALM_SECONDS = 60.0
LONGEST_PAUSE = 30.0
REVIVE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


class Child:
    """A program kept running: started again with a growing pause when it ends by itself."""

    def __init__(self, name: str, command: Sequence[str], descriptors: Sequence[int] = ()) -> None:
        self.name = name
        self.command = [sys.executable, *command]
        self.descriptors = descriptors
        self.process: subprocess.Popen[bytes] | None = None
        self.pause = 1.0
        self.due = 0.0

    def start(self) -> None:
        """Start it as the leader of a group of its own, which no Ctrl-C reaches and which is killed as a whole."""
        self.due = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  our own programs and arguments
            self.command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            pass_fds=self.descriptors,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  there is one thread
        )

    def keep(self) -> str | None:
        """Start it again if it has ended and its pause is over; return what there is to say."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start()
            return None
        status = self.process.poll()
        if status is None:
            return None
        self.kill()
        self.pause = 1.0 if now - self.due > CALM_SECONDS else min(self.pause * 2, LONGEST_PAUSE)
        self.due = now + self.pause
        self.process = None
        words = {"name": self.name, "status": status, "seconds": int(self.pause)}
        return _("The %(name)s ended with status %(status)s; it is started again in %(seconds)s s.") % words

    def is_running(self) -> bool:
        """Tell whether its process has not ended yet."""
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Let it finish what it is at."""
        if self.process is not None and self.is_running():
            self.process.terminate()

    def kill(self) -> None:
        """End it and whatever is left of its group."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class StopRequest:
    """Whether a signal has asked to stop.

    A bare flag: the lock of a `threading.Event` may be held by the very thread that the signal interrupts, which then
    waits for itself.
    """

    def __init__(self) -> None:
        self.is_made = False

    def make(self, _number: int, _frame: FrameType | None) -> None:
        """Ask to stop: the handler of a signal."""
        self.is_made = True

    def wait(self, seconds: float) -> bool:
        """Wait that long, and tell whether it has been made."""
        if not self.is_made:
            time.sleep(seconds)
        return self.is_made


class Command(BilingualCommand):
    help = gettext_noop("Serve the site and work through its jobs, on this machine, until Ctrl-C.")
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help=_("address to listen on (default: %(default)s)"))
        parser.add_argument("--port", type=int, default=8000, help=_("port to listen on (default: %(default)s)"))
        parser.add_argument("--workers", type=int, default=2, help=_("processes that run jobs (default: %(default)s)"))

    def handle(self, *_args: Any, host: str, port: int, workers: int, **_options: Any) -> None:
        if workers < 1:
            raise CommandError(_("--workers must be at least 1."), returncode=2)
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        stop = StopRequest()
        with ExitStack() as stack:
            listener = stack.enter_context(_listen(host, port))
            beats = stack.enter_context((settings.DATA_DIR / "beat.lock").open("ab"))
            web = Child(_("web server"), _web_command(listener), [listener.fileno()])
            worker = Child(_("worker"), _worker_command(workers))
            clock = [Child(_("clock"), _celery("beat", "--pidfile="))] if _is_first(beats.fileno()) else []
            children = [web, worker, *clock]
            hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
            for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
                stack.callback(signal.signal, number, signal.signal(number, stop.make))
            try:
                self.serve(children, listener, stop)
            finally:
                stop.is_made = False
                _stop(children, at_once=stop)

    def serve(self, children: Sequence[Child], listener: socket.socket, stop: StopRequest) -> None:
        """Keep the children running until asked to stop, and say where the site is once it answers."""
        announced, revived = False, time.monotonic()
        while not stop.wait(0.2):
            for message in filter(None, [child.keep() for child in children]):
                self.stderr.write(message)
            if not announced and (announced := _answers(listener)):
                self.stdout.write(_("CQIA is at %(address)s – Ctrl-C stops it.") % {"address": _address(listener)})
                self.stdout.flush()
            if time.monotonic() - revived > REVIVE_SECONDS:
                self.revive_services()
                revived = time.monotonic()

    def revive_services(self) -> None:
        """See to it that the embedded services are up; go on trying when they are not to be had."""
        try:
            embedded.revive()
        except (embedded.Unavailable, OSError) as error:
            self.stderr.write(str(error))


def _listen(host: str, port: int) -> socket.socket:
    """Return the listening socket, which every start of the web server inherits."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        words = {"host": host, "port": port, "reason": getattr(error, "strerror", None) or error}
        message = _("Cannot listen on %(host)s, port %(port)s (%(reason)s): choose another with --port, or PORT=….")
        raise CommandError(message % words) from error
    # What it accepts inherits this: a reader who takes nothing at all does not hold a thread for ever.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
    return listener


def _web_command(listener: socket.socket) -> list[str]:
    bind = ("--bind", f"fd://{listener.fileno()}", "--no-control-socket", "--log-level", "warning")
    threads = ("--worker-class", "gthread", "--workers", str(WEB_PROCESSES), "--threads", str(WEB_THREADS))
    # A kept connection stays with its process, and the busiest people may all sit in the same one.
    patience = ("--keep-alive", "0", "--timeout", "120", "--graceful-timeout", str(int(GRACE_SECONDS - 2)))
    return ["-m", "gunicorn", "cqia_site.wsgi:application", "--preload", *bind, *threads, *patience]


def _worker_command(processes: int) -> list[str]:
    return _celery("worker", "--concurrency", str(processes), "--hostname", f"serve{os.getpid()}@%h")


def _celery(*words: str) -> list[str]:
    quiet = ["-W", "ignore:You're running the worker with superuser"]  # its messages are JSON, which runs nothing
    return [*quiet, "-m", "celery", "-q", "-A", "cqia_site.celery:app", *words, "--loglevel", "WARNING"]


def _is_first(lock: int) -> bool:
    """Tell whether no other `serve` on this data folder runs the periodic tasks already."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _answers(listener: socket.socket) -> bool:
    host, port = listener.getsockname()[:2]
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=1)  # noqa: S104
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _stop(children: Sequence[Child], *, at_once: StopRequest) -> None:
    """Ask the children to stop; kill what is left after a while, or when asked a second time."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + GRACE_SECONDS
    while any(child.is_running() for child in children) and time.monotonic() < deadline and not at_once.wait(0.05):
        pass
    for child in children:
        child.kill()


def _end_with_parent() -> None:
    """Have the kernel end this process when `serve` itself is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
