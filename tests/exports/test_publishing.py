"""Publishing, withdrawing, suspending; and every download in the history."""

from functools import partial
from pathlib import Path

import pytest
from django.test import Client

from exports import publishing, storage
from exports.models import Download, Release
from review.models import Record, User
from review.refused import Ground, Refused
from tests.exports.conftest import Approved, built, cut
from tests.exports.test_cutting import take_down

pytestmark = [pytest.mark.django_db, pytest.mark.core, pytest.mark.usefixtures("whole_site")]

DATA = "/api/v1/releases/v1/files/data/ruozhiba.jsonl"


def test_publish_release(approved: Approved, gao: User) -> None:
    approved(1)
    release = publishing.publish(built(), by=gao)
    assert (release.state, release.published_at is not None) == ("published", True)
    with pytest.raises(Refused, match="cannot be published"):
        publishing.publish(release, by=gao)


@pytest.mark.parametrize("name", ["lin", "shen", "tao"])
def test_only_managers_publish_and_withdraw(approved: Approved, request: pytest.FixtureRequest, name: str) -> None:
    approved(1)
    release = built()
    by = request.getfixturevalue(name)
    for verb in (publishing.publish, partial(publishing.withdraw, reason="x")):
        with pytest.raises(Refused) as refusal:
            verb(release, by=by)
        assert refusal.value.ground == Ground.FORBIDDEN


def test_internal_release_is_never_published(approved: Approved, gao: User) -> None:
    approved(1, licence=None)
    with pytest.raises(Refused, match="never published"):
        publishing.publish(built(slug="internal"), by=gao)


def test_release_that_is_damaged_suspended_or_not_written_is_not_published(
    approved: Approved, gao: User, release_root: Path
) -> None:
    approved(1)
    with pytest.raises(Refused, match="cannot be published"):
        publishing.publish(cut("v0"), by=gao)
    damaged = built("v1")
    (storage.folder_of(damaged) / "README.md").write_text("x")
    with pytest.raises(Refused, match="not as they were written"):
        publishing.publish(damaged, by=gao)
    suspended = built("v2")
    take_down(Record.objects.all())
    with pytest.raises(Refused, match="taken down"):
        publishing.publish(suspended, by=gao)


def test_withdrawn_release_stays_listed_with_its_reason(
    approved: Approved, gao: User, consumer: Client, client: Client
) -> None:
    approved(1)
    release = built()
    client.force_login(gao)
    assert client.post("/exports/v1/withdraw/", {"reason": " "}).status_code == 303
    release.refresh_from_db()
    assert release.state == "built"
    client.post("/exports/v1/withdraw/", {"reason": "标签\x00有误"})
    later = built("v2")
    (said,) = [one for one in consumer.get("/api/v1/releases/").json()["releases"] if one["version"] == "v1"]
    assert (said["state"], said["reason"], said["withdrawn_at"] is not None) == ("withdrawn", "标签有误", True)
    assert consumer.get("/api/v1/releases/v1/").status_code == 200
    answer = consumer.get(DATA)
    assert (answer.status_code, answer.json()["next"]) == (410, later.version)
    assert "标签有误" in answer.json()["detail"]
    assert "标签有误" in client.get("/exports/v1/").content.decode()
    assert client.get("/exports/v1/files/data/ruozhiba.jsonl").status_code == 410


def test_published_by_page(approved: Approved, gao: User, client: Client) -> None:
    approved(1)
    built()
    client.force_login(gao)
    client.post("/exports/v1/publish/")
    assert Release.objects.get().state == "published"


def test_suspended_release_says_why_and_what_is_next(approved: Approved, consumer: Client) -> None:
    approved(2)
    built("v1")
    take_down(Record.objects.filter(pk=Record.objects.order_by("pk")[0].pk))
    built("v2")
    answer = consumer.get(DATA)
    assert (answer.status_code, answer.json()["next"]) == (451, "v2")
    listed = {one["version"]: one["reason"] for one in consumer.get("/api/v1/releases/").json()["releases"]}
    assert "taken down" in listed["v1"]
    assert listed["v2"] == ""


def test_every_download_is_in_the_history(approved: Approved, tao: User, consumer: Client, client: Client) -> None:
    approved(2)
    release = built()
    size = release.artifacts.get(path="data/ruozhiba.jsonl").bytes
    b"".join(consumer.get(DATA).streaming_content)
    b"".join(consumer.get(DATA, headers={"range": "bytes=5-9"}).streaming_content)
    b"".join(consumer.get("/api/v1/export/records.jsonl?source=ruozhiba").streaming_content)
    b"".join(consumer.get("/api/v1/export/changes.jsonl").streaming_content)
    etag = consumer.get(DATA)["ETag"]
    assert consumer.get(DATA, headers={"if-none-match": etag}).status_code == 304
    assert consumer.get(DATA, headers={"range": "bytes=999999-"}).status_code == 416
    assert consumer.head(DATA).status_code == 200
    client.force_login(tao)
    b"".join(client.get("/exports/v1/files/data/ruozhiba.jsonl").streaming_content)
    rows = Download.objects.order_by("pk").values_list("path", "door", "first_byte", "bytes", "query", "by__username")
    assert list(rows) == [
        ("data/ruozhiba.jsonl", "api", 0, size, "", "tao"),
        ("data/ruozhiba.jsonl", "api", 5, 5, "", "tao"),
        ("records.jsonl", "api", 0, None, "source=ruozhiba", "tao"),
        ("changes.jsonl", "api", 0, None, "", "tao"),
        ("data/ruozhiba.jsonl", "api", 0, size, "", "tao"),
        ("data/ruozhiba.jsonl", "page", 0, size, "", "tao"),
    ]


def test_file_tells_its_digest(approved: Approved, consumer: Client) -> None:
    approved(1)
    built()
    answer = consumer.get(DATA)
    assert answer["Repr-Digest"].startswith("sha-256=:")
    assert answer["Repr-Digest"].endswith("=:")
    assert consumer.get(DATA, headers={"range": "bytes=0-1"})["Repr-Digest"] == answer["Repr-Digest"]


def test_too_many_requests_are_told_to_wait(
    approved: Approved, consumer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exports.api import ExportThrottle  # noqa: PLC0415

    monkeypatch.setattr(ExportThrottle, "rate", "2/min")
    answers = [consumer.get("/api/v1/releases/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0
