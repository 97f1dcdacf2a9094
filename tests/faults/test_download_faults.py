"""Readers and databases that fail while a stream is on its way, with a web server of its own."""

import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse, IncompleteRead
from urllib.request import urlopen

import pytest
from django.db import connection

from bench.reviewing import server
from exports.tokens import create_token
from review.models import Rights, Scope, User
from tests.exports.conftest import approve_waiting
from tests.factories import add_records, candidate
from tests.faults.processes import database_url, end_sessions, sessions, until

pytestmark = [pytest.mark.django_db(transaction=True)]

RECORDS = 300
"""More than the first page of a stream holds."""


@pytest.fixture
def secret(lin: User, tao: User) -> str:
    """A token to read a stream with that is larger than all that may lie between server and reader."""
    lines = [candidate(output=f"{number}。" + "一段很长的回答。" * 2000) for number in range(RECORDS)]
    add_records("ruozhiba", lines, licence="MIT", holder="某人")
    approve_waiting(lin)
    assert Rights.objects.exists()
    return create_token(user=tao, scopes=[Scope.EXPORT_READ])[1]


@pytest.fixture
def port() -> Iterator[int]:
    quick = {"STREAM_PATIENCE_SECONDS": "0.5", "STREAM_SLOWEST_BYTES": "100000000"}
    with server(workers=1, DATABASE_URL=database_url(), **quick) as port:
        yield port


def asked(port: int, secret: str) -> tuple[socket.socket, HTTPResponse]:
    """Ask for the stream with a narrow window, so that little of it is on the way at a time."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(30)
    reader.connect(("127.0.0.1", port))
    head = f"GET /api/v1/export/records.jsonl HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n"
    reader.sendall(head.encode())
    answer = HTTPResponse(reader)
    answer.begin()
    assert (answer.status, answer.headers["X-Record-Count"]) == (200, str(RECORDS))
    return reader, answer


def states() -> list[str]:
    """What the sessions of the web server do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = ANY(%s)", [list(sessions())])
        return [state for (state,) in cursor.fetchall()]


def test_f25_slow_client_holds_nothing_up_and_is_cut(port: int, secret: str) -> None:
    reader, answer = asked(port, secret)
    for _second in range(3):
        assert len(answer.read(1024)) == 1024
        began = time.monotonic()
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as other:
            assert other.status == 200
        until(lambda: set(states()) <= {"idle"})  # but for the moment in which the next page is read
        assert time.monotonic() - began < 5
        time.sleep(0.3)
    with pytest.raises((IncompleteRead, ConnectionError)):
        answer.read()
    reader.close()


def test_f26_database_dies_in_mid_stream(port: int, secret: str) -> None:
    reader, answer = asked(port, secret)
    got = answer.read(1024)
    assert end_sessions() > 0
    with pytest.raises((IncompleteRead, ConnectionError)) as broken:
        answer.read()
    if isinstance(broken.value, IncompleteRead):
        got += broken.value.partial
    assert got.count(b"\n") < RECORDS
    assert json.loads(got.split(b"\n")[0])["human_verified"] is True
    reader.close()


def test_f27_client_goes_away_in_mid_download(port: int, secret: str) -> None:
    for _reader in range(5):
        reader, answer = asked(port, secret)
        assert answer.read(100)
        reader.close()
    until(lambda: set(states()) <= {"idle"})
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as other:
        assert other.status == 200
