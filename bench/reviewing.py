"""Deciding and getting the next record over HTTP: the program under gunicorn, as a browser drives it.

The floor is the bare answer of the same server, `/healthz`, in the same run.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

from django.conf import settings
from django.test import Client

from bench.program import reviewer
from review.models import Claim

WORKERS, THREADS = 2, 8
WARMING, ALL_WARMING = 20, 160
"""Records that each decides before it counts, and that all of them do: each thread of the server connects and plans its
statements meanwhile."""
PATIENCE = 60
OK = 200
FIELDS = [re.compile(r'data-record="(\d+)"')] + [
    re.compile(rf'name="{name}" value="([^"]+)"') for name in ("seen_revision", "request_id", "started")
]
HEADERS = {"HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "zh-hans"}


class Cycles(NamedTuple):
    """How quickly a number of users decide and get the next record: cycles a second, and milliseconds for one."""

    users: int
    rate: float
    p50: float
    p95: float

    def __str__(self) -> str:
        who = "1 user" if self.users == 1 else f"{self.users} users"
        return f"{who}: {self.rate:.0f}/s, p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms"


@dataclass
class Reviewer:
    """One person at a browser behind a proxy: a connection for each request, as the proxy makes them."""

    name: str
    port: int
    connection: HTTPConnection = field(init=False)
    cookie: str = field(init=False)
    token: str = field(init=False)
    user: int = field(init=False)
    page: str = ""

    def __post_init__(self) -> None:
        user, client = reviewer(self.name), Client()
        client.force_login(user)
        client.get("/review/", headers={"Host": "127.0.0.1"})
        self.user = user.pk
        names = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
        self.token = client.cookies[settings.CSRF_COOKIE_NAME].value
        self.cookie = "; ".join(f"{name}={client.cookies[name].value}" for name in names)
        self.connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def post(self, path: str, fields: dict[str, str]) -> int:
        """Send a form, keep the page that comes back, and return its status."""
        headers = HEADERS | {"Cookie": self.cookie, "X-CSRFToken": self.token}
        self.connection.request("POST", path, urlencode(fields), headers)
        answer = self.connection.getresponse()
        self.page = answer.read().decode()
        return answer.status

    def form(self) -> tuple[str, dict[str, str]]:
        """Return the record that lies there, and the fields of its form that are always sent."""
        record, *values = (pattern.findall(self.page)[0] for pattern in FIELDS)
        return record, dict(zip(("seen_revision", "request_id", "started"), values, strict=True))

    def cycle(self) -> float:
        """Approve what lies there and get the next record in the same answer; return the seconds it took."""
        record, said = self.form()
        started = time.perf_counter()
        status = self.post(f"/review/records/{record}/decide/", said | {"verdict": "approve", "rights_said": "confirm"})
        taken = time.perf_counter() - started
        assert status == OK, status
        return taken

    def cycles(self, number: int, *, thought: float = 0, after: float = 0) -> list[float]:
        """Decide so many records, one after the other; return the seconds each took.

        Begin `after` some seconds, and think for `thought` seconds about each record.
        """
        taken = []
        time.sleep(after)
        for _cycle in range(number):
            time.sleep(thought)
            taken.append(self.cycle())
        return taken


@contextmanager
def server(*, workers: int = WORKERS, **environment: str) -> Iterator[int]:
    """Run gunicorn on the database of the benchmark and yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "gunicorn",
        "cqia_site.wsgi",
        "--preload",
        "--worker-class",
        "gthread",
    ]
    options = ["--workers", str(workers), "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, *options, "--keep-alive", "0", "--log-level", "error"], env=os.environ | environment
    )
    try:
        _until_alive(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _until_alive(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as answer:
            if answer.status == OK:
                return
        time.sleep(0.1)
    sys.exit("the server did not start")


def _get(port: int, path: str) -> Callable[[], int]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def get() -> int:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return get


def bare(port: int, times: int) -> float:
    """Return how many bare answers a second the server gives to one who asks again and again."""
    get = _get(port, "/healthz")
    started = time.perf_counter()
    for _time in range(times):
        assert get() == OK
    return times / (time.perf_counter() - started)


def measure(port: int, users: int, cycles: int, *, thought: float = 0) -> Cycles:
    """Let `users` reviewers decide `cycles` records each, all at the same time, with so many seconds of thought."""
    people = [Reviewer(f"bench-{number}", port) for number in range(users)]
    for person in people:
        person.post("/review/next/", {})
    with ThreadPoolExecutor(users) as pool:
        list(pool.map(lambda person: person.cycles(min(WARMING, ALL_WARMING // users)), people))
        started = time.perf_counter()
        begun = [
            pool.submit(person.cycles, cycles, thought=thought, after=thought * place / users)
            for place, person in enumerate(people)
        ]
        taken = [wait for waits in begun for wait in waits.result()]
        rate = users * cycles / (time.perf_counter() - started)
    for person in people:
        person.connection.close()
        Claim.objects.filter(reviewer=person.user).delete()
    ordered = sorted(taken)
    return Cycles(users, rate, 1000 * statistics.median(ordered), 1000 * ordered[int(len(ordered) * 0.95)])
