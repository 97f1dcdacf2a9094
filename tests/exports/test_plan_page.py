"""Planning and cutting a release on its page."""

import html
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from exports import build, tasks
from exports.models import Mix, Release
from review import rights
from review.models import Record, Source, User
from review.retractions import retract
from tests.exports.conftest import Approved, cut
from tests.exports.pages import (
    CUT,
    HTMX,
    PLAN,
    page_of,
    seen,
    take_down,
)

pytestmark = [pytest.mark.django_db]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_worker")]


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
    assert "nothing was cut" in seen(answer)
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
