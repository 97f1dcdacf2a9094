"""Every page in both widths, themes and languages: nothing sticks out, nothing hinders people who see or hear less."""

import pytest
from playwright.sync_api import expect

from review import claims
from review.models import Licence, Record, User
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, each_look, serious, stays_within
from tests.factories import add_records, candidate, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "没有空格的一长串文字" * 30 + "https://example.org/" + "a" * 300


@pytest.fixture
def given(lin: User) -> Record:
    """A record with everything long, held by the reviewer, and a queue behind it."""
    add_records("zhihu", [candidate(output="")], licence=Licence.CC_BY, holder=LONG[:200])
    held = record(
        "mba",
        instruction=LONG,
        output=f"{LONG}\n\n" * 5,
        metadata=LONG,
        major=("标" * 60, "问答"),
        claimed_human_verified=True,
        claimed_copyright=LONG,
    )
    claims.claim_record(by=lin, record=held)
    return held


@each_look
def test_pages_fit_and_hinder_nobody(open_page: OpenPage, given: Record, lin: User, look: str) -> None:
    stranger, page = open_page(**LOOKS[look]), open_page(lin, **LOOKS[look])
    stranger.goto("/account/login/")
    assert stays_within(stranger)
    assert serious(stranger) == []
    for address in ("/", "/review/?source=zhihu", f"/review/records/{given.pk}/", "/review/records/1000000/"):
        page.goto(address)
        page.wait_for_timeout(250)
        assert stays_within(page), address
        assert serious(page) == [], address
    page.goto(f"/review/records/{given.pk}/")
    page.wait_for_timeout(450)
    page.keyboard.press("r")
    assert stays_within(page)
    assert serious(page) == []


def test_the_decision_bar_does_not_move_from_record_to_record(open_page: OpenPage, given: Record, lin: User) -> None:
    page = open_page(lin)
    places = []
    for _record in range(2):
        page.goto("/review/")
        if page.get_by_role("button", name="Take the next one").count():
            page.get_by_role("button", name="Take the next one").click()
        page.locator("#workbench[data-record]").wait_for()
        page.wait_for_load_state()
        page.wait_for_timeout(450)
        places.append({name: page.locator(f".bar .{name}").bounding_box() for name in ("reject", "skip", "undo")})
        page.keyboard.press("s")
        page.keyboard.press("Enter")
        page.wait_for_timeout(450)
    first, second = places
    assert first.keys() == second.keys()
    assert {name: box and box["y"] for name, box in first.items()} == {n: box and box["y"] for n, box in second.items()}


def test_all_of_a_long_answer_can_be_read_above_the_bar(open_page: OpenPage, given: Record, lin: User) -> None:
    page = open_page(lin, viewport={"width": 375, "height": 700})
    page.goto(f"/review/records/{given.pk}/")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    end = page.locator(".facts").bounding_box()
    bar = page.locator(".bar").bounding_box()
    assert end is not None
    assert bar is not None
    assert end["y"] + end["height"] <= bar["y"]


def test_the_number_of_records_comes_behind_the_list(open_page: OpenPage, gao: User, lin: User) -> None:
    add_records("zhihu", [candidate() for _number in range(30)])
    for person, all_of_them in ((gao, ["all 30 of the filter"]), (lin, [])):
        page = open_page(person)
        page.goto("/review/records/?size=25")
        expect(page.locator("#number")).to_have_text("30 records")
        assert page.locator("#number-of-all").all_inner_texts() == all_of_them
