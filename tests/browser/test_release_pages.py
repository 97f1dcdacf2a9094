"""Releases, tokens and the rights of sources in a real browser, with and without its scripts."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django import Settings

from exports import build, cutting, publishing, tasks, webhooks
from exports.models import Policy, Release, Webhook
from exports.options import Options
from review import rights
from review.models import Licence, Record, Role, User
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, each_look, serious, stays_within, violations
from tests.conftest import person
from tests.factories import add_records, approve, candidate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "没有空格的一长串文字" * 20 + "https://example.org/" + "a" * 120


@pytest.fixture(autouse=True)
def _no_worker(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases are kept apart, and are written when the test says so."""
    settings.RELEASE_ROOT = tmp_path / "releases"
    monkeypatch.setattr(tasks.build_release, "delay_on_commit", lambda _release: None)
    monkeypatch.setattr(tasks.build_release, "delay", lambda _release: None)


@pytest.fixture
def approved(lin: User) -> list[Record]:
    """Two records that may leave, and three whose rights nobody knows."""
    free = add_records("ruozhiba", [candidate() for _ in range(2)], licence=Licence.CC_BY, holder="某人")
    unknown = add_records("zhihu", [candidate() for _ in range(3)])
    records = list(Record.objects.filter(batch__in=[free, unknown]))
    for record in records:
        approve(record, lin)
    return records


def cut(page: Page, version: str) -> Release:
    page.get_by_label("Version").fill(version)
    page.get_by_role("button", name="Cut the release").click()
    expect(page).to_have_url(re.compile(f"/exports/{re.escape(version)}/$"))
    return Release.objects.get(version=version)


def test_plan_cut_download_verify(open_page: OpenPage, gao: User, approved: list[Record], tmp_path: Path) -> None:
    page = open_page(gao)
    page.goto("/exports/")
    page.get_by_role("link", name="Plan the first release").click()
    expect(page.locator("#plan")).to_contain_text("2 records · 3 held back")
    page.get_by_text("internal", exact=True).click()
    expect(page.locator("#plan")).to_contain_text("5 records")
    page.get_by_text("research", exact=True).click()
    expect(page.locator("#plan")).to_contain_text("2 records")
    release = cut(page, "v1.0")
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    build.build(release.pk)
    link = page.get_by_role("link", name="data/ruozhiba.jsonl")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "cqia-v1.0-data-ruozhiba.jsonl"
    assert download.value.path().read_bytes() == (tmp_path / "releases/v1.0/data/ruozhiba.jsonl").read_bytes()
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("every file as it was written")).to_be_visible()


def test_what_is_chosen_before_the_scripts_come_is_counted(
    open_page: OpenPage, gao: User, approved: list[Record]
) -> None:
    page = open_page(gao)
    scripts: list[Route] = []
    page.route("**/htmx*.js", lambda route: scripts.append(route))  # noqa: PLW0108  the method bears no mark of the driver's
    page.goto("/exports/new/", wait_until="commit")
    page.get_by_text("internal", exact=True).click()
    scripts[0].continue_()
    expect(page.locator("#plan")).to_contain_text("5 records")
    expect(page.get_by_role("button", name="Cut the release")).to_be_enabled()


def test_nothing_is_cut_that_the_plan_does_not_show(open_page: OpenPage, gao: User, approved: list[Record]) -> None:
    page = open_page(gao)
    page.goto("/exports/new/")
    page.get_by_label("Version").fill("v1")
    page.route("**/exports/new/?*", lambda route: route.fulfill(status=503))
    button = page.get_by_role("button", name="Cut the release")
    page.get_by_text("internal", exact=True).click()
    expect(button).to_be_disabled()
    expect(page.get_by_text("The server does not answer at the moment")).to_be_visible()
    expect(button).to_be_disabled()
    page.unroute("**/exports/new/?*")
    page.get_by_role("button", name="Count again").click()
    expect(page.locator("#plan")).to_contain_text("5 records")
    expect(page.get_by_text("The server does not answer at the moment")).to_be_hidden()
    assert cut(page, "v1").policy.slug == "internal"


def test_refused_cut_keeps_the_plan_and_what_was_typed(open_page: OpenPage, gao: User, approved: list[Record]) -> None:
    page = open_page(gao)
    page.goto("/exports/new/?policy=internal")
    cut(page, "v1")
    page.goto("/exports/new/")
    page.get_by_label("Version").fill("v1")
    page.get_by_role("button", name="Cut the release").click()
    expect(page.get_by_role("alert")).to_contain_text("was made with other options")
    expect(page.get_by_label("Version")).to_have_value("v1")


def test_no_worker_is_told_within_ten_seconds(
    open_page: OpenPage, gao: User, approved: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(gao)
    page.goto("/exports/new/")
    cut(page, "v1")
    expect(page.get_by_role("alert")).to_contain_text("No worker is running", timeout=14_000)


def test_token_is_made_and_revoked(open_page: OpenPage, gao: User, tao: User) -> None:
    page = open_page(gao)
    page.goto("/exports/tokens/")
    page.get_by_label("In whose name").select_option("tao")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("#secret").inner_text()
    assert re.fullmatch(r"\w{40,}", secret)
    page.reload()
    expect(page.locator("#secret")).to_have_count(0)
    expect(page.get_by_text(f"{secret[:8]}…")).to_be_visible()
    page.locator("summary", has_text="Revoke").click()
    page.get_by_role("button", name="Revoke the token").click()
    expect(page.get_by_text("is revoked")).to_be_visible()
    expect(page.get_by_text("There is none.")).to_be_visible()


def decide(page: Page) -> None:
    page.get_by_label("Licence").select_option("CC-BY-SA-4.0")
    page.get_by_role("button", name="See what this changes").click()
    expect(page.get_by_text("Say what the decision rests on")).to_be_visible()
    page.get_by_label("Evidence").fill("用户协议\n第三条")
    page.get_by_label("Holder").fill("知乎用户")
    page.get_by_role("button", name="See what this changes").click()
    expect(page.get_by_text("3 approved records may then leave in every release.")).to_be_visible()
    page.get_by_role("button", name="Confirm the decision").click()
    expect(page.get_by_text("The rights of “Zhihu” are decided: CC BY-SA 4.0.")).to_be_visible()


def from_plan_to_rights_and_back(page: Page) -> None:
    page.goto("/exports/new/")
    page.get_by_role("link", name="Decide the rights of the source or of its import. Zhihu").click()
    page.get_by_role("link", name="Decide the rights").click()
    decide(page)
    page.goto("/exports/new/")
    expect(page.locator("#plan")).to_contain_text("5 records")
    expect(page.get_by_text("held back")).to_have_count(0)


def test_deciding_rights_changes_the_plan(open_page: OpenPage, gao: User, approved: list[Record]) -> None:
    from_plan_to_rights_and_back(open_page(gao))


def test_everything_works_without_scripts(open_page: OpenPage, gao: User, approved: list[Record]) -> None:
    page = open_page(gao, java_script_enabled=False)
    from_plan_to_rights_and_back(page)
    page.get_by_text("open", exact=True).click()
    page.get_by_role("button", name="Count again").click()
    expect(page).to_have_url(re.compile("policy=open"))
    expect(page.locator("#plan")).to_contain_text("5 records")
    release = cut(page, "v1")
    build.build(release.pk)
    page.reload()
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("every file as it was written")).to_be_visible()
    page.goto("/exports/tokens/")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator("#secret")).to_be_visible()
    page.locator("summary", has_text="Revoke").click()
    page.get_by_role("button", name="Revoke the token").click()
    expect(page.get_by_text("There is none.")).to_be_visible()


def check(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_timeout(200)
    assert stays_within(page), address
    assert serious(page) == [], address


@each_look
def test_pages_fit_and_hinder_nobody(
    open_page: OpenPage, gao: User, approved: list[Record], look: str, settings: Settings
) -> None:
    reader = person("tao", Role.CONSUMER)
    page, other = open_page(gao, **LOOKS[look]), open_page(reader, **LOOKS[look])
    for address in ("/exports/", "/exports/tokens/"):
        check(page, address)
        check(other, address)
    batch = add_records("ruozhiba", [candidate()])
    type(batch).objects.filter(pk=batch.pk).update(name=LONG[:200])
    rights.decide_rights(batch, by=gao, licence=Licence.RESTRICTED, holder=LONG, evidence=LONG)
    rights.decide_rights(approved[0], by=gao, licence=Licence.OBJECTED)
    check(page, "/exports/new/")
    page.locator("details > summary", has_text=re.compile("Only some|只要部分")).click()
    assert serious(page) == []
    page.locator("#id_version").fill("v" + "1" * 60)
    page.locator("#cut button.primary").click()
    expect(page.locator("#progress")).to_be_visible()
    release = Release.objects.get()
    check(page, f"/exports/{release.version}/")
    build.build(release.pk)
    for visitor in (page, other):
        check(visitor, f"/exports/{release.version}/")
        check(visitor, "/exports/")
    page.goto("/exports/tokens/")
    page.locator("form.lead button.primary").click()
    expect(page.locator("#secret")).to_be_visible()
    page.locator(".ask summary").click()
    assert serious(page) == []
    for address in ("/review/sources/", "/review/sources/ruozhiba/", "/review/sources/ruozhiba/rights/"):
        check(page, address)
    page.locator("#id_evidence").fill(LONG)
    page.locator("#id_licence").select_option("MIT")
    page.locator("#decision button.primary").click()
    expect(page.locator("button[name=confirmed]")).to_be_visible()
    assert serious(page) == []
    assert stays_within(page)


@each_look
def test_comparison_and_webhooks_look_well(
    open_page: OpenPage, gao: User, lin: User, approved: list[Record], look: str
) -> None:
    """No finding of axe, nothing wider than the screen, and no breach of the content policy."""
    research = Policy.objects.get(slug="research")
    build.build(cutting.cut(version="v1", policy=research, options=Options(), by=gao).pk)
    webhooks.add(by=gao, address=f"https://hooks.example/{'a' * 80}", kinds=Webhook.Kind.values)
    rights.decide_rights(approved[-1].batch, by=None, licence=Licence.CC_BY, holder=LONG)
    rights.decide_rights(approved[0].batch, by=None, licence=Licence.MIT, holder="另一人")
    later = build.build(cutting.cut(version="v2", policy=research, options=Options(), by=gao).pk)
    publishing.publish(later, by=gao)
    page = open_page(gao, **LOOKS[look])
    for name, address in {"compare": "v2/compare/", "webhooks": "webhooks/", "release": "v2/"}.items():
        page.goto(f"/exports/{address}")
        if folder := os.environ.get("CQIA_PICTURES"):
            page.screenshot(path=f"{folder}/{name}-{look}.png", full_page=True)
        assert stays_within(page), name
        assert violations(page) == [], name


def test_api_is_shown_under_the_strict_policy(open_page: OpenPage, gao: User) -> None:
    page = open_page(gao)
    page.goto("/api/docs/")
    expect(page.get_by_text("/api/v1/export/changes.jsonl")).to_be_visible()
