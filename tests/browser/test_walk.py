"""The way of a new user, in Chinese and in English: sign in, import, review, release, with nothing but the pages."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import translation
from playwright.sync_api import Page, expect
from pytest_django import Settings

from exports import build, tasks
from exports.models import Release
from ingest import jobs, pipeline, workers
from ingest.models import Job
from ingest.workers import Workers
from review.models import User
from tests.accounts import PASSWORD, give_password
from tests.browser.conftest import OpenPage
from tests.browser.looks import serious, stays_within
from tests.browser.reading import foreign_words

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WAIT = 60_000


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    monkeypatch.setattr(jobs, "send", lambda _job_id: True)
    monkeypatch.setattr(workers, "_asked", lambda: Workers.READY)
    monkeypatch.setattr(tasks.build_release, "delay_on_commit", lambda _release: None)


@pytest.fixture
def _worker(db: None) -> Iterator[None]:
    """Do what a worker would do, for as long as the test runs."""
    is_over = threading.Event()

    def do() -> None:
        try:
            while not is_over.wait(0.2):
                for job in Job.objects.filter(state=Job.State.QUEUED):
                    pipeline.run(job.pk)
                for release in Release.objects.filter(state=Release.State.CUT):
                    build.build(release.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=do)
    thread.start()
    yield
    is_over.set()
    thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Forty records of our own, in the published fields."""
    path = tmp_path / "clouds.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for number in range(40):
            record = {
                "instruction": f"第{number}问：云为什么会飘？",
                "input": "",
                "output": f"云里的水滴很小，上升的气流托得住。答案{number}。",
                "task_type": {"major": ["问答"], "minor": ["逻辑问答"]},
                "domain": ["通用"],
                "metadata": "暂无元数据信息",
                "answer_from": "human",
                "human_verified": False,
                "copyright": "暂无版权及作者信息",
            }
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


class Walk:
    """A person who knows the words of their own language and nothing of this program."""

    def __init__(self, page: Page, language: str) -> None:
        self.page = page
        self.language = language
        self.foreign: list[str] = []

    def word(self, text: str, context: str = "") -> str:
        with translation.override("zh-hans" if self.language.startswith("zh") else "en"):
            return translation.pgettext(context, text) if context else translation.gettext(text)

    def read(self) -> None:
        """Look at the page before doing anything: it fits, and speaks one language."""
        self.page.wait_for_load_state()
        assert stays_within(self.page), self.page.url
        assert serious(self.page) == [], self.page.url
        self.foreign += [f"{self.page.url}: {words}" for words in foreign_words(self.page, self.language)]

    def follow(self, text: str, context: str = "") -> None:
        with self.page.expect_navigation(wait_until="load"):
            self.page.get_by_role("link", name=self.word(text, context), exact=True).first.click()

    def press(self, text: str) -> None:
        self.page.get_by_role("button", name=re.compile(f"^{re.escape(self.word(text))}")).first.click()

    def fill(self, label: str, value: str) -> None:
        self.page.get_by_label(self.word(label), exact=True).fill(value)


def sign_in(walk: Walk, name: str, password: str) -> None:
    walk.page.goto("/")
    walk.read()
    walk.fill("Name or e-mail address", name)
    walk.fill("Password", password)
    walk.press("Sign in")
    walk.page.locator("nav[aria-label]").first.wait_for()
    walk.read()


def bring_in(walk: Walk, path: Path, source: str) -> None:
    """Upload a file, look at what was recognised, import it and wait until it is in."""
    walk.follow("Import", "navigation")
    walk.read()
    walk.follow("Import files")
    walk.page.set_input_files("#id_uploads", path)
    walk.page.get_by_label(walk.word("Source"), exact=True).select_option(source)
    walk.page.get_by_label(walk.word("Licence"), exact=True).select_option("CC-BY-4.0")
    walk.fill("Rights holder", "A. Author")
    walk.read()
    walk.press("Upload and look at them")
    walk.page.locator(".candidates > li").first.wait_for()
    walk.read()
    walk.press("Import the file")
    walk.page.locator("#live").wait_for()
    walk.page.get_by_role("link", name=walk.word("Review these records")).wait_for(timeout=WAIT)
    walk.read()


def review(walk: Walk, number: int) -> None:
    """Approve some records unchanged, each with one key."""
    walk.follow("Review these records")
    walk.press("Take the next one")
    for _record in range(number):
        walk.page.locator("#workbench[data-record] h1").wait_for()
        walk.page.wait_for_load_state()
        walk.page.wait_for_timeout(600)
        before = walk.page.locator("#workbench").get_attribute("data-record")
        walk.page.keyboard.press("a")
        expect(walk.page.locator(f"#workbench[data-record='{before}']")).to_have_count(0)
    walk.read()


def release(walk: Walk, version: str) -> Path:
    """Plan a release, cut it, wait until it is written, and download its data."""
    walk.follow("Releases")
    walk.read()
    walk.page.locator("main a[href='/exports/new/']").first.click()
    walk.read()
    walk.fill("Version", version)
    walk.press("Cut the release")
    link = walk.page.get_by_role("link", name="data/").first
    link.wait_for(timeout=WAIT)
    walk.read()
    with walk.page.expect_download() as download:
        link.click()
    return download.value.path()


@pytest.mark.usefixtures("_worker")
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_new_user_comes_from_a_file_to_a_release(open_page: OpenPage, gao: User, file: Path, language: str) -> None:
    give_password(gao)
    walk = Walk(open_page(locale=language), language)
    sign_in(walk, "gao", PASSWORD)
    bring_in(walk, file, "ruozhiba")
    review(walk, 3)
    lines = release(walk, "v0.1").read_bytes().splitlines()
    assert len(lines) == 3
    assert all(json.loads(line)["human_verified"] is True for line in lines)
    assert walk.foreign == []
