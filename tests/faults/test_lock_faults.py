"""Locks that are not to be had: a deadlock, and a table that somebody holds."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from ingest import pipeline
from ingest.models import Job
from review.models import User
from tests.faults.processes import until
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import counts, fresh, submitted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Any) -> None:
    settings.UPLOAD_ROOT = tmp_path / "uploads"
    settings.INGEST_CHUNK_RECORDS = 5


@pytest.fixture
def other() -> Iterator[psycopg.Connection[Any]]:
    """A session of somebody else."""
    known = connection.settings_dict
    password = f":{quote(known['PASSWORD'])}" if known["PASSWORD"] else ""
    port = f":{known['PORT']}" if known["PORT"] else ""
    address = f"postgres://{known['USER']}{password}@{quote(known['HOST'], safe='')}{port}/{known['NAME']}"
    with psycopg.connect(address) as session:
        yield session
        session.rollback()


def waits_for_a_lock(session: psycopg.Connection[Any]) -> bool:
    found = session.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    return bool(found and found[0])


def test_f23_deadlock_in_mid_chunk(other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture) -> None:
    job = submitted(b"\n".join(good_lines(10)))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE test_lock (id int)")
        cursor.execute("INSERT INTO test_lock VALUES (1)")
        cursor.execute(
            "CREATE FUNCTION test_wait() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN UPDATE test_lock SET id = id; RETURN NEW; END'"
        )
        cursor.execute(
            "CREATE TRIGGER test_wait BEFORE INSERT ON ingest_chunk FOR EACH ROW EXECUTE FUNCTION test_wait()"
        )

    def close_the_circle() -> None:
        other.execute("SET LOCAL deadlock_timeout TO '60s'")  # so that the chunk is the one that gives way
        other.execute("UPDATE test_lock SET id = id")
        held.set()
        until(lambda: waits_for_a_lock(other))
        other.execute("UPDATE ingest_job SET options = options WHERE id = %s", [job.pk])
        other.commit()

    held = threading.Event()
    circle = threading.Thread(target=close_the_circle)
    circle.start()
    held.wait()
    try:
        assert pipeline.run(job.pk) == pipeline.Outcome.ENDED
    finally:
        circle.join()
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION test_wait CASCADE")
            cursor.execute("DROP TABLE test_lock")
    assert "try 1: OperationalError" in caplog.text
    assert (fresh(job).state, counts(job)) == ("done", {"read": 10, "new": 10})


def test_f24_page_that_needs_a_table_that_is_held(client: Client, gao: User, other: psycopg.Connection[Any]) -> None:
    client.force_login(gao)
    other.execute("LOCK TABLE ingest_job IN ACCESS EXCLUSIVE MODE")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout TO '200ms'")
    begun = time.monotonic()
    answer = client.get("/ingest/")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert time.monotonic() - begun < 10
    other.rollback()
    assert client.get("/ingest/").status_code == 200


def test_f24_chunk_that_needs_a_table_that_is_held_for_a_while(
    other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    job = submitted(b"\n".join(good_lines(10)))
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout TO '300ms'")

    def hold(_chunk: object) -> None:
        if Job.objects.get(pk=job.pk).cursor_line == 5:
            other.execute("LOCK TABLE review_record IN ACCESS EXCLUSIVE MODE")
            threading.Timer(0.6, other.rollback).start()

    with caplog.at_level(logging.WARNING):
        assert pipeline.run(job.pk, on_chunk=hold) == pipeline.Outcome.ENDED
    assert "OperationalError" in caplog.text
    assert counts(job) == {"read": 10, "new": 10}
