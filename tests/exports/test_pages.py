import html
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.core.cache import cache
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from pytest_django import DjangoAssertNumQueries, Settings

from cqia_site.celery import app
from exports import build, checking, portions, tasks
from exports.models import Artifact, Mix, Release, ReleasePart
from exports.standing import PATIENCE_SECONDS, Asked, standing
from review import rights, workflow
from review.models import Cause, Record, Source, Takedown, User
from review.retractions import retract
from tests.exports.conftest import Approved, built, cut

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db]

HTMX = {"HX-Request": "true"}
LIST, PLAN, CUT = "/exports/", "/exports/new/", "/exports/new/cut/"
TOKENS, CREATE = "/exports/tokens/", "/exports/tokens/create/"


@pytest.fixture(autouse=True)
def _whole_site(release_root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses, a cache of this process, and no worker to be told."""
    settings.ROOT_URLCONF = "cqia_site.urls"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    monkeypatch.setattr(tasks.build_release, "delay", lambda _release: None)
    monkeypatch.setattr(tasks.build_release, "delay_on_commit", lambda _release: None)


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def manager(gao: User) -> Client:
    return signed_in(gao)


@pytest.fixture
def reader(tao: User) -> Client:
    return signed_in(tao)


def page_of(release: Release) -> str:
    return reverse("exports:release", args=[release.version])


def file_of(release: Release, path: str = "manifest.json") -> str:
    return reverse("exports:file", args=[release.version, path])


def seen(answer: "Answer") -> str:
    """The page as a person reads it: without tags, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def status(client: Client, address: str) -> int:
    """The status of an answer whose file nobody wants to read."""
    answer = client.get(address)
    if answer.streaming:
        content(answer)
    return answer.status_code


def content(answer: "Answer") -> bytes:
    """The bytes of a streamed file, which is closed when it has been read."""
    return b"".join(answer.streaming_content)


def take_down(record: Record) -> None:
    takedown = Takedown.objects.create(requester="某人", ground="著作权", received_on="2024-01-01", state="confirmed")
    workflow.move(Record.objects.filter(pk=record.pk), cause=Cause.TAKE_DOWN, by=None, takedown=takedown)


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


# The plan


def test_plan_counts_and_names_where_to_decide(manager: Client, approved: Approved) -> None:
    approved(3)
    approved(5, "zhihu", licence=None)
    answer = manager.get(PLAN)
    assert answer.context["plan"].total == 3
    shown = seen(answer)
    assert "3 records · 5 held back" in shown
    assert "rights unknown 5" in shown
    assert 'href="/review/sources/zhihu/#rights"' in answer.content.decode()
    assert not Release.objects.exists()


def test_plan_follows_policy_and_sources(manager: Client, approved: Approved) -> None:
    approved(3)
    approved(5, "zhihu", licence=None)
    assert manager.get(PLAN, {"policy": "internal"}).context["plan"].total == 8
    assert manager.get(PLAN, {"policy": "internal", "source": "zhihu"}).context["plan"].total == 5
    assert manager.get(PLAN, {"policy": "open", "source": ["zhihu", "ruozhiba"]}).context["plan"].total == 3


@pytest.mark.parametrize("query", [{"policy": "no such"}, {"source": "no such"}, {"source": "x\x00"}])
def test_plan_takes_the_usual_for_what_makes_no_sense(manager: Client, query: dict[str, str]) -> None:
    answer = manager.get(PLAN, query)
    assert answer.status_code == 200
    assert answer.context["policy"].slug == "research"


def test_plan_for_htmx_is_the_part_that_changes(manager: Client) -> None:
    answer = manager.get(PLAN, headers=HTMX)
    assert answer.content.decode().lstrip().startswith('<div id="plan"')
    assert "HX-Request" in answer["Vary"]


# The cut


def test_cut_leads_to_the_release(manager: Client, gao: User, approved: Approved) -> None:
    approved(2)
    approved(3, "zhihu")
    answer = manager.post(CUT, {"version": "v1.0", "policy": "open", "source": ["zhihu"]})
    assert (answer.status_code, answer["Location"]) == (303, "/exports/v1.0/")
    release = Release.objects.get()
    assert (release.version, release.policy.slug, release.records, release.by) == ("v1.0", "open", 3, gao)
    assert release.options["sources"] == ["zhihu"]
    shown = seen(manager.get("/exports/v1.0/"))
    assert "Waiting for a worker" in shown
    assert "No worker is running" not in shown


def test_cut_by_htmx_is_led_there_too(manager: Client, approved: Approved) -> None:
    approved()
    answer = manager.post(CUT, {"version": "v1"}, headers=HTMX)
    assert answer["HX-Redirect"] == "/exports/v1/"


def test_cut_of_the_same_again_leads_to_the_same(manager: Client, approved: Approved) -> None:
    approved()
    manager.post(CUT, {"version": "v1"})
    answer = manager.post(CUT, {"version": "v1"}, follow=True)
    assert answer.redirect_chain == [("/exports/v1/", 303)]
    assert "existed already" in seen(answer)
    assert Release.objects.count() == 1


def test_cut_with_other_options_is_refused_with_what_was_typed(manager: Client, approved: Approved) -> None:
    approved()
    cut("v1")
    answer = manager.post(CUT, {"version": "v1", "policy": "open"})
    assert answer.status_code == 409
    assert "was made with other options. Choose another version." in seen(answer)
    assert 'value="v1"' in answer.content.decode()
    assert answer.context["policy"].slug == "open"


def test_cut_of_nothing_says_what_to_decide(manager: Client, approved: Approved) -> None:
    answer = manager.post(CUT, {"version": "v1"})
    assert answer.status_code == 409
    assert "no record has been approved yet" in seen(answer)
    approved(licence=None)
    answer = manager.post(CUT, {"version": "v1"})
    assert answer.status_code == 409
    assert "Decide the rights that are listed as held back" in seen(answer)
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    "said",
    [
        {"version": ""},
        {"version": "../x"},
        {"version": "v 1"},
        {"version": "new"},
        {"version": "Tokens"},
        {"version": "v1", "policy": "no such"},
        {"version": "v1", "source": "no such"},
        {"version": "v1-internal"},
    ],
)
def test_cut_refuses_what_makes_no_sense(manager: Client, approved: Approved, said: dict[str, str]) -> None:
    approved()
    answer = manager.post(CUT, said)
    assert answer.status_code == 422
    assert answer.context["refused"]
    assert not Release.objects.exists()


def test_cut_stands_when_no_worker_can_be_told(
    manager: Client, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_release: int) -> None:
        raise BrokerError

    monkeypatch.setattr(tasks.build_release, "delay_on_commit", away)
    approved()
    assert manager.post(CUT, {"version": "v1"}).status_code == 303
    assert Release.objects.get().state == Release.State.CUT


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


# Together with rights


def test_deciding_rights_changes_the_plan(manager: Client, gao: User, approved: Approved) -> None:
    approved(5, "zhihu", licence=None)
    assert manager.get(PLAN).context["plan"].total == 0
    rights.decide_rights(Source.objects.get(slug="zhihu"), by=gao, licence="CC-BY-4.0", holder="某人")
    assert manager.get(f"{PLAN}?{urlencode({'policy': 'open'})}").context["plan"].total == 5


def test_each_count_of_what_is_held_back_leads_to_exactly_those_records(
    manager: Client, approved: Approved, gao: User, law_gee: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exports.views.held.PAGE", 2)
    approved(5)
    approved(3, licence=None)
    approved(2, licence="restricted")
    approved(4, source="mba", licence="CC-BY-NC-4.0")
    for taken in Record.objects.filter(batch=approved(2)):
        take_down(taken)
    retract(approved(1, source="mba"), by=None)
    plan = manager.get(PLAN, {"policy": "open"})
    links = [html.unescape(link) for link in re.findall(r'href="(/exports/new/held/[^"]+)"', plan.content.decode())]
    assert len(links) == sum(len(reasons) for reasons in plan.context["plan"].held_back.values()) == 5
    for link in links:
        asked = dict(parse_qsl(urlsplit(link).query))
        number, found, after = plan.context["plan"].held_back[asked["source"]][asked["reason"]], [], "0"
        while after:
            page = manager.get(f"{link}&after={after}")
            assert page.context["number"] == number
            found += [each.pk for each in page.context["records"]]
            after = page.context["following"]
        assert (len(found), len(set(found))) == (number, number)
    assert manager.get("/exports/new/held/", asked | {"reason": "none"}).status_code == 404
    gao.sources.set([law_gee])
    assert manager.get(links[0]).status_code == 404


def test_plan_with_everything_that_a_release_can_be_asked_for(manager: Client, approved: Approved) -> None:
    approved(4)
    mix = {"slug": "small", "name_zh": "小", "name_en": "Small", "seed": 7, "others": "", "cap-ruozhiba": 3}
    assert manager.post("/exports/mixes/new/", mix).status_code == 303
    assert Mix.objects.get().spec == {"seed": 7, "caps": {"ruozhiba": 3}}
    assert "Small" in seen(manager.get("/exports/mixes/"))
    asked = {
        "policy": "research",
        "format": ["alpaca", "parquet"],
        "split": "train=0.5,test=0.5",
        "shard_size": "2",
        "compress": "gzip",
        "mix": "small",
    }
    plan = manager.get(PLAN, asked)
    assert plan.context["plan"].total == 3
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)" form="cut">', plan.content.decode())
    sent: dict[str, list[str]] = {"version": ["v1"]}
    for name, value in hidden:
        sent.setdefault(name, []).append(value)
    assert manager.post(CUT, sent).status_code == 303
    release = Release.objects.get()
    assert release.options == {
        "formats": ["alpaca", "cqia", "parquet"],
        "mix": {"seed": 7, "caps": {"ruozhiba": 3}},
        "splits": [["train", "0.5"], ["test", "0.5"]],
        "shard_size": 2,
        "compress": "gzip",
    }
    build.build(release.pk)
    shown = seen(manager.get(page_of(release)))
    assert all(word in shown for word in ("train=0.5, test=0.5", "alpaca, cqia, parquet", "gzip"))


@pytest.mark.parametrize(
    "wrong", [{"split": "train=0.5"}, {"shard_size": "0"}, {"mix": "none"}, {"format": "xml"}, {"compress": "rar"}]
)
def test_plan_that_makes_no_release_says_why_and_cuts_nothing(
    manager: Client, approved: Approved, wrong: dict[str, str]
) -> None:
    approved()
    plan = manager.get(PLAN, {"policy": "open", **wrong})
    assert (plan.status_code, plan.context["policy"].slug, plan.context["plan"].total) == (200, "open", 3)
    assert 'role="alert"' in plan.content.decode()
    assert manager.post(CUT, {"version": "v1", "policy": "open", **wrong}).status_code == 422
    assert not Release.objects.exists()


def test_mix_of_a_name_that_is_taken_or_with_a_number_that_is_none_is_refused(manager: Client) -> None:
    mix = {"slug": "small", "name_zh": "小", "name_en": "Small", "seed": 7, "cap-mba": "5"}
    assert manager.post("/exports/mixes/new/", mix).status_code == 303
    for wrong in ({}, {"slug": "new"}, {"slug": "other", "seed": ""}, {"slug": "other", "cap-mba": "-1"}):
        assert manager.post("/exports/mixes/new/", mix | wrong).status_code == 422
    assert manager.post("/exports/mixes/small/", mix | {"cap-mba": "", "others": "9"}).status_code == 303
    assert Mix.objects.get().spec == {"seed": 7, "caps": {}, "others": 9}
