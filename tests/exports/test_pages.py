"""The list of releases, a release, its files and their verification, as pages."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from pytest_django import DjangoAssertNumQueries

from cqia_site.celery import app
from exports import build, checking, portions
from exports.models import Artifact, Release, ReleasePart
from exports.standing import PATIENCE_SECONDS, Asked, standing
from review.models import Record, User
from tests.exports.conftest import Approved, built, cut
from tests.exports.pages import (
    CREATE,
    CUT,
    HTMX,
    LIST,
    PLAN,
    TOKENS,
    content,
    file_of,
    page_of,
    seen,
    signed_in,
    status,
    take_down,
)

pytestmark = [pytest.mark.django_db]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_worker")]


# The list


def test_list_without_releases_says_what_to_do(manager: Client, reader: Client) -> None:
    assert "Plan the first release" in seen(manager.get(LIST))
    assert "A manager cuts the first one" in seen(reader.get(LIST))


def test_list_shows_each_release(manager: Client, approved: Approved) -> None:
    approved(1234)
    built("v1.0")
    shown = seen(manager.get(LIST))
    assert "v1.0" in shown
    assert "1,234" in shown
    assert "research" in shown
    assert "built" in shown


def test_list_asks_the_database_equally_often_however_many_releases_there_are(
    manager: Client, approved: Approved, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    approved()
    manager.get(LIST)
    with django_assert_num_queries(4):
        manager.get(LIST)
    for number in range(4):
        cut(f"v{number}")
    with django_assert_num_queries(4):
        manager.get(LIST)


def test_consumers_see_only_what_is_written_and_not_internal(reader: Client, approved: Approved) -> None:
    approved()
    open_one, unwritten, internal = built("v1"), cut("v2"), built("v3", "internal")
    shown = seen(reader.get(LIST))
    assert [version in shown for version in ("v1", "v2", "v3")] == [True, False, False]
    assert reader.get(page_of(open_one)).status_code == 200
    assert status(reader, file_of(open_one)) == 200
    for hidden in (unwritten, internal):
        assert reader.get(page_of(hidden)).status_code == 404
        assert reader.get(file_of(hidden)).status_code == 404


def test_reviewers_have_no_business_here(lin: User, approved: Approved) -> None:
    approved()
    release = built()
    client = signed_in(lin)
    for address in (LIST, PLAN, TOKENS, page_of(release), file_of(release)):
        assert client.get(address).status_code == 403
    for address in (CUT, CREATE, f"{page_of(release)}verify/", f"{page_of(release)}build/"):
        assert client.post(address).status_code == 403


def test_consumers_neither_plan_nor_cut_nor_verify(reader: Client, approved: Approved) -> None:
    approved()
    release = built()
    assert reader.get(PLAN).status_code == 403
    for address in (CUT, f"{page_of(release)}verify/", f"{page_of(release)}build/"):
        assert reader.post(address, {"version": "v2"}).status_code == 403
    assert "Verify</button>" not in reader.get(page_of(release)).content.decode()


@pytest.mark.parametrize(
    "address", [CUT, CREATE, "/exports/v1/verify/", "/exports/v1/build/", "/exports/tokens/x/revoke/"]
)
def test_an_action_is_not_fetched(manager: Client, address: str) -> None:
    assert manager.get(address).status_code == 405


# A release


def test_release_shows_files_card_and_what_is_held_back(manager: Client, approved: Approved) -> None:
    approved(2)
    approved(4, "zhihu", licence=None)
    release = built()
    answer = manager.get(page_of(release))
    shown = seen(answer)
    for artifact in release.artifacts.all():
        assert artifact.path in shown
        assert artifact.sha256 in shown
        assert f'href="{file_of(release, artifact.path)}"' in answer.content.decode()
    assert "rights unknown 4" in shown
    assert "configs:" in shown
    assert "hx-trigger" not in answer.content.decode()


def test_release_being_written_asks_again_by_itself(manager: Client, approved: Approved) -> None:
    approved()
    release = cut()
    whole = manager.get(page_of(release)).content.decode()
    assert 'hx-trigger="every 1s"' in whole
    assert '<noscript><meta http-equiv="refresh"' in whole
    part = manager.get(page_of(release), headers=HTMX).content.decode()
    assert part.lstrip().startswith('<div id="release"')
    build.build(release.pk)
    assert "hx-trigger" not in manager.get(page_of(release), headers=HTMX).content.decode()


def test_release_that_no_worker_takes_says_so(
    manager: Client, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved()
    release = cut()
    later = time.time() + PATIENCE_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert "No worker is running" in seen(manager.get(page_of(release)))


def test_standing_counts_the_sources_that_are_written(approved: Approved, release_root: Path) -> None:
    approved(3)
    approved(2, "zhihu")
    release = cut()
    Release.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    release.refresh_from_db()
    assert standing(release, None).written is None
    portions.lay_out(release, release_root / ".building-1.abc")
    assert (standing(release, None).written, standing(release, None).source) == (0, "")
    ReleasePart.objects.filter(slug="ruozhiba").update(written=3, is_done=True)
    ReleasePart.objects.filter(slug="zhihu").update(written=1, lease_until=timezone.now())
    now = standing(release, None)
    assert (now.is_building, now.is_open, now.written, now.source) == (True, True, 4, "zhihu")


def test_release_that_failed_says_why_and_is_written_again(manager: Client, approved: Approved) -> None:
    approved()
    release = cut()
    Release.objects.update(state=Release.State.FAILED, error="No space left on device")
    shown = seen(manager.get(page_of(release)))
    assert "No space left on device" in shown
    assert "Write it again" in shown
    assert manager.post(f"{page_of(release)}build/").status_code == 303
    assert "Waiting for a worker" in seen(manager.get(page_of(release)))
    Release.objects.update(fence=F("fence") + 1)
    assert "The files could not be written" in seen(manager.get(page_of(release)))


def test_standing_is_open_only_until_somebody_has_tried(approved: Approved) -> None:
    approved()
    release = cut()
    Release.objects.update(state=Release.State.FAILED)
    release.refresh_from_db()
    assert standing(release, Asked(time.time(), release.fence)).is_waiting
    assert not standing(release, Asked(time.time(), release.fence - 1)).is_open
    assert not standing(release, None).is_open


@pytest.mark.parametrize("version", ["v9", "..", "%2e%2e", "x" * 100, "a b", "v1\n"])
def test_release_that_is_not_there(manager: Client, version: str) -> None:
    assert manager.get(f"/exports/{version}/").status_code in {200, 404}
    assert manager.get(f"/exports/{version}x/").status_code == 404


# Files


def test_download_gives_the_file_as_written(reader: Client, approved: Approved, release_root: Path) -> None:
    approved()
    release = built()
    answer = reader.get(file_of(release, "data/ruozhiba.jsonl"))
    given = content(answer)
    assert given == (release_root / "v1/data/ruozhiba.jsonl").read_bytes()
    assert answer["Content-Disposition"] == 'attachment; filename="cqia-v1-data-ruozhiba.jsonl"'
    assert answer["Content-Length"] == str(len(given))
    assert answer["ETag"] == f'"{Artifact.objects.get(path="data/ruozhiba.jsonl").sha256}"'


@pytest.mark.parametrize("path", ["data/none.jsonl", "../v1/manifest.json", "..%2f..%2fetc/passwd", "data"])
def test_download_of_anything_else_is_not_found(reader: Client, approved: Approved, path: str) -> None:
    approved()
    built()
    assert reader.get(f"/exports/v1/files/{path}").status_code == 404


def test_download_of_an_altered_file_is_refused(manager: Client, approved: Approved, release_root: Path) -> None:
    approved()
    release = built()
    with (release_root / "v1/data/ruozhiba.jsonl").open("ab") as file:
        file.write(b"\n")
    answer = manager.get(file_of(release, "data/ruozhiba.jsonl"))
    assert answer.status_code == 503
    assert "its size differs" in seen(answer)


def test_download_is_suspended_by_a_takedown(manager: Client, reader: Client, approved: Approved) -> None:
    batch = approved()
    release = built()
    take_down(Record.objects.filter(batch=batch)[0])
    for client in (manager, reader):
        assert client.get(file_of(release)).status_code == 451
        shown = client.get(page_of(release))
        assert "taken down" in seen(shown)
        assert file_of(release) not in shown.content.decode()


# Verifying


def test_verify_tells_what_it_found(manager: Client, approved: Approved, release_root: Path) -> None:
    approved(3)
    release = built()
    answer = manager.post(f"{page_of(release)}verify/", follow=True)
    assert answer.redirect_chain == [("/exports/v1/#verify", 303)]
    assert "3 records, every file as it was written." in seen(answer)
    (release_root / "v1/manifest.json").write_bytes(b"{}")
    manager.post(f"{page_of(release)}verify/")
    shown = seen(manager.get(page_of(release)))
    assert "the files are not what was written" in shown
    assert "manifest.json is damaged" in shown


def test_verify_of_a_large_release_is_left_to_a_worker(
    manager: Client, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(checking, "SMALL_BYTES", 10)
    monkeypatch.setattr(checking.verify_later, "delay", told.append)
    approved()
    release = built()
    manager.post(f"{page_of(release)}verify/")
    assert told == [release.pk]
    waiting = manager.get(page_of(release)).content.decode()
    assert 'hx-select="#verify"' in waiting
    checking.verify_later(release.pk)
    assert "every file as it was written" in seen(manager.get(page_of(release)))


def test_verify_says_when_no_worker_can_be_told(
    manager: Client, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_release: int) -> None:
        raise BrokerError

    monkeypatch.setattr(checking, "SMALL_BYTES", 10)
    monkeypatch.setattr(checking.verify_later, "delay", away)
    approved()
    release = built()
    answer = manager.post(f"{page_of(release)}verify/", follow=True)
    assert "No worker can be told" in seen(answer)
    assert checking.found(release) is None


def test_workers_know_how_to_verify() -> None:
    app.loader.import_default_modules()
    assert "exports.checking.verify_later" in app.tasks
