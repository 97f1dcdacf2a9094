"""Real processes die and a real limit is met: `doctor` and the dashboard say so within ten seconds."""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation
from pytest_django import Settings

from cqia_site import health
from review.models import User
from tests.faults.processes import Broker, Worker, send_to, until

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 10.0


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Iterator[Broker]:
    """A broker that is the cache as well, known to this process, which is the web server."""
    broker = Broker()
    settings.UPLOAD_ROOT = tmp_path / "uploads"
    settings.DATA_DIR = tmp_path
    send_to(broker, monkeypatch)
    settings.CACHES = {"default": {"BACKEND": "cqia_site.cache.SteadyCache", "LOCATION": broker.url}}
    broker.start()
    yield broker
    broker.remove()


def named_by_doctor() -> set[str]:
    """The names of what `doctor` finds wrong."""
    out = StringIO()
    translation.activate("en")
    with suppress(CommandError):
        call_command("doctor", "--json", stdout=out, stderr=StringIO())
    said = json.loads(out.getvalue().strip().split("\n")[-1])
    return {one["name"] for one in said["findings"] if not one["ok"]}


def named_by_dashboard(client: Client) -> set[str]:
    """The same of the first page of the administration."""
    answer = client.get("/admin/", headers={"accept-language": "en"})
    assert answer.status_code == 200
    return {str(one.name) for one in answer.context["condition"] if not one.is_good}


@contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write no file beyond a kilobyte."""
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, held[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)


def test_a_killed_worker_a_full_disk_and_a_stopped_valkey_are_named_within_ten_seconds(
    broker: Broker, tmp_path: Path, gao: User
) -> None:
    client = Client()
    client.force_login(gao)
    worker = Worker(broker, tmp_path, 1, processes=1, more={})
    try:
        until(health.has_worker)
        assert not {"worker", "broker", "data folder"} & (named_by_doctor() | named_by_dashboard(client))

        def said_in_time(name: str) -> None:
            began = time.monotonic()
            until(lambda: name in named_by_doctor())
            until(lambda: name in named_by_dashboard(client))
            assert time.monotonic() - began < SECONDS

        with full_disk():
            said_in_time("data folder")
        worker.kill()
        said_in_time("worker")
        broker.kill()
        said_in_time("broker")
    finally:
        worker.kill()
