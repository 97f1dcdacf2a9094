"""Reading over REST: the live stream, releases, files."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from exports import api, rows, storage
from exports.models import Release
from review.models import Decision, Licence, Record, User
from tests.exports.conftest import Approved, built, cut
from tests.exports.test_cutting import take_down
from tests.factories import approve, candidate, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]
STREAM = "/api/v1/export/records.jsonl"
DATA = "/api/v1/releases/v1/files/data/ruozhiba.jsonl"


def body(answer: Any) -> bytes:
    """Read an answer to its end, which closes it; `close()` in a test would close the database connection as well."""
    return b"".join(answer) if answer.streaming else answer.content


def lines(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body(answer).split(b"\n")[:-1]]


def test_stream_is_what_a_release_would_hold(approved: Approved, consumer: Client, release_root: Path) -> None:
    approved(3)
    approved(2, licence=None)
    built()
    answer = consumer.get(STREAM)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/jsonl; charset=utf-8"
    assert answer["X-Record-Count"] == "3"
    assert "Content-Length" not in answer
    assert body(answer) == (release_root / "v1" / "data" / "ruozhiba.jsonl").read_bytes()


def test_stream_of_nothing_is_empty(consumer: Client) -> None:
    answer = consumer.get(STREAM)
    assert (answer["X-Record-Count"], body(answer)) == ("0", b"")


def test_stream_never_holds_what_must_not_leave(approved: Approved, insider: Client) -> None:
    for licence in [*Licence.values, None]:
        approved([candidate(metadata=str(licence))], licence=licence)
    take_down(Record.objects.filter(batch=approved(1)))
    for slug, more in (("research", set()), ("internal", {"fair-use", "unknown", "None"})):
        found = {line["metadata"] for line in lines(insider.get(STREAM, {"policy": slug}))}
        assert found == Licence.research() | more


def test_stream_of_unknown_rights_needs_its_scope(approved: Approved, consumer: Client, insider: Client) -> None:
    approved(2, licence=None)
    assert consumer.get(STREAM, {"policy": "internal"}).status_code == 403
    assert lines(consumer.get(STREAM)) == []
    assert lines(insider.get(STREAM)) == []
    assert len(lines(insider.get(STREAM, {"policy": "internal"}))) == 2


@pytest.fixture
def varied(approved: Approved, lin: User) -> None:
    """Records that differ in what can be filtered by; `metadata` names them."""
    approved([candidate(metadata="a", major=("问答",), minor=("知乎问答",), domain=("法律", "历史"))])
    approved([candidate(metadata="b", major=("试题", "问答"), minor=(), domain=("医疗",))], source="mba")
    approved([candidate(metadata="c", answer_from="llm", domain=("医疗",))], source="poem", licence="MIT")
    approve(record(metadata="unreleased"), lin)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", "abc"),
        ("source=ruozhiba", "a"),
        ("source=mba&source=poem", "bc"),
        ("major=试题", "b"),
        ("major=问答", "abc"),
        ("minor=知乎问答", "a"),
        ("minor=知乎", ""),
        ("domain=医疗", "bc"),
        ("domain=医疗&source=poem", "c"),
        ("answer_from=llm", "c"),
        ("answer_from=llm&answer_from=human", "abc"),
        ("licence=MIT", "c"),
        ("licence=MIT&licence=CC-BY-4.0", "abc"),
        ("verified_after=2000-01-01", "abc"),
        ("verified_after=2000-01-01T00:00:00%2B08:00", "abc"),
        ("verified_after=2999-01-01T00:00:00Z", ""),
        ("format=cqia", "abc"),
        ("policy=open", "abc"),
        ('major="', ""),
        ("domain=%27%20OR%201=1", ""),
        ("major=%25", ""),
    ],
)
def test_stream_by_filter(varied: None, consumer: Client, query: str, wanted: str) -> None:
    answer = consumer.get(f"{STREAM}?{query}")
    found = "".join(line["metadata"] for line in lines(answer))
    assert (found, answer["X-Record-Count"]) == (wanted, str(len(wanted)))


def test_stream_of_what_was_verified_since(varied: None, consumer: Client) -> None:
    moments = list(Decision.objects.order_by("at").values_list("at", flat=True))
    answer = consumer.get(STREAM, {"verified_after": moments[1].isoformat()})
    assert [line["metadata"] for line in lines(answer)] == ["c"]


@pytest.mark.parametrize(
    ("query", "name", "allowed"),
    [
        ("colour=red", "colour", "verified_after"),
        ("reviewer__password__startswith=a", "reviewer__password__startswith", "source"),
        ("source=nowhere", "source", "ruozhiba"),
        ("source=", "source", "ruozhiba"),
        ("source=mba&source=nowhere", "source", "mba"),
        ("answer_from=robot", "answer_from", "expert"),
        ("licence=unknown", "licence", "MIT"),
        ("licence=restricted", "licence", "CC-BY-4.0"),
        ("format=parquet", "format", "cqia"),
        ("policy=everything", "policy", "research"),
        ("verified_after=yesterday", "verified_after", None),
        ("verified_after=1e9999", "verified_after", None),
        ("major=%00", "major", None),
        (f"domain={'长' * 201}", "domain", None),
    ],
)
def test_stream_by_unknown_filter_or_value_is_refused(
    consumer: Client, query: str, name: str, allowed: str | None
) -> None:
    answer = consumer.get(f"{STREAM}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    problem = answer.json()["problems"][name]
    assert problem["detail"]
    assert allowed is None or allowed in problem["allowed"]


def test_stream_takes_few_queries(
    varied: None, consumer: Client, django_assert_num_queries: Callable[[int], Any]
) -> None:
    """The token, its person's other tokens, the policies, the count, the end of the page, the row of the history."""
    with django_assert_num_queries(6):
        assert len(lines(consumer.get(STREAM))) == 3


def test_stream_answers_503_while_nothing_was_sent(consumer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OperationalError

    monkeypatch.setattr(rows, "_page_end", fail)
    answer = consumer.get(STREAM)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"] == "application/json"


def test_f26_stream_that_fails_on_the_way_raises(
    approved: Approved, consumer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F26: the server then cuts the connection, so that nobody takes a part for the whole."""
    monkeypatch.setattr(rows, "FIRST_PAGE_ROWS", 1)
    approved(3)
    page_end = rows._page_end

    def fail_later(after: int, count: int) -> int | None:
        if after:
            raise OperationalError
        return page_end(after, count)

    monkeypatch.setattr(rows, "_page_end", fail_later)
    answer = consumer.get(STREAM)
    assert answer["X-Record-Count"] == "3"
    with pytest.raises(OperationalError):
        body(answer)


@pytest.mark.django_db(transaction=True)
def test_f25_slow_reader_holds_no_transaction(
    approved: Approved, consumer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25 and F27: between pieces, and after the reader has gone, the session is idle."""
    monkeypatch.setattr(rows, "FIRST_PAGE_ROWS", 1)
    monkeypatch.setattr(rows, "PAGE_ROWS", 1)
    approved(3)
    answer = consumer.get(STREAM)
    pieces: Iterator[bytes] = iter(answer)
    states = []

    def look(session: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [session])
            states.append(cursor.fetchone())
        connection.close()

    def look_from_outside() -> None:
        watcher = threading.Thread(target=look, args=[connection.connection.info.backend_pid])
        watcher.start()
        watcher.join()

    for _ in range(2):
        next(pieces)
        look_from_outside()
    answer.close()
    look_from_outside()
    assert states == [("idle",)] * 3


def test_releases_are_listed_latest_first(approved: Approved, consumer: Client, insider: Client) -> None:
    approved(2)
    built("v1")
    built("v2", slug="internal")
    cut("v3")
    assert [release["version"] for release in consumer.get("/api/v1/releases/").json()["releases"]] == ["v1"]
    (internal, public) = insider.get("/api/v1/releases/").json()["releases"]
    assert (internal["name"], internal["internal"]) == ("v2-internal", True)
    assert public == {
        "version": "v1",
        "name": "v1",
        "state": "built",
        "suspended": False,
        "internal": False,
        "policy": "research",
        "records": 2,
        "cut_at": public["cut_at"],
        "published_at": None,
        "withdrawn_at": None,
        "reason": "",
        "manifest_sha256": Release.objects.get(version="v1").manifest_sha256,
        "url": "/api/v1/releases/v1/",
    }


def test_listing_releases_takes_as_many_queries_as_one(
    approved: Approved, consumer: Client, django_assert_num_queries: Callable[[int], Any]
) -> None:
    approved(2)
    for version in ("v1", "v2", "v3"):
        built(version)
    with django_assert_num_queries(3):
        assert len(consumer.get("/api/v1/releases/").json()["releases"]) == 3


@pytest.mark.parametrize("address", ["/api/v1/releases/v1/", "/api/v1/releases/v1/files/manifest.json"])
def test_manifest_comes_byte_for_byte(approved: Approved, consumer: Client, release_root: Path, address: str) -> None:
    approved(2)
    release = built()
    answer = consumer.get(address)
    assert body(answer) == (release_root / "v1" / "manifest.json").read_bytes()
    assert answer["Content-Type"] == "application/json"
    assert answer["ETag"] == f'"{release.manifest_sha256}"'
    assert consumer.get(address, headers={"if-none-match": answer["ETag"]}).status_code == 304


def test_every_file_of_a_release_can_be_had(approved: Approved, consumer: Client, release_root: Path) -> None:
    approved(2)
    approved(1, source="mba")
    for artifact in built().artifacts.all():
        answer = consumer.get(f"/api/v1/releases/v1/files/{artifact.path}")
        data = body(answer)
        assert sha256(data).hexdigest() == artifact.sha256
        assert answer["ETag"] == f'"{artifact.sha256}"'
        assert answer["Content-Length"] == str(artifact.bytes) == str(len(data))
        assert answer["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("v2", "manifest.json"),
        ("v1", "data/mba.jsonl"),
        ("v1", "data"),
        ("v1", "../../etc/passwd"),
        ("v1", "..%2F..%2Fetc%2Fpasswd"),
        ("v1", "data/../manifest.json"),
        ("v1", "/etc/passwd"),
        ("v1", "manifest.json%00"),
        ("v1%00", "manifest.json"),
        ("..", "v1/manifest.json"),
        ("%2e%2e", "manifest.json"),
        ("V1", "manifest.json"),
        ("v1", "data%5Cruozhiba.jsonl"),
        ("v1", "%F0%9F"),
    ],
)
def test_file_that_is_not_of_the_release_is_not_found(
    approved: Approved, consumer: Client, version: str, path: str
) -> None:
    approved(1)
    built()
    answer = consumer.get(f"/api/v1/releases/{version}/files/{path}")
    assert answer.status_code == 404
    assert b"root:" not in answer.content


def test_65_internal_release_is_not_found_without_its_scope(
    approved: Approved, consumer: Client, insider: Client
) -> None:
    approved(1, licence=None)
    built(slug="internal")
    for address in ("/api/v1/releases/v1/", DATA):
        assert consumer.get(address).status_code == 404
        answer = insider.get(address)
        assert answer.status_code == 200
        assert body(answer)


def test_release_that_is_not_written_is_not_found(approved: Approved, consumer: Client) -> None:
    approved(1)
    cut()
    for address in ("/api/v1/releases/v1/", DATA):
        assert consumer.get(address).status_code == 404


@pytest.fixture
def data(approved: Approved, release_root: Path) -> bytes:
    """The data file of a release."""
    approved(3)
    built()
    return (release_root / "v1" / "data" / "ruozhiba.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("header", "start", "stop"), [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None)]
)
def test_part_of_a_file(data: bytes, consumer: Client, header: str, start: int, stop: int | None) -> None:
    answer = consumer.get(DATA, headers={"range": header})
    part = data[start:stop]
    assert (answer.status_code, body(answer)) == (206, part)
    first = start % len(data)
    assert answer["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(data)}"
    assert answer["Content-Length"] == str(len(part))


def test_file_in_two_parts_is_the_file(data: bytes, consumer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BLOCK_BYTES", 100)
    halves = [body(consumer.get(DATA, headers={"range": part})) for part in ("bytes=0-299", "bytes=300-")]
    assert b"".join(halves) == data


@pytest.mark.parametrize(
    "header", ["bytes=999999-", "bytes=9-1", "bytes=x", f"bytes={'0-0,' * 1000}1-1", "bytes=0-1,2-3"]
)
def test_part_that_cannot_be_had_is_refused(data: bytes, consumer: Client, header: str) -> None:
    answer = consumer.get(DATA, headers={"range": header})
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{len(data)}")
    assert answer["Content-Type"] == "application/json"


def test_65_conditions_of_a_request(data: bytes, consumer: Client) -> None:
    etag = f'"{sha256(data).hexdigest()}"'

    def asked(**headers: str) -> int:
        answer = consumer.get(DATA, headers={name.replace("_", "-"): value for name, value in headers.items()})
        body(answer)
        return answer.status_code

    assert asked(if_match='"other"') == 412
    assert asked(if_match=etag) == asked(if_match="*") == 200
    assert asked(if_none_match=etag) == asked(if_none_match=f"W/{etag}") == 304
    assert asked(if_none_match='"other"') == 200
    assert asked(range="bytes=0-1", if_range=etag) == 206
    assert asked(range="bytes=0-1", if_range='"other"') == 200


@pytest.mark.parametrize("harm", ["shortened", "touched", "missing", "linked"])
def test_f20_file_that_is_not_as_written_is_not_served(
    data: bytes, consumer: Client, release_root: Path, harm: str
) -> None:
    """F20."""
    path = release_root / "v1" / "data" / "ruozhiba.jsonl"
    match harm:
        case "shortened":
            os.truncate(path, 10)
        case "touched":
            path.write_bytes(data)
        case "missing":
            path.unlink()
        case "linked":
            path.rename(release_root / "x")
            path.symlink_to(release_root / "x")
    answer = consumer.get(DATA)
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/json")
    assert "data/ruozhiba.jsonl" in answer.json()["detail"]


def test_file_that_shrinks_while_it_is_sent_raises(data: bytes, consumer: Client, release_root: Path) -> None:
    answer = consumer.get(DATA)
    os.truncate(release_root / "v1" / "data" / "ruozhiba.jsonl", 10)
    with pytest.raises(storage.Damaged):
        body(answer)


def test_release_with_records_taken_down_is_suspended(approved: Approved, consumer: Client, lin: User) -> None:
    """P4: its files are no longer given out, and the answer names the release to take instead."""
    batch = approved([candidate(), candidate(metadata="weg")])
    built("v1")
    take_down(Record.objects.filter(batch=batch, revision__metadata="weg"))
    answer = consumer.get(DATA)
    assert (answer.status_code, answer.json()["next"]) == (451, None)
    time.sleep(1)  # releases are told apart by the second
    built("v2")
    assert consumer.get(DATA).json()["next"] == "v2"
    listed = {
        release["version"]: release["suspended"] for release in consumer.get("/api/v1/releases/").json()["releases"]
    }
    assert listed == {"v1": True, "v2": False}


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/jsonl", "image/png", "nonsense", ""])
def test_answers_do_not_depend_on_what_is_accepted(data: bytes, consumer: Client, accept: str) -> None:
    for address, kind in ((STREAM, "application/jsonl; charset=utf-8"), ("/api/v1/releases/", "application/json")):
        answer = consumer.get(address, headers={"accept": accept, "content-type": "text/html"})
        assert (answer.status_code, answer["Content-Type"]) == (200, kind)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert body(answer)


def test_head_tells_the_length_without_the_file(data: bytes, consumer: Client) -> None:
    answer = consumer.head(DATA)
    assert (answer.status_code, answer["Content-Length"], body(answer)) == (200, str(len(data)), b"")
