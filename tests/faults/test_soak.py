"""Everything at once for a while, with faults: imports, reviews, releases, streams and takedowns on one system.

`make soak` runs it for half an hour and writes its report to `docs/soak.md`.
"""

import http.client
import json
import os
import random
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import psycopg
import pytest
from django.conf import settings

from bench.reviewing import FIELDS, HEADERS
from cqia_site.embedded import Postgres
from tests.faults.processes import until
from tests.faults.system import CommandFailedError, System, harm, running_system
from tests.ingest.faulty_lines import line, record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

MINUTES = float(os.environ.get("SOAK_MINUTES", "1"))
REPORT = os.environ.get("SOAK_REPORT", "")
REVIEWERS = 6
FILE_RECORDS = 200
KINDS = {"web": "gunicorn", "worker": "celery", "postgresql": "postgres", "valkey": "valkey-server"}
PEOPLE = """
from django.contrib.auth.models import Group
from review.models import Role, User
for number in range({number}):
    person = User.objects.create_user(f"soak-{{number}}", password="{password}")
    person.groups.set(Group.objects.filter(name=Role.REVIEWER))
"""
PASSWORD = "soaked-through-and-through"


class AwayError(Exception):
    """The site did not answer, or not as it should: to be asked again."""


@dataclass
class Visitor:
    """Somebody outside, who asks again for as long as the system is away."""

    system: System
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: str | bytes = "", **headers: str) -> tuple[int, bytes]:
        """Ask once; `AwayError` for no answer, a broken one, or a server error."""
        site = http.client.HTTPConnection("127.0.0.1", self.system.port, timeout=30)
        known = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} | headers
        if self.token:
            known["Authorization"] = f"Bearer {self.token}"
        try:
            site.request(method, path, body, known)
            answer = site.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise AwayError(repr(error)) from error
        finally:
            site.close()
        for set_cookie in answer.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(set_cookie).items()}
        if answer.status in {429, 500, 502, 503} or "login" in answer.headers.get("HX-Redirect", ""):
            raise AwayError(f"{method} {path}: {answer.status}")
        return answer.status, content

    def insist(self, method: str, path: str, body: str | bytes = "", **headers: str) -> tuple[int, bytes]:
        """Ask until there is an answer."""
        answers: list[tuple[int, bytes]] = []

        def answered() -> bool:
            with suppress(AwayError):
                answers.append(self.ask(method, path, body, **headers))
            return bool(answers)

        until(answered)
        return answers[0]


class Reviewer(Visitor):
    """Signs in and reviews; keeps which decisions were answered with success."""

    def __init__(self, system: System, name: str) -> None:
        super().__init__(system)
        self.insist("GET", "/account/login/")
        said = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": self.cookies[settings.CSRF_COOKIE_NAME]}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _page = self.insist("POST", "/account/login/", urlencode(said), **headers)
        assert status == 302
        self.accepted: list[str] = []
        self.page = ""

    def post(self, path: str, said: dict[str, str]) -> int:
        status, page = self.insist(
            "POST", path, urlencode(said), **HEADERS, **{"X-CSRFToken": self.cookies[settings.CSRF_COOKIE_NAME]}
        )
        self.page = page.decode()
        return status

    def decide(self, draw: random.Random) -> None:
        """Decide on what lies there, or ask for something to decide on."""
        found = [pattern.findall(self.page) for pattern in FIELDS]
        if not all(found):
            self.post("/review/next/", {})
            return
        given, seen, request_id, started = (values[0] for values in found)
        verdict = draw.choice(
            [
                {"verdict": "approve", "rights_said": "confirm"},
                {"verdict": "approve", "rights_said": "confirm", "output": f"改过的回答{draw.random()}。"},
                {"because": "wrong"},
            ]
        )
        said = {"seen_revision": seen, "request_id": request_id, "started": started} | verdict
        status = self.post(f"/review/records/{given}/decide/", said)
        assert status in {200, 403, 404, 409, 422}, status
        if status == 200:
            self.accepted.append(request_id)
        else:
            self.page = ""


class Soak:
    """The loads, each a thread of its own, and what they noticed."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.over = threading.Event()
        self.done: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.memory: defaultdict[str, list[float]] = defaultdict(list)
        self.sessions: list[int] = []
        self.met: list[str] = []
        system.manage("shell", "-v", "0", "-c", PEOPLE.format(number=REVIEWERS, password=PASSWORD))
        words = ("create_token", "admin", "--scope", "ingest:write", "--scope", "export:read")
        self.token = system.manage(*words).strip()
        self.reviewers = [Reviewer(system, f"soak-{number}") for number in range(REVIEWERS)]
        self.copy: dict[int, Any] = {}
        self.cursor = "0"

    def run(self, seconds: float) -> None:
        loads: list[Callable[[], None]] = [
            self.ingest,
            self.release,
            self.take_down,
            self.follow,
            self.sample,
            self.harm,
        ]
        with ThreadPoolExecutor(len(loads) + REVIEWERS) as pool:
            futures = [pool.submit(load) for load in loads]
            futures += [pool.submit(self.review, number) for number in range(REVIEWERS)]
            self.over.wait(seconds)
            self.over.set()
            for future in futures:
                future.result()

    def every(self, seconds: float, draw: random.Random | None = None) -> Iterator[int]:
        """Count the turns until it is over, so many seconds between them; a little more or less by `draw`."""
        turn = 0
        while not self.over.wait(seconds * (draw.uniform(0.5, 1.5) if draw else 1)):
            turn += 1
            yield turn

    def ingest(self) -> None:
        visitor, draw = Visitor(self.system, self.token), random.Random(1)
        for turn in self.every(6):
            lines = [line(record(turn * 100_000 + draw.randrange(FILE_RECORDS * 3))) for _line in range(FILE_RECORDS)]
            lines[draw.randrange(FILE_RECORDS)] = b"[]"
            kind, body = multipart({"source": "ruozhiba", "licence": "CC0-1.0"}, b"\n".join(lines))
            status, answer = visitor.insist("POST", "/api/v1/ingest/jobs/", body, **{"Content-Type": kind})
            assert status == 202, answer
            self.done["files sent"] += 1

    def review(self, number: int) -> None:
        draw = random.Random(number)
        for _turn in self.every(0.4, draw):
            self.reviewers[number].decide(draw)

    def release(self) -> None:
        for turn in self.every(25):
            place = self.system.data.parent / f"v0.{turn}"
            if self.manage("export_release", place.name, "--out", str(place), "--policy", "research"):
                self.done["releases cut, built and placed"] += 1
                until(partial(self.manage, "verify_release", str(place)))

    def take_down(self) -> None:
        draw = random.Random(3)
        for _turn in self.every(30):
            approved = self.system.ask("SELECT id FROM review_record WHERE state = 'approved' AND takedown_id IS NULL")
            if approved:
                words = ("takedown", "add", "--who", "Li", "--ground", "author", "--confirm", "--record")
                self.done["takedowns"] += self.manage(*words, str(draw.choice(approved)[0]))

    def manage(self, *words: str) -> bool:
        """Run a command; False when a fault was in its way, which it has to say."""
        try:
            self.system.manage(*words)
        except CommandFailedError as error:
            if error.args[0] != 1:
                raise
            self.done["commands that met a fault"] += 1
            self.met.append(str(error))
            return False
        return True

    def follow(self) -> None:
        """Follow the changes, as somebody who keeps a copy does."""
        for _turn in self.every(3):
            self.catch_up()

    def catch_up(self) -> int:
        """Take in what is new; return how many changes that were."""
        visitor, taken = Visitor(self.system, self.token), 0
        with suppress(AwayError):
            status, content = visitor.ask("GET", f"/api/v1/export/changes.jsonl?cursor={self.cursor}")
            assert status == 200, content
            for text in content.splitlines():
                change = json.loads(text)
                self.cursor, taken = change["cursor"], taken + 1
                if change["change"] == "removed":
                    self.copy.pop(change["id"], None)
                else:
                    self.copy[change["id"]] = change["record"]
        self.done["changes followed"] += taken
        return taken

    def sample(self) -> None:
        for _turn in self.every(2):
            for kind, word in KINDS.items():
                sizes = []
                for process in self.system.processes(word):
                    with suppress(psutil.Error):
                        sizes.append(process.memory_full_info().uss / (1 << 20))
                if sizes:
                    self.memory[kind].append(max(sizes))
            with suppress(psycopg.Error), psycopg.connect(Postgres(self.system.data).address) as session:
                counted = session.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
                self.sessions.append((counted.fetchone() or (0,))[0])

    def harm(self) -> None:
        draw = random.Random(5)
        for _turn in self.every(12, draw):
            self.faults[harm(self.system, draw)] += 1

    def settle(self) -> None:
        """Wait until everything that was begun is done, indexed, sealed and followed."""
        open_jobs = "SELECT count(*) FROM ingest_job WHERE state IN ('queued', 'running')"
        until(lambda: self.system.ask(open_jobs)[0][0] == 0)
        unbuilt = "SELECT count(*) FROM exports_release WHERE state = 'cut'"
        until(lambda: self.system.ask(unbuilt)[0][0] == 0)
        time.sleep(15)  # the seal comes every five seconds
        until(lambda: self.catch_up() == 0)


def multipart(fields: dict[str, str], content: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of a form with a file."""
    parts = [
        f'--soak\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    parts.append('--soak\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n')
    return "multipart/form-data; boundary=soak", "".join(parts).encode() + content + b"\r\n--soak--\r\n"


@pytest.fixture(scope="module")
def soaked(request: pytest.FixtureRequest) -> Iterator[Soak]:
    """A soak that is over; its report is written where all of it held."""
    with running_system() as system:
        soak = Soak(system)
        soak.run(60 * MINUTES)
        soak.settle()
        yield soak
        if REPORT and not request.session.testsfailed:
            write_report(soak, Path(REPORT))


def test_p1_every_record_read_is_accounted_for(soaked: Soak) -> None:
    counted = soaked.system.ask(
        "SELECT j.state, sum(read), sum(new + changed + unchanged + duplicate + dropped + rejected)"
        " FROM ingest_job j JOIN ingest_chunk c ON c.job_id = j.id GROUP BY j.id, j.state"
    )
    assert {(state, read == accounted) for state, read, accounted in counted} == {("done", True)}
    assert sum(read == FILE_RECORDS for _state, read, _accounted in counted) >= soaked.done["files sent"]


def test_p2_no_decision_that_was_answered_is_lost_and_p3_none_is_made_twice(soaked: Soak) -> None:
    accepted = [request_id for reviewer in soaked.reviewers for request_id in reviewer.accepted]
    assert len(accepted) > REVIEWERS * MINUTES
    soaked.done["decisions answered with success"] = len(accepted)
    kept = soaked.system.ask("SELECT request_id::text FROM review_decision")
    assert set(accepted) <= {request_id for (request_id,) in kept}
    twice = "SELECT record_id FROM review_decision WHERE kind = 'review' GROUP BY record_id, round HAVING count(*) > 1"
    assert soaked.system.ask(twice) == []


def test_p4_p5_every_release_is_whole(soaked: Soak) -> None:
    assert soaked.done["releases cut, built and placed"], soaked.met
    status, content = Visitor(soaked.system, soaked.token).insist("GET", "/api/v1/releases/")
    assert status == 200
    whole = [release["version"] for release in json.loads(content)["releases"] if not release["suspended"]]
    soaked.done["releases that no takedown has suspended since"] = len(whole)
    if whole:
        soaked.system.manage("verify_release", *whole)


def test_p6_p9_the_history_holds_and_every_verified_record_is_proven(soaked: Soak) -> None:
    soaked.system.manage("audit_verify")
    soaked.system.manage("prove")


def test_p10_nothing_that_was_taken_down_is_in_the_stream_and_who_followed_has_the_same(soaked: Soak) -> None:
    visitor = Visitor(soaked.system, soaked.token)
    status, content = visitor.insist("GET", "/api/v1/export/records.jsonl")
    assert status == 200
    streamed = [json.loads(text) for text in content.splitlines()]
    gone = "SELECT v.output FROM review_record r JOIN review_revision v ON v.id = r.revision_id WHERE takedown_id > 0"
    assert not {output for (output,) in soaked.system.ask(gone)} & {said["output"] for said in streamed}
    assert sorted(soaked.copy.values(), key=json.dumps) == sorted(streamed, key=json.dumps)


def test_memory_and_connections_are_flat(soaked: Soak) -> None:
    for kind, sizes in soaked.memory.items():
        _first, middle, last = thirds(sizes)
        assert last <= middle * 1.15 + 16, (kind, middle, last)
    _first, middle, last = thirds(soaked.sessions)
    assert last <= middle + 4


def thirds(values: list[Any]) -> tuple[float, float, float]:
    """Return the medians of the first, the second and the last third."""
    size = max(1, len(values) // 3)
    return tuple(statistics.median(values[place * size : (place + 1) * size]) for place in range(3))


def write_report(soak: Soak, path: Path) -> None:
    """Write what was done, what was done to the system, and what it took."""
    rows = [f"| {name} | {number:,} |" for name, number in sorted(soak.done.items())]
    rows += [f"| fault: {name} | {number:,} |" for name, number in sorted(soak.faults.items())]
    held = [
        f"| {name} | " + " | ".join(f"{value:,.0f}" for value in thirds(values)) + " |"
        for name, values in [
            *((f"{kind}, largest process, MB", sizes) for kind, sizes in sorted(soak.memory.items())),
            ("connections to PostgreSQL", soak.sessions),
        ]
    ]
    path.write_text(REPORTED.format(minutes=MINUTES, reviewers=REVIEWERS, did="\n".join(rows), held="\n".join(held)))


REPORTED = """# Soak

`make soak` lets everything happen at once on one system: imports by the interface, {reviewers} reviewers,
releases that are cut and built, takedowns, and somebody who follows the changes; all the while parts of it are
killed at random (a worker, a child of one, a web process, Valkey, its memory, PostgreSQL, its sessions).
Everybody asks again for as long as the system is away. Afterwards `tests/faults/test_soak.py` checks P1 to P6,
P9 and P10, and that memory and connections are flat. This report is written by it.

The last one: {minutes:g} minutes, all promises held.

| what happened | number |
|---|--:|
{did}

| median of each third of the time | first | second | last |
|---|--:|--:|--:|
{held}
"""
