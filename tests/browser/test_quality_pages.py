"""The pages of quality in both widths, themes and languages, and a dispute settled by keyboard alone."""

import os
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from review import decisions, golds, inspections, sending_back
from review.models import Decision, Inspection, Record, State, User, Verdict
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, each_look, serious, stays_within
from tests.browser.test_layout import LONG
from tests.factories import approve, judgement, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pages(lin: User, mei: User, gao: User) -> list[str]:
    """Addresses of pages that have something to show, all of it long."""
    disputed = doubled(instruction=LONG, output=f"{LONG}\n\n天空是蓝色的。")
    approve(disputed, lin, output=f"{LONG}\n\n天空是蓝色的，因为大气散射蓝光。")
    decisions.decide(by=mei, record=disputed.pk, judgement=judgement(disputed, Verdict.REJECT, reason=LONG[:300]))
    agreed = doubled()
    approve(agreed, lin)
    approve(agreed, mei)
    decided = [record(), record()]
    for given in decided:
        approve(given, lin)
    golds.mark(by=gao, record=decided[0], reason=LONG[:200])
    sending_back.send_back(by=gao, records=[decided[1].pk], reason=LONG[:300], to="reviewer")
    approve(decided[1], lin)
    drawn = inspections.open_inspection(by=gao, scope=inspections.Scope(reviewer=lin), sample_size=3, acceptance=0)
    said = inspections.Said(Verdict.REJECT, Decision.objects.latest("pk").request_id.__class__(int=7), LONG[:200])
    inspections.inspect(by=gao, item=inspections.sample(drawn)[0], said=said)
    return [
        reverse("review:disputes"),
        reverse("review:dispute", args=[disputed.pk]),
        reverse("review:quality"),
        reverse("review:quality-people"),
        reverse("review:gold"),
        reverse("review:record-gold", args=[decided[1].pk]),
        reverse("review:record-send-back", args=[decided[1].pk]),
        reverse("review:second-looks", args=["ruozhiba"]),
        reverse("review:inspections"),
        reverse("review:inspection-new", query={"source": "ruozhiba", "level": "II"}),
        reverse("review:inspection", args=[drawn.pk]),
        reverse("review:inspection-inspect", args=[drawn.pk]),
        reverse("review:mine"),
    ]


def doubled(**texts: str) -> Record:
    given = record(**texts)
    Record.objects.filter(pk=given.pk).update(wanted=2)
    return given


@each_look
def test_nothing_sticks_out_and_nothing_hinders(look: str, pages: list[str], gao: User, open_page: OpenPage) -> None:
    page = open_page(gao, **LOOKS[look])
    page.goto(pages[1])
    taking = page.locator(".bar button.primary")
    taking.click()
    page.wait_for_load_state()
    for address in pages:
        page.goto(address)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(
                path=Path(folder) / f"{address.strip('/').replace('/', '-')[:60]}-{look}.png", full_page=True
            )
        assert stays_within(page), address
        assert serious(page) == [], address


def test_a_dispute_is_settled_by_keys(lin: User, mei: User, shen: User, open_page: OpenPage) -> None:
    given = doubled(output="天空是绿色的。")
    approve(given, lin, output="天空是蓝色的。")
    approve(given, mei, output="天空很蓝。")
    page = open_page(shen)
    page.goto(reverse("review:dispute", args=[given.pk]))
    page.wait_for_timeout(500)  # what has only just come takes no key
    page.keyboard.press("n")
    expect(page.locator(".bar button[name=choice]").first).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.type("第一种更准确")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    page.reload()
    expect(page.locator("[name=reason]")).to_have_value("第一种更准确")
    page.keyboard.press("Escape")
    page.wait_for_timeout(400)
    page.keyboard.press("1")
    page.wait_for_url("**/review/disputes/")
    settled = Record.objects.select_related("revision", "verdict").get(pk=given.pk)
    assert (settled.state, settled.revision.output) == (State.APPROVED, "天空是蓝色的。")
    assert settled.verdict
    assert settled.verdict.reason == "第一种更准确"
    assert not Inspection.objects.exists()


def test_a_settler_approves_the_wording_that_they_typed(lin: User, mei: User, shen: User, open_page: OpenPage) -> None:
    given = doubled()
    approve(given, lin, output="甲的写法")
    approve(given, mei, output="乙的写法")
    page = open_page(shen)
    page.goto(reverse("review:dispute", args=[given.pk]))
    page.wait_for_timeout(450)
    page.keyboard.press("n")
    expect(page.locator(".own-wording")).to_be_visible()
    page.wait_for_timeout(450)
    page.keyboard.press("m")
    page.keyboard.type("各取一半")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    expect(page.locator("#id_output")).to_be_focused()
    assert Record.objects.get(pk=given.pk).state == State.DISPUTED
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#id_output")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("仲裁人的写法")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/review/disputes/")
    settled = Record.objects.select_related("revision").get(pk=given.pk)
    assert (settled.state, settled.revision.output) == (State.APPROVED, "仲裁人的写法")
