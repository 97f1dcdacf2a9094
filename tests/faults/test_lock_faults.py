"""Locks that are not to be had: a deadlock, and a table that somebody holds."""

import ast
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from ingest import pipeline
from ingest.models import Job
from review.models import Decision, Record, User
from tests.factories import record
from tests.faults.processes import until
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import counts, fresh, submitted
from tests.review.reviewing import address, form, reload, signed_in

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


@pytest.fixture
def trap(lin: User) -> Iterator[Record]:
    """A record; whoever decides on it waits for the one row of `test_lock`."""
    given = record()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE test_lock (id int)")
        cursor.execute("INSERT INTO test_lock VALUES (1)")
        cursor.execute("CREATE SEQUENCE test_tries")
        cursor.execute(
            "CREATE FUNCTION test_wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''test_tries'');"
            " IF current_setting(''cqia.test_deadlocks'', true) = ''always'' THEN"
            " RAISE EXCEPTION ''deadlock'' USING ERRCODE = ''40P01''; END IF;"
            " UPDATE test_lock SET id = id; RETURN NEW; END'"
        )
        cursor.execute(
            "CREATE TRIGGER test_wait BEFORE INSERT ON review_decision FOR EACH ROW EXECUTE FUNCTION test_wait()"
        )
    yield given
    with connection.cursor() as cursor:
        cursor.execute("SET cqia.test_deadlocks TO ''")
        cursor.execute("DROP FUNCTION test_wait CASCADE")
        cursor.execute("DROP TABLE test_lock")
        cursor.execute("DROP SEQUENCE test_tries")


def tries() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM test_tries")
        return int(cursor.fetchone()[0])


def test_f23_deadlock_in_mid_review_is_tried_again(
    trap: Record, lin: User, other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    def close_the_circle() -> None:
        other.execute("SET LOCAL deadlock_timeout TO '60s'")  # so that the decision is what gives way
        other.execute("UPDATE test_lock SET id = id")
        held.set()
        until(lambda: waits_for_a_lock(other))
        other.execute("SELECT FROM review_record WHERE id = %s FOR UPDATE", [trap.pk])
        other.commit()

    client = signed_in(lin)
    client.post("/review/next/")
    held = threading.Event()
    circle = threading.Thread(target=close_the_circle)
    circle.start()
    held.wait()
    try:
        answer = client.post(address("decide", trap), form(trap))
    finally:
        circle.join()
    assert answer.status_code == 303
    assert (tries(), Decision.objects.count()) == (2, 1)
    assert "decide, try 1: deadlock" in caplog.text
    assert reload(trap).human_verified


def test_f23_deadlock_that_comes_back_three_times_is_a_503(trap: Record, lin: User) -> None:
    client = signed_in(lin)
    client.post("/review/next/")
    sent = form(trap)
    with connection.cursor() as cursor:
        cursor.execute("SET cqia.test_deadlocks TO 'always'")
    answer = client.post(address("decide", trap), sent)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert (tries(), Decision.objects.count()) == (3, 0)
    assert not reload(trap).human_verified
    with connection.cursor() as cursor:
        cursor.execute("SET cqia.test_deadlocks TO ''")
    assert client.post(address("decide", trap), sent).status_code == 303
    assert Decision.objects.get().verdict == "approve"


def locks(function: ast.AST) -> int:
    """How often a function of ours asks for locks."""
    names = [
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    ]
    return sum(name in {"select_for_update", "_locked", "lock"} for name in names)


def test_f23_no_function_takes_locks_twice() -> None:
    """What a transaction locks it locks in one statement, in one order: two could come in either."""
    found = [
        (path.name, node.name)
        for app in ("review", "ingest", "exports")
        for path in sorted((Path(settings.BASE_DIR) / app).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and locks(node) > 1
    ]
    assert found == []


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
