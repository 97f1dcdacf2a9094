"""The pictures of the documents, taken of the pages as they are: `make screenshots` puts them into docs/images."""

import os
import random
import shutil
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django import Settings

from cqia_site import condition, first_run
from exports import build
from exports.cutting import cut
from exports.models import Policy
from exports.options import Options
from ingest.models import Job
from review import decisions
from review.models import Decision, Record, State, User, Verdict
from tests.browser.conftest import OpenPage
from tests.browser.looks import serious, stays_within
from tests.browser.reading import foreign_words
from tests.factories import judgement

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 375, "height": 760}
SETTLES = 500
WIDE_ONES = """() => [...document.querySelectorAll("main *")].filter(
    (one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("svg")).slice(0, 5).map(
    (one) => one.outerHTML.slice(0, 160))"""
IN_EVERY_RUN = {("light", "zh-CN"), ("dark", "en-US"), ("phone", "en-US")}
IN_DOCUMENTS = {"workbench-light.png", "dashboard-light.png"}


@pytest.fixture
def scene(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lin: User, mei: User, gao: User) -> None:
    """The project's own samples, a good part of them decided on over some days, and a release of them."""
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    monkeypatch.setattr(condition, "findings", lambda: iter(()))
    first_run.load_samples()
    draw = random.Random(7)
    for number, record in enumerate(Record.objects.filter(state=State.WAITING).order_by("pk")):
        if number % 3 == 0:
            continue
        verdict = draw.choices([Verdict.APPROVE, Verdict.REJECT, Verdict.ESCALATE], [10, 2, 1])[0]
        said: dict[str, Any] = {"seconds": draw.randint(8, 70)}
        if verdict == Verdict.APPROVE:
            said |= {"major": ("问答",), "domain": ("通用",), "answer_from": "human"}
        decisions.decide(by=draw.choice([lin, mei]), record=record.pk, judgement=judgement(record, verdict, **said))
    release = cut(version="v0.1", policy=Policy.objects.get(slug="research"), options=Options(), by=gao)
    build.build(release.pk)


def pages() -> dict[str, tuple[str, str]]:
    """Return the pages to take: who looks, and at what."""
    job = Job.objects.earliest("pk").pk
    return {
        "home": ("lin", "/"),
        "sources": ("gao", "/review/sources/"),
        "source": ("gao", "/review/sources/ruozhiba/"),
        "import": ("gao", "/ingest/new/"),
        "job": ("gao", f"/ingest/jobs/{job}/"),
        "plan": ("gao", "/exports/new/"),
        "release": ("gao", "/exports/v0.1/"),
        "dashboard": ("gao", "/admin/"),
    }


class Album:
    """Takes the pictures of one language and look, and what is wrong with the pages."""

    def __init__(self, folder: Path, language: str, look: str) -> None:
        self.folder, self.language, self.look = folder, language, look
        self.wrong: list[str] = []

    def take(self, page: Page, name: str) -> None:
        page.wait_for_timeout(SETTLES)
        picture = f"{name}-{self.look}.png"
        page.screenshot(path=self.folder / picture)
        if picture in IN_DOCUMENTS and "CQIA_SCREENSHOTS" in os.environ:
            place = Path(os.environ["CQIA_SCREENSHOTS"]) / self.language[:2]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / picture, place)
        if not stays_within(page):
            self.wrong.append(f"{name} does not fit: {page.evaluate(WIDE_ONES)}")
        self.wrong += [f"{name}: {fault}" for fault in serious(page)]
        self.wrong += [f"{name}: {words}" for words in foreign_words(page, self.language)]


@pytest.mark.parametrize(
    ("look", "language"),
    [
        pytest.param(*kind, marks=[] if kind in IN_EVERY_RUN else pytest.mark.slow)
        for kind in product(("light", "dark", "phone"), ("zh-CN", "en-US"))
    ],
)
def test_the_pages_of_the_documents(
    open_page: OpenPage, scene: None, tmp_path: Path, lin: User, gao: User, look: str, language: str
) -> None:
    album = Album(tmp_path, language, look)
    options: dict[str, Any] = {
        "locale": language,
        "color_scheme": "dark" if look == "dark" else "light",
        "viewport": PHONE if look == "phone" else WIDE,
    }
    people = {person.username: open_page(person, **options) for person in (lin, gao)}
    for name, (who, address) in pages().items():
        people[who].goto(address)
        album.take(people[who], name)
    page = people["lin"]
    page.goto("/review/")
    page.locator("main button.primary").first.click()
    page.locator("#workbench h1").wait_for()
    album.take(page, "workbench")
    assert album.wrong == []


def test_the_scene_holds_decisions_of_today(scene: None) -> None:
    assert Decision.objects.filter(at__gt=timezone.now() - timedelta(hours=1)).count() > 20
