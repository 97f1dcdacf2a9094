"""Every figure of the dashboard, and of its pages of sources and reviewers, leads to a list that holds as many."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from cqia_site import condition
from exports.cutting import cut
from exports.models import Policy, Release
from exports.options import Options
from review import claims, decisions, retractions, sending_back, takedowns
from review.models import Claim, Decision, GoldAnswer, Record, Source, State, User, Verdict
from review.tracing import Asked
from tests.factories import add_records, approve, candidate, judgement

pytestmark = [pytest.mark.django_db, pytest.mark.core]

FIGURE = re.compile(r'<a href="([^"]+)">([\d,]+)</a>')
PAGES = ("/admin/", "/admin/dashboard/sources/ruozhiba/", "/admin/dashboard/sources/mba/")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition, "findings", lambda: iter([condition.Finding("disk", is_good=True, found="much")]))


@pytest.fixture
def manager(client: Client, gao: User) -> Client:
    client.force_login(gao)
    return client


@pytest.fixture
def history(lin: User, mei: User, shen: User, gao: User) -> None:
    """Records in every state and under several rights; some edited, sent back, flagged, held; an import taken back."""
    add_records("ruozhiba", [candidate() for _ in range(6)], licence="CC0-1.0")
    add_records("mba", [candidate(answer_from="human", output="请加微信 wx12345678 领取。") for _ in range(5)])
    add_records("mba", [candidate(output="")])
    retractions.retract(add_records("mba", [candidate()]), by=None, reason="x")
    ruozhiba = list(Record.objects.filter(source__slug="ruozhiba").order_by("pk"))
    mba = list(Record.objects.filter(source__slug="mba", state=State.WAITING, retraction=None).order_by("pk"))
    for place, given in enumerate(ruozhiba[:4]):
        approve(given, lin, output=f"改过的回答{place}。" if place % 2 else given.revision.output)
    approve(mba[0], mei)
    decisions.decide(by=mei, record=mba[1].pk, judgement=judgement(mba[1], Verdict.REJECT))
    decisions.decide(by=mei, record=mba[2].pk, judgement=judgement(mba[2], Verdict.ESCALATE))
    sending_back.send_back(by=shen, records=[ruozhiba[0].pk], reason="再看一遍")
    assert claims.claim_next(by=mei)
    cut(version="v1", policy=Policy.objects.get(slug="open"), options=Options(), by=gao)


def counted(client: Client, address: str) -> int:
    """Return how many rows there are on the page that a figure leads to."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    parts, known = urlsplit(address), answer.context
    if "cl" in known:
        return int(known["cl"].result_count)
    if parts.path == "/exports/new/":
        assert known["chosen"] == set(parse_qs(parts.query)["source"])
        return int(known["plan"].total)
    if parts.path.startswith("/exports/"):
        return -1
    return int(known["number"])


def assert_figures_lead(client: Client, pages: tuple[str, ...], least: int) -> set[str]:
    """Follow every figure of these pages; return the kinds of lists that were met."""
    met = set()
    for page in pages:
        shown = client.get(page).content.decode()
        links = FIGURE.findall(shown)
        assert len(links) >= least, page
        for quoted, said in links:
            address, number = unescape(quoted), int(said.replace(",", ""))
            found = counted(client, address)
            if found == -1:  # a release says what it holds of each source
                found_of = {one["records"] for one in Release.objects.get(version="v1").sources}
                assert number in found_of, (page, address)
            else:
                assert found == number, (page, address)
            met.add(urlsplit(address).path)
    return met


def pages_of_reviewers() -> tuple[str, ...]:
    reviewers = Decision.objects.order_by("reviewer").values_list("reviewer", flat=True).distinct()
    return tuple(f"/admin/dashboard/reviewers/{pk}/" for pk in reviewers)


def test_every_figure_leads_to_as_many(history: None, manager: Client) -> None:
    met = assert_figures_lead(manager, PAGES, 8) | assert_figures_lead(manager, pages_of_reviewers(), 3)
    assert met == {"/review/records/", "/admin/review/decision/", "/exports/new/", "/exports/v1/"}


def test_every_figure_leads_to_as_many_after_a_takedown(history: None, manager: Client, gao: User) -> None:
    before = FIGURE.findall(manager.get("/admin/").content.decode())
    meant = [Record.objects.filter(source__slug=slug, verdict__isnull=False).earliest("pk").pk for slug in ("mba",)]
    meant += Record.objects.filter(source__slug="ruozhiba", state=State.APPROVED).values_list("pk", flat=True)[:1]
    takedown = takedowns.request(by=gao, requester="某人", ground="著作权", asked=Asked(records=tuple(meant)))
    takedowns.confirm(takedown, by=gao)
    assert_figures_lead(manager, PAGES, 6)
    assert_figures_lead(manager, pages_of_reviewers(), 3)
    assert FIGURE.findall(manager.get("/admin/").content.decode()) != before


def test_every_figure_of_a_limited_manager_leads_to_as_many(history: None, manager: Client, gao: User) -> None:
    gao.sources.set(Source.objects.filter(slug="mba"))
    assert_figures_lead(manager, ("/admin/", PAGES[2]), 6)
    assert_figures_lead(manager, pages_of_reviewers(), 0)


def test_claims_lead_to_those_that_are_held(history: None, manager: Client, lin: User) -> None:
    assert claims.claim_next(by=lin)
    Claim.objects.filter(reviewer=lin).update(lease_until="2020-01-01T00:00Z")
    page = manager.get("/admin/")
    assert page.context["claims"] == 1
    assert counted(manager, "/admin/review/claim/?held=yes") == 1
    assert "/admin/review/claim/?held=yes" in page.content.decode()


def test_imports_and_releases_lead_to_themselves(history: None, manager: Client) -> None:
    page = manager.get("/admin/")
    for address in [f"/exports/{release.version}/" for release in page.context["releases"]]:
        assert f'href="{address}"' in page.content.decode()
        assert manager.get(address).status_code == 200
    assert [job.pk for job in page.context["jobs"]] == []


def test_agreement_and_gold_are_those_of_the_pages_of_quality(manager: Client, gao: User, lin: User, mei: User) -> None:
    batch = add_records("ruozhiba", [candidate() for _ in range(2)])
    Record.objects.filter(batch=batch).update(wanted=2)
    same, other = Record.objects.filter(batch=batch).order_by("pk")
    for person in (lin, mei):
        approve(same, person)
    approve(other, lin)
    decisions.decide(by=mei, record=other.pk, judgement=judgement(other, Verdict.REJECT))
    found = manager.get("/admin/").context["quality"]
    assert (found.looked_at, found.agreed) == (2, 1)
    agreement = manager.get("/review/quality/").context["all"]
    assert (agreement.looks, agreement.agreed) == (2, 1)
    assert (found.gold, found.gold_right) == (GoldAnswer.objects.count(), 0)


def test_every_drawing_says_what_it_shows_and_has_a_table_behind(history: None, manager: Client) -> None:
    for page in (*PAGES, *pages_of_reviewers()):
        answer = manager.get(page, headers={"accept-language": "zh-hans"})
        shown = answer.content.decode()
        drawings = re.findall(r"<svg.*?</svg>(.*?)</section>", shown, re.DOTALL)
        assert drawings, page
        for behind in drawings:
            assert "<table" in behind, page
        assert all('role="img" aria-label="' in tag for tag in re.findall(r"<svg[^>]*>", shown)), page
