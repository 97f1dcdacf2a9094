"""Two web servers and three workers, each with a disk of its own, over one database, one broker, one storage."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from cqia_site.celery import app
from exports.models import Release
from exports.tokens import create_token
from ingest.models import Job
from review import erasure, takedowns
from review.models import Record, User
from review.tracing import Asked
from tests.exports.conftest import approve_waiting, cut
from tests.faults.processes import Broker, Worker, environment, until
from tests.storage_server import KEYS, made_bucket, s3, use

__all__ = ["s3"]
pytestmark = [pytest.mark.django_db(transaction=True)]

SECRET = "渡口的灯一直亮到天明，没有人来。"
RECORDS = 120
LINES = [
    {"instruction": f"渡口的灯亮到几时？（{number}）", "output": f"亮到第{number}夜。"} for number in range(RECORDS)
]
LINES[7]["output"] = SECRET
CONTENT = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES).encode() + b"not json\n"
RELEASED = "/api/v1/releases/v1/files/data/ruozhiba.jsonl"


class Web:
    """A web server with its disk."""

    def __init__(self, folder: Path, more: dict[str, str], broker: Broker) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        command = ["-W", "ignore", "-m", "gunicorn", "cqia_site.wsgi:application", "--bind", self.address]
        options = ["--worker-class", "gthread", "--workers", "1", "--threads", "4", "--no-control-socket"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, *options],
                cwd=settings.BASE_DIR,
                env=environment(broker) | more,
                stdout=log,
                stderr=log,
            )
        self.client = httpx.Client(base_url=f"http://{self.address}", trust_env=False, timeout=60)

    def answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return self.client.get("/healthz").is_success
        return False

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait()


@contextmanager
def machines(broker: Broker, root: Path, storage: str) -> Iterator[list[Web]]:
    """Start all five, and give the two that serve pages once they answer."""
    shared = {
        "CQIA_STORAGE": storage,
        "AWS_ACCESS_KEY_ID": KEYS["access_key"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secret_key"],
        "SECRET_KEY": settings.SECRET_KEY,
        "STORAGE_TIDY_SECONDS": "1",
    }
    with ExitStack() as stack:
        disks = [root / name for name in ("web1", "web2", "worker1", "worker2", "worker3")]
        for disk in disks:
            disk.mkdir()
        webs = [Web(disk, shared | {"CQIA_DATA_DIR": str(disk)}, broker) for disk in disks[:2]]
        for web in webs:
            stack.callback(web.stop)
        for number, disk in enumerate(disks[2:], start=1):
            more = shared | {"CQIA_DATA_DIR": str(disk)}
            stack.callback(Worker(broker, disk, number, processes=1, more=more).kill)
        for web in webs:
            until(web.answers)
        yield webs


def holding(root: Path, text: bytes) -> list[str]:
    """Name the files on any disk that hold a text."""
    found = []
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and text in path.read_bytes():
                found.append(path.relative_to(root).as_posix())
    return sorted(found)


def test_five_machines_with_disks_of_their_own_work_as_one(
    gao: User, lin: User, tao: User, settings: Settings, tmp_path: Path, s3: str
) -> None:
    storage = made_bucket(s3)
    root = tmp_path / "machines"
    root.mkdir()
    use(settings, storage)
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "here" / "uploads", tmp_path / "here" / "releases"
    settings.INGEST_WORKERS_PER_JOB = 3
    broker = Broker()
    broker.start()
    try:
        with machines(broker, root, storage) as (first, second):
            job = imported(first, second, gao)
            assert refused(second, gao, job) == [b"not json"]
            release = released(broker, lin)
            token = bearer(tao, "export:read", "export:internal")
            taken = [web.client.get(RELEASED, headers=token) for web in (first, second)]
            assert [answer.status_code for answer in taken] == [200, 200]
            assert taken[0].content == taken[1].content
            artifact = release.artifacts.get(path="data/ruozhiba.jsonl")
            assert sha256(taken[0].content).hexdigest() == artifact.sha256
            # Each of the two fetched its own copy of what one of the three had made.
            copies = {name.partition("/")[0] for name in holding(root, SECRET.encode()) if "/releases/" in name}
            assert copies - {"worker1", "worker2", "worker3"} == {"web1", "web2"}
            assert len(copies) == 3
            taken_down(gao)
            assert {web.client.get(RELEASED, headers=token).status_code for web in (first, second)} == {451}
            until(lambda: not holding(root, SECRET.encode()))
    finally:
        broker.remove()


def imported(first: Web, second: Web, by: User) -> Job:
    """Send a file to one web server and watch it on the other until it is done."""
    token = bearer(by, "ingest:write")
    said = {"source": "ruozhiba", "licence": "CC-BY-4.0", "holder": "渡口"}
    answer = first.client.post("/api/v1/ingest/jobs/", headers=token, data=said, files={"file": ("一.jsonl", CONTENT)})
    assert answer.status_code == 202, answer.text
    address = answer.headers["Location"]
    done = until(lambda: _when_done(second.client.get(address, headers=token).json()))
    assert done is not None
    assert (done["read"], done["new"], done["rejected"]) == (RECORDS + 1, RECORDS, 1)
    return Job.objects.get(pk=done["job"])


def _when_done(said: dict[str, Any]) -> dict[str, Any] | None:
    return said if said["state"] == "done" else None


def refused(web: Web, by: User, job: Job) -> list[bytes]:
    """Download the refused records as a person who is signed in does."""
    page = Client()
    page.force_login(by)
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={page.cookies[settings.SESSION_COOKIE_NAME].value}"}
    answer = web.client.get(f"/ingest/jobs/{job.pk}/rejects/", headers=cookie)
    assert answer.status_code == 200
    return [json.loads(line)["raw"].encode() for line in answer.content.splitlines()]


def released(broker: Broker, by: User) -> Release:
    """Cut a release and let one of the workers build it."""
    approve_waiting(by)
    release = cut("v1", "internal")
    with app.connection_for_write(broker.url.replace("unix://", "redis+socket://")) as connection:
        app.send_task("exports.tasks.build_release", args=[release.pk], connection=connection)
    until(lambda: Release.objects.get(pk=release.pk).state == Release.State.BUILT)
    return release


def taken_down(by: User) -> None:
    """Take the record down and erase it, from a sixth machine."""
    record = Record.objects.get(revision__output=SECRET)
    takedown = takedowns.request(by=by, requester="渡口", ground="著作权", asked=Asked(records=(record.pk,)))
    takedowns.confirm(takedown, by=by)
    erasure.erase(takedown, by=by)


def bearer(user: User, *scopes: str) -> dict[str, str]:
    _token, secret = create_token(user=user, scopes=scopes)
    return {"Authorization": f"Bearer {secret}"}
