"""Rights, takedowns, mixes and what is held back, in a real browser: every page in every look, and what axe finds."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from exports import build, cutting
from exports.models import Mix, Policy
from exports.options import Options
from review import evidence, rights, sealing, takedowns
from review.decisions import SaidOfRights
from review.models import Decision, Record, Source, User
from review.tracing import Asked
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, each_look, stays_within, violations
from tests.browser.test_release_pages import LONG
from tests.factories import add_records, approve, candidate, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOLDER = os.environ.get("LOOK")
POEM = "山间的雾气漫过石阶，采药人的竹篓里装着一整个春天。"


@pytest.fixture
def pages(lin: User, gao: User, settings: Settings, tmp_path: Path) -> list[str]:
    """Something on every page, and the pages."""
    settings.RELEASE_ROOT = tmp_path / "releases"
    zhihu = Source.objects.get(slug="zhihu")
    decided = rights.decide_rights(zhihu, by=gao, licence="CC-BY-4.0", holder=LONG, evidence=LONG)
    evidence.attach(decided, by=gao, name=f"{LONG[:60]}.pdf", data=b"%PDF-1.7")
    own = [record("zhihu", output=f"{POEM}第{number}句。", instruction=LONG[:200] + str(number)) for number in range(4)]
    for given in own:
        approve(given, lin)
    objected = record("ruozhiba", output=LONG)
    approve(objected, lin, rights=SaidOfRights(Decision.RightsSaid.OBJECT))
    unknown = Record.objects.filter(batch=add_records("ruozhiba", [candidate() for _ in range(3)]))
    for given in unknown:
        approve(given, lin)
    spec = {"seed": 7, "caps": {"zhihu": 2}, "others": 5}
    Mix.objects.create(slug="small", name_zh="小样", name_en="Small", spec=spec)
    policy = Policy.objects.get(slug="research")
    first = cutting.cut(version="v1", policy=policy, options=Options(), by=gao)
    build.build(first.pk)
    said = {"requester": LONG[:300], "ground": "著作权", "reference": "函〔2026〕7号", "by": gao}
    open_one = takedowns.request(asked=Asked(passages=(POEM,)), **said)
    confirmed = takedowns.request(asked=Asked(records=(own[0].pk,)), **said)
    takedowns.confirm(confirmed, by=gao)
    options = Options(formats=("alpaca",), splits=(("train", "0.9"), ("test", "0.1")), compress="gzip")
    second = cutting.cut(version="v2", policy=policy, options=options, by=gao)
    build.build(second.pk)
    sealing.seal()
    shown = [
        *("/review/rights/", "/review/takedowns/", "/review/takedowns/new/", "/review/takedowns/import/"),
        *(f"/review/takedowns/{open_one.pk}/", f"/review/takedowns/{confirmed.pk}/"),
        *(f"/review/takedowns/{confirmed.pk}/receipt/", "/review/sources/zhihu/"),
        *(f"/review/records/{own[1].pk}/history/", "/exports/v2/"),
        *("/exports/mixes/", "/exports/mixes/new/", "/exports/mixes/small/"),
        "/exports/new/?format=alpaca&split=train%3D0.9&mix=small",
        "/exports/new/held/?policy=research&source=ruozhiba&reason=rights-unknown",
    ]
    elsewhere = ["/exports/v1/", "/exports/v2/compare/", "/exports/tokens/", "/exports/policies/", "/exports/"]
    return [*shown, *(elsewhere if FOLDER else [])]


@each_look
def test_pages_in_every_look(open_page: OpenPage, gao: User, pages: list[str], look: str) -> None:
    """With LOOK=folder, pictures are left in the folder."""
    page = open_page(gao, **LOOKS[look])
    poor = []
    for number, address in enumerate(pages):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        if FOLDER:
            name = address.split("?")[0].strip("/").replace("/", "-")
            page.screenshot(path=f"{FOLDER}/{look}-{number:02}-{name}.png", full_page=True)
        if not stays_within(page):
            poor.append((address, "too wide"))
        poor += [(address, found["id"]) for found in violations(page)]
    assert poor == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_request_is_looked_through_and_confirmed(open_page: OpenPage, gao: User, *, scripts: bool) -> None:
    kept, gone = record(output=f"{POEM}一"), record(output=f"{POEM}二")
    page = open_page(gao, java_script_enabled=scripts)
    page.goto("/review/takedowns/")
    page.get_by_role("link", name="New request").click()
    page.get_by_label("Who asks").fill("权利人")
    page.get_by_label("On what ground").fill("著作权")
    page.get_by_label("A passage of the text").fill(POEM)
    page.locator("main form button").last.click()
    page.get_by_label(f"Include #{kept.pk}").uncheck()
    page.get_by_role("button", name="Keep this choice").click()
    page.get_by_role("button", name="Take 1 text down").click()
    expect(page.get_by_text("1 record is taken down.")).to_be_visible()
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_text(bytes(gone.key).hex())).to_be_visible()
    assert set(Record.objects.live()) == {kept}
