"""`setup` and `serve` as a first user meets them, with real processes."""

import fcntl
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import psutil
import pytest

from cqia_site.management.commands.serve import _is_first

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("gunicorn", "celery:app worker", "celery:app beat", "bin/postgres", "valkey-server")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """Give a data folder in which the very first run has been set up."""
    parent = Path(tempfile.mkdtemp(prefix="cqia-test-"))
    parent.chmod(0o755)
    folder = parent / "var"
    done = manage(folder, "setup")
    output, errors = done.communicate(timeout=100)
    assert done.returncode == 0, errors
    (parent / "output").write_text(output, encoding="utf-8")
    yield folder
    shutil.rmtree(parent)


def manage(data: Path, *arguments: str, errors: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a management command on the embedded services of `data`."""
    configured = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    inherited = {name: value for name, value in os.environ.items() if name not in configured}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=inherited | {"CQIA_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def site(data: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Give a running `serve` and its port, and leave no process of it."""
    log = data.parent / "log"  # a pipe that nobody reads fills, and then holds up whoever writes
    with log.open("w", encoding="utf-8") as errors:
        process = manage(data, "serve", "--port", "0", "--workers", "1", errors=errors)
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert address, line + log.read_text(encoding="utf-8")
    yield process, int(address[1])
    family = members(process)
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        left = end(process, family)
        pytest.fail(f"{left} did not stop: {log.read_text(encoding='utf-8')[-8000:]}")
    assert wait_until(lambda: not any(map(is_alive, family)), seconds=20)


def end(process: subprocess.Popen[str], family: list[psutil.Process]) -> list[list[str]]:
    """Kill what did not stop, so that the next test finds the data folder free, and return its command lines."""
    left = [member.cmdline() for member in the(family, "")]
    process.send_signal(signal.SIGABRT)  # has the interpreter say where it stands
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for member in the(family, ""):
        member.kill()
    process.communicate(timeout=20)
    return left


def members(process: subprocess.Popen[str], *, recursive: bool = True) -> list[psutil.Process]:
    """Return a process and its children, or everything that descends from it."""
    try:
        leader = psutil.Process(process.pid)
        return [leader, *leader.children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process, word: str = "") -> bool:
    """Tell whether a process is there, is no zombie, and has `word` in its command line."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and word in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def health(port: int) -> int:
    """Return the status of /healthz; 0 if nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def the(family: list[psutil.Process], word: str) -> list[psutil.Process]:
    """Return the living members of a family with `word` in their command lines."""
    return [process for process in family if is_alive(process, word)]


def test_the_very_first_run_prints_the_passwords_and_keeps_them_private(data: Path) -> None:
    output = (data.parent / "output").read_text(encoding="utf-8")
    path = data / "first-passwords.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines] == ["admin", "reviewer1", "reviewer2"]
    assert all(word in output for line in lines for word in line.split())
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_second_run_changes_nothing(data: Path) -> None:
    before = (data / "first-passwords.txt").read_bytes()
    again = manage(data, "setup")
    output, errors = again.communicate(timeout=60)
    assert (again.returncode, output) == (0, ""), errors
    assert (data / "first-passwords.txt").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_that_serve_started(site: tuple[subprocess.Popen[str], int], number: int) -> None:
    process, port = site
    family = members(process)
    assert health(port) == 200
    assert all(the(family, program) for program in PROGRAMS)
    process.send_signal(number)
    assert process.wait(90) == 0
    assert [member for member in family if is_alive(member)] == []
    assert health(port) == 0


def test_what_dies_is_started_again(site: tuple[subprocess.Popen[str], int]) -> None:
    process, port = site
    for program in PROGRAMS:
        (victim,) = the(members(process, recursive=False), program)
        victim.kill()
        assert wait_until(partial(is_in_place_of, victim, process, program), seconds=20), program
        assert wait_until(lambda: health(port) == 200, seconds=20), program


def is_in_place_of(victim: psutil.Process, process: subprocess.Popen[str], program: str) -> bool:
    """Tell whether another process of that program runs."""
    return the(members(process, recursive=False), program) not in ([], [victim])


def test_the_children_of_a_killed_serve_end_by_themselves(data: Path, site: tuple[subprocess.Popen[str], int]) -> None:
    process, _ = site
    family = members(process)
    process.kill()
    served = the(family, "gunicorn") + the(family, "celery")
    assert wait_until(lambda: not any(map(is_alive, served)), seconds=20)
    next_one = manage(data, "check")
    next_one.communicate(timeout=20)
    assert next_one.returncode == 0
    assert [member for member in family if is_alive(member)] == []


def first_line(port: int, request_line: str, header: str) -> int:
    """Return the status of the answer to a request that no library would send."""
    lines = (request_line, "Host: 127.0.0.1", f"X-Long: {header}", "Connection: close", "", "")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_66_odd_requests_are_refused_and_the_server_goes_on(site: tuple[subprocess.Popen[str], int]) -> None:
    _process, port = site
    assert first_line(port, "GET / HTTP/1.1", "x" * (64 << 10)) in {400, 431}
    assert [first_line(port, f"TRACE {path} HTTP/1.1", "x") for path in ("/", "/healthz", "/account/login/")] == [
        405
    ] * 3
    assert health(port) == 200


def test_a_port_in_use_is_one_sentence(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = manage(data, "serve", "--port", str(port))
        _, errors = refused.communicate(timeout=90)
    assert refused.returncode == 1
    assert len(errors.strip().splitlines()) == 1
    assert str(port) in errors
    assert "--port" in errors


def test_only_one_serve_on_a_data_folder_runs_the_periodic_tasks(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("ab") as first, (tmp_path / "lock").open("ab") as second:
        assert _is_first(first.fileno())
        assert not _is_first(second.fileno())
        fcntl.flock(first, fcntl.LOCK_UN)
        assert _is_first(second.fileno())
