"""The figures of the dashboard against direct counts, and what its pages and tables show."""

import csv
import io
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from cqia_site import condition
from cqia_site.dashboard import charts, figures, keeping, pages, period
from cqia_site.dashboard.views import safe_cell
from cqia_site.tasks import renew_dashboard
from exports.cutting import cut
from exports.models import Policy
from exports.options import Options
from review import decisions, retractions, sending_back, takedowns
from review.models import Decision, Record, Source, State, User, Verdict
from review.tracing import Asked
from tests.factories import add_records, approve, candidate, judgement, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition, "findings", lambda: iter([condition.Finding("disk", is_good=True, found="much")]))


@pytest.fixture
def history(lin: User, mei: User, shen: User) -> None:
    """Two sources with records in every state, under several rights, some sent back, one import taken back."""
    add_records("ruozhiba", [candidate() for _ in range(6)], licence="CC0-1.0")
    add_records("mba", [candidate(answer_from="human") for _ in range(4)])
    add_records("mba", [candidate(output="")])
    retracted = add_records("mba", [candidate()])
    retractions.retract(retracted, by=None, reason="x")
    ruozhiba = list(Record.objects.filter(source__slug="ruozhiba").order_by("pk"))
    mba = list(Record.objects.filter(source__slug="mba", state=State.WAITING, retraction=None).order_by("pk"))
    for place, given in enumerate(ruozhiba[:4]):
        approve(
            given, lin, output=f"改过的回答{place}。" if place % 2 else given.revision.output, seconds=10 * place + 1
        )
    approve(mba[0], mei)
    decisions.decide(by=mei, record=mba[1].pk, judgement=judgement(mba[1], Verdict.REJECT))
    decisions.decide(by=mei, record=mba[2].pk, judgement=judgement(mba[2], Verdict.ESCALATE))
    sending_back.send_back(by=shen, records=[ruozhiba[0].pk], reason="再看一遍")


def row(slug: str) -> figures.SourceRow:
    return figures.source_rows([Source.objects.get(slug=slug)])[0]


def test_every_figure_of_a_source_equals_a_direct_count(history: None, gao: User) -> None:
    cut(version="v1", policy=Policy.objects.get(slug="open"), options=Options(), by=gao)
    for source in Source.objects.filter(slug__in=["ruozhiba", "mba", "zhihu"]):
        live = Record.objects.filter(source=source, takedown=None, retraction=None)
        counted, found = Counter(live.values_list("state", flat=True)), row(source.slug)
        assert found.figures.candidates == live.count()
        assert found.figures.waiting == sum(counted[state] for state in figures.UNDECIDED)
        assert found.figures.approved == counted[State.APPROVED]
        assert found.figures.rejected == counted[State.REJECTED]
        assert (
            found.pace
            == Decision.objects.filter(record__source=source, record__verdict__isnull=False)
            .filter(record__verdict_id=models_f("pk"))
            .count()
        )
    assert (row("ruozhiba").sent_back, row("ruozhiba").releasable, row("ruozhiba").released) == (1, 3, 3)
    assert (row("mba").sent_back, row("mba").releasable, row("mba").released) == (0, 0, 0)


def test_every_figure_follows_a_takedown(history: None, gao: User) -> None:
    given = Record.objects.filter(source__slug="ruozhiba", state=State.APPROVED).earliest("pk")
    before = row("ruozhiba")
    takedown = takedowns.request(by=gao, requester="某人", ground="著作权", asked=Asked(records=(given.pk,)))
    takedowns.confirm(takedown, by=gao)
    after = row("ruozhiba")
    live = Record.objects.filter(source__slug="ruozhiba", takedown=None, retraction=None)
    counted = Counter(live.values_list("state", flat=True))
    assert after.figures.candidates == live.count() == before.figures.candidates - 1
    assert after.figures.approved == counted[State.APPROVED] == before.figures.approved - 1
    assert after.figures.waiting == sum(counted[state] for state in figures.UNDECIDED)
    assert after.releasable == before.releasable - 1
    assert_every_figure_leads_to_its_list(gao)


def models_f(name: str) -> Any:
    from django.db.models import F  # noqa: PLC0415  one use

    return F(name)


def test_days_to_go_follow_from_the_pace_of_the_week(history: None) -> None:
    source = Source.objects.get(slug="ruozhiba")
    Source.objects.filter(pk=source.pk).update(target=13)
    found = row("ruozhiba")
    assert (found.missing, found.pace, found.days_to_go) == (10, 3, 24)
    Source.objects.filter(pk=source.pk).update(target=2)
    assert row("ruozhiba").days_to_go == 0
    assert row("zhihu").days_to_go is None


def test_throughput_and_reviewers_count_the_decisions_that_the_list_shows(history: None, gao: User) -> None:
    days = period.usual()
    made = figures.made(days, list(Source.objects.values_list("pk", flat=True)))
    by_day = figures.throughput(made, days)
    assert len(by_day) == period.USUAL_DAYS
    assert sum(day.total for day in by_day) == Decision.objects.count() == 7
    lin = next(found for found in figures.reviewers(made) if found.person.username == "lin")
    assert (lin.total, lin.verdicts[Verdict.APPROVE], lin.edits, lin.seconds) == (4, 4, 2, 16)
    client = Client()
    client.force_login(gao)
    page = client.get("/admin/").content.decode()
    address = page.split("/admin/review/decision/?", 1)[1].split('"', 1)[0].replace("&amp;", "&")
    listed = client.get(f"/admin/review/decision/?{address}").context["cl"].result_count
    assert listed == made.filter(verdict=Verdict.APPROVE).count()


LINK = re.compile(r'href="(/review/records/\?[^"]+)">([\d,]+)</a>')


def test_every_figure_leads_to_a_list_with_as_many_records(history: None, gao: User) -> None:
    assert_every_figure_leads_to_its_list(gao)


def assert_every_figure_leads_to_its_list(gao: User) -> None:
    client = Client()
    client.force_login(gao)
    links = LINK.findall(client.get("/admin/").content.decode())
    assert len(links) > 8
    for quoted, shown in links:
        address = quoted.replace("&amp;", "&")
        listed = client.get(address)
        assert listed.status_code == 200, address
        assert listed.context["number"] == int(shown.replace(",", "")), address


def test_ages_and_reaches_add_up(history: None) -> None:
    keys = list(Source.objects.values_list("pk", flat=True))
    assert (
        sum(age.number for age in figures.ages(keys))
        == Record.objects.live().filter(state__in=figures.UNDECIDED).count()
    )
    assert {reach.name: reach.number for reach in figures.reaches(keys)} == {
        "every": 3,
        "research": 0,
        "inside": 1,
        "nowhere": 0,
    }


def test_the_page_asks_a_bounded_number_of_questions(history: None, gao: User) -> None:
    client = Client()
    client.force_login(gao)
    cache.clear()
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/")
    for slug in ("zhihu", "douban", "chengyu"):
        approve(record(slug), gao)
    cache.clear()
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/")
    assert len(many) <= len(few)
    assert len(few) <= 30


@pytest.mark.parametrize(
    ("query", "problem"),
    [("from=2026-01-01&to=2026-01-31", False), ("from=x&to=y", True), ("from=2026-02-30&to=2026-03-01", True),
     ("from=2026-03-02&to=2026-03-01", True), ("from=1900-01-01&to=2026-01-01", True), ("from=2026-01-01", True)],
)  # fmt: skip
def test_a_period_is_taken_or_said_to_be_wrong(gao: User, query: str, *, problem: bool) -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(gao)
    answer = client.get(f"/admin/?{query}")
    assert answer.status_code == 200
    assert ('role="alert"' in answer.content.decode()) is problem


@pytest.mark.parametrize("name", ["sources", "days", "reviewers"])
def test_63_tables_come_as_csv_that_no_spreadsheet_calculates(history: None, gao: User, name: str) -> None:
    User.objects.filter(username="lin").update(username="=1+1")
    client = Client()
    client.force_login(gao)
    answer = client.get(f"/admin/dashboard/{name}.csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) > 1
    assert all(len(found) == len(rows[0]) for found in rows)
    assert not any(cell.startswith("=") for found in rows for cell in found)
    assert client.get("/admin/dashboard/other.csv").status_code == 404


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "＝1+1", "\t=1", "+1", "-1", "@x", "\r=1"])
def test_63_a_cell_that_looks_like_a_formula_is_quoted(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_cell(-1) == -1


def test_pages_of_a_source_and_of_a_reviewer(history: None, gao: User, lin: User) -> None:
    client = Client()
    client.force_login(gao)
    assert client.get("/admin/dashboard/sources/ruozhiba/").context["row"].figures.approved == 3
    assert client.get("/admin/dashboard/sources/none/").status_code == 404
    assert client.get(f"/admin/dashboard/reviewers/{lin.pk}/").context["own"][0].total == 4
    assert client.get("/admin/dashboard/reviewers/999999/").status_code == 404


def test_40_a_manager_limited_to_sources_sees_their_figures_alone(history: None, gao: User) -> None:
    gao.sources.set(Source.objects.filter(slug="mba"))
    client = Client()
    client.force_login(gao)
    page = client.get("/admin/")
    assert [found.source.slug for found in page.context["rows"]] == ["mba"]
    assert sum(day.total for day in page.context["days"]) == 3
    assert client.get("/admin/dashboard/sources/ruozhiba/").status_code == 404


def test_the_chart_stands_on_its_base_and_no_bar_leaves_it() -> None:
    today = timezone.localdate()
    days = [figures.Day(today - timedelta(days=1), Counter(approve=3, reject=1)), figures.Day(today)]
    chart = charts.by_day(days)
    assert chart.highest == 4
    assert [(bar.kind, bar.y, bar.height) for bar in chart.bars] == [("approve", 30.0, 90.0), ("reject", 0.0, 30.0)]
    assert charts.by_day([figures.Day(today)]).bars == []


def test_figures_of_many_records_are_remembered_for_seconds(
    history: None, gao: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(gao)
    small = client.get("/admin/").context
    monkeypatch.setattr(keeping, "MANY", 1)
    for _time in ("counted", "remembered"):
        with CaptureQueriesContext(connection) as queries:
            shown = client.get("/admin/").context
        for name in ("totals", "reviewers", "ages", "reaches", "flags", "days"):
            assert shown[name] == small[name], name
    assert not [query["sql"] for query in queries if "percentile_cont" in query["sql"]]
    assert not [query["sql"] for query in queries if "GROUP BY source_id, batch_id, rights_id" in query["sql"]]


def test_the_worker_makes_the_figures_anew_and_nobody_waits_for_them(
    history: None, gao: User, zhou: User, client: Client, monkeypatch: pytest.MonkeyPatch, lin: User
) -> None:
    monkeypatch.setattr(keeping, "MANY", 0)
    gao.sources.set(Source.objects.filter(slug="mba"))
    today = timezone.localdate()
    asked = f"?from={today - timedelta(days=3)}&to={today}"
    for person, query in ((gao, ""), (zhou, ""), (zhou, asked)):
        client.force_login(person)
        client.get(f"/admin/{query}")
    assert len(keeping.looks()) == 3
    approve(record("mba"), lin)
    before = sum(day.total for day in client.get("/admin/").context["days"])
    renew_dashboard()
    for person, query, made in ((gao, "", 4), (zhou, "", before + 1), (zhou, asked, before + 1)):
        client.force_login(person)
        with CaptureQueriesContext(connection) as queries:
            shown = client.get(f"/admin/{query}").context
        assert sum(day.total for day in shown["days"]) == made
        assert shown["totals"]["approved"] == sum(
            found.figures.approved for found in pages.first(shown_to(person), shown["period"])["rows"]
        )
        assert not [query["sql"] for query in queries if "GROUP BY" in query["sql"]]


def shown_to(person: User) -> list[Source]:
    return pages.sources_of(person.sources.values_list("pk", flat=True))


def test_no_figure_is_older_than_a_minute_and_the_worker_comes_in_time(settings: Settings) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["renew-dashboard"]
    assert keeping.KEPT_SECONDS <= 60
    assert 2 * entry["schedule"].total_seconds() < keeping.KEPT_SECONDS


def test_only_the_latest_pages_that_were_looked_at_are_made_anew() -> None:
    for day in range(1, 30):
        keeping.note_look([], f"2026-01-{day:02}", "2026-02-01")
    kept = keeping.looks()
    assert len(kept) == 1 + keeping.MOST_LOOKED
    assert kept[0] == ([], "", "")
    assert ([], "2026-01-29", "2026-02-01") in kept
