"""What `doctor` finds: each fault is made, and named with what to do."""

import json
import shutil
import time
from collections import namedtuple
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from cqia_site import condition, health
from cqia_site.celery import RUN_KEY
from exports import checking
from ingest.models import Job
from review.models import Batch, Source, User
from tests.exports.conftest import built
from tests.factories import approve, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  as the standard library's own


@pytest.fixture(autouse=True)
def _in_order(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Any:
    """Everything in order, in English."""
    for name in ("has_broker", "has_worker"):
        monkeypatch.setattr(health, name, lambda: True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100 << 30, 10 << 30, 90 << 30))
    settings.DATA_DIR = tmp_path
    cache.set(f"{RUN_KEY}ingest.tasks.sweep", time.time())
    with translation.override("en"):
        yield


def doctor() -> dict[str, Any]:
    out, status = StringIO(), 0
    try:
        translation.activate("en")  # a request leaves its own language behind
        call_command("doctor", "--json", stdout=out, stderr=StringIO())
    except CommandError as error:
        status = error.returncode
    said: dict[str, Any] = json.loads(out.getvalue().strip().split("\n")[-1])
    assert said["ok"] is (status == 0)
    return said


def bad() -> dict[str, str]:
    return {one["name"]: one["advice"] for one in doctor()["findings"] if not one["ok"]}


def test_a_system_in_order_needs_nobody() -> None:
    assert bad() == {}


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100 << 30, 99 << 30, 1 << 29))
    assert "Make room" in bad()["disk"]


def test_a_data_folder_that_cannot_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "gone"
    assert list(bad()) == ["data folder"]


@pytest.mark.parametrize(("check", "name"), [("has_broker", "broker"), ("has_worker", "worker")])
def test_a_dead_broker_or_worker_is_named(monkeypatch: pytest.MonkeyPatch, check: str, name: str) -> None:
    monkeypatch.setattr(health, check, lambda: False)
    assert "Start" in bad()[name]


def test_periodic_tasks_that_no_longer_run_are_named() -> None:
    cache.set(f"{RUN_KEY}ingest.tasks.sweep", time.time() - 600)
    assert "--beat" in bad()["periodic tasks, last run"]


def test_wrong_headers_of_a_proxy_are_named(settings: Settings) -> None:
    Client().get("/account/login/", headers={"x-forwarded-proto": "https"})
    assert "BEHIND_TLS_PROXY=1" in bad()["headers of the proxy"]
    cache.clear()
    cache.set(f"{RUN_KEY}ingest.tasks.sweep", time.time())
    settings.BEHIND_TLS_PROXY = True
    Client().get("/account/login/")
    assert "X-Forwarded-Proto" in bad()["headers of the proxy"]


def test_a_missing_migration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "is_migrated", lambda: False)
    assert "migrate" in bad()["migrations"]


def test_clocks_that_differ_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(condition.time, "time", lambda: real() + 30)
    assert "clocks of site and database" in bad()


def test_a_database_that_is_away_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "has_database", lambda: False)
    assert list(bad()) == ["database"]


def job(**fields: Any) -> Job:
    source = Source.objects.get(slug="ruozhiba")
    made = Job.objects.create(source=source, batch=Batch.objects.create(source=source, name="x"), **fields)
    Job.objects.filter(pk=made.pk).update(created_at=timezone.now() - timezone.timedelta(hours=1))
    return made


def test_an_import_that_stands_still_is_named() -> None:
    stuck = job()
    assert list(bad()) == ["imports that stand still"]
    assert f"#{stuck.pk}" in str(doctor())


def test_an_import_that_failed_is_named() -> None:
    job(state="failed", error_code="disk", error_parameters={"trouble": "x"}, finished_at=timezone.now())
    assert list(bad()) == ["imports that failed today"]


def test_f20_a_release_that_the_nightly_check_found_altered_is_named(
    settings: Settings, tmp_path: Path, lin: User
) -> None:
    settings.RELEASE_ROOT = tmp_path / "releases"
    approve(record(), lin)
    release = built("v1", "internal")
    checking.verify_nightly()
    assert "releases" not in bad()
    (tmp_path / "releases" / release.name / "data" / "ruozhiba.jsonl").write_text("{}")
    checking.verify_nightly()
    assert "written again" in bad()["releases"]


def test_who_looks_again_and_again_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, go_on = [], Event()

    def look() -> Iterator[condition.Finding]:
        looked.append(translation.get_language())
        if len(looked) > 1:
            assert go_on.wait(60)
        yield condition.Finding("worker", is_good=len(looked) == 1, found=f"look {len(looked)}")

    monkeypatch.setattr(condition, "findings", look)
    assert [one.found for one in condition.recently_found()] == ["look 1"]
    monkeypatch.setattr(condition, "FRESH_SECONDS", 0.0)
    for _page in range(5):  # a look lasts, and nobody waits for it or begins another
        assert [one.found for one in condition.recently_found()] == ["look 1"]
    go_on.set()
    end = time.monotonic() + 60
    while condition.recently_found()[0].found == "look 1" and time.monotonic() < end:
        time.sleep(0.01)
    assert not condition.recently_found()[0].is_good
    assert set(looked) == {"en"}
