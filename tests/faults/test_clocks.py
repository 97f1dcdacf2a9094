"""Clocks that differ, and clocks that jump."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from redis import Redis

from cqia_site.dashboard import period
from exports import build
from exports.models import Release
from ingest import pipeline, sweeper
from ingest.models import Job
from review.models import User
from tests.conftest import REPOSITORY
from tests.exports.conftest import cut
from tests.faults.processes import Broker, environment, until
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import fresh, submitted

HURRIED = """
from cqia_site.celery import app
app.conf.beat_schedule = {
    name: {"task": task, "schedule": 3.0}
    for name, task in [("seal", "review.tasks.seal_history"), ("sweep", "ingest.tasks.sweep")]
}
"""
PERIOD_SECONDS = 3.0


@pytest.fixture
def broker(db: None) -> Iterator[Broker]:
    broker = Broker()
    broker.start()
    yield broker
    broker.remove()


@pytest.fixture
def two_beats(broker: Broker, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two beats of the project, with a schedule that a test can wait for."""
    (tmp_path / "hurried.py").write_text(HURRIED)
    known = environment(broker) | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    beats = []
    with ExitStack() as stack:
        for number in range(2):
            folder = tmp_path / f"machine{number}"
            folder.mkdir()
            command = [sys.executable, "-m", "celery", "-q", "-A", "hurried:app", "beat"]
            beat = subprocess.Popen(
                [*command, "--schedule", str(folder / "schedule"), "--pidfile", str(folder / "pid")],
                cwd=REPOSITORY,
                env=known,
            )
            stack.callback(beat.wait)
            stack.callback(beat.kill)
            beats.append(beat)
        yield beats


def sent(broker: Broker) -> Counter[str]:
    """How often each task stands in the queue."""
    with Redis.from_url(broker.url) as client:
        return Counter(json.loads(message)["headers"]["task"] for message in client.lrange("celery", 0, -1))


def test_f30_two_beats_send_each_task_once_a_period(broker: Broker, two_beats: list[subprocess.Popen[bytes]]) -> None:
    until(lambda: sum(sent(broker).values()))
    began, before = time.monotonic(), sent(broker)
    time.sleep(3 * PERIOD_SECONDS)
    in_between = sent(broker) - before
    periods = (time.monotonic() - began) / PERIOD_SECONDS
    assert set(in_between) == {"review.tasks.seal_history", "ingest.tasks.sweep"}
    assert all(periods - 2 <= number <= periods + 1.5 for number in in_between.values()), (in_between, periods)
    assert [beat.poll() for beat in two_beats] == [None, None]

    two_beats[0].send_signal(signal.SIGKILL)
    two_beats[0].wait()
    before = sent(broker)
    until(lambda: set(sent(broker) - before) == set(in_between))


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.django_db
def test_f31_a_clock_that_jumps_ends_no_lease(hours: int, settings: Settings, tmp_path: Path) -> None:
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    job, release = submitted(good_lines(1)[0]), cut()
    assert Job.objects.filter(pk=job.pk).take() == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exports_release SET lease_until = clock_timestamp() + interval '1 minute', builder = 'another'"
        )
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        assert sweeper.sweep() == 0
        assert pipeline.run(job.pk) == pipeline.Outcome.NOT_HELD
        assert list(build.abandoned()) == []
        with pytest.raises(build.Busy):
            build.build(release.pk)
    assert (fresh(job).state, Release.objects.get().state) == ("running", "cut")


@pytest.mark.django_db
def test_f31_the_leap_day_is_a_day(client: Client, gao: User) -> None:
    with time_machine.travel(datetime(2028, 2, 29, 4, tzinfo=UTC)):
        client.force_login(gao)
        assert period.usual().last == date(2028, 2, 29)
        assert period.asked_for({"from": "2028-02-28", "to": "2028-03-01"}).days[1] == date(2028, 2, 29)
        for address in ("/", "/admin/", "/admin/?from=2028-02-29&to=2028-02-29", "/review/quality/"):
            assert client.get(address).status_code == 200
