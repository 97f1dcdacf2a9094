import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import FilePayload, Page, expect
from pytest_django.fixtures import Settings

from ingest import jobs, pipeline, workers
from ingest.models import COUNTS, Job
from ingest.workers import Workers
from review.models import Record, Retraction, Source, User
from review.text.rules import RULES
from tests.browser.conftest import OpenPage
from tests.browser.looks import serious, stays_within
from tests.factories import add_records, candidate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

type Work = Callable[[Job], threading.Thread]


@pytest.fixture(autouse=True)
def _own_uploads(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads in a folder of the test; its jobs are done by the test's own worker."""
    settings.UPLOAD_ROOT = tmp_path / "uploads"
    monkeypatch.setattr(jobs, "send", lambda _job_id: True)
    monkeypatch.setattr(workers, "_asked", lambda: Workers.READY)


@pytest.fixture
def work() -> Iterator[Work]:
    """Do a job in another thread, as slowly as it takes to watch it."""
    threads: list[threading.Thread] = []

    def do(job: Job) -> None:
        try:
            pipeline.run(job.pk, on_chunk=lambda _chunk: time.sleep(0.2))
        finally:
            connection.close()

    def begin(job: Job) -> threading.Thread:
        threads.append(threading.Thread(target=do, args=(job,)))
        threads[-1].start()
        return threads[-1]

    yield begin
    for thread in threads:
        thread.join()


def lines(number: int, **more: str) -> bytes:
    records = [
        {"instruction": f"第{place}问：云为什么会下雨？", "input": "", "output": "水汽凝结。"}
        for place in range(number)
    ]
    return b"".join(json.dumps(record | more, ensure_ascii=False).encode() + b"\n" for record in records)


FAULTY = lines(10, colour="green") + b'{"instruction": "", "output": "x"}\nnot json\n'


def choose(page: Page, content: bytes, name: str = "云.jsonl", source: str = "ruozhiba") -> None:
    page.goto("/ingest/new/")
    page.set_input_files("#id_uploads", FilePayload(name=name, mimeType="application/jsonl", buffer=content))
    page.get_by_label("Source", exact=True).select_option(source)


def submit(page: Page, content: bytes = FAULTY, **given: str) -> Job:
    """Upload and confirm a file."""
    choose(page, content, **given)
    page.get_by_role("button", name="Upload and look at them").click()
    page.get_by_role("button", name="Import the file").click()
    expect(page).to_have_url(re.compile(r"/ingest/jobs/\d+/$"))
    return Job.objects.latest("pk")


def test_a_real_file_from_the_first_page_to_the_queue(
    open_page: OpenPage, gao: User, shared_data: Path, work: Work, settings: Settings
) -> None:
    settings.INGEST_CHUNK_RECORDS = 40
    page = open_page(gao)
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Import").click()
    page.get_by_role("link", name="Import files").click()
    page.set_input_files("#id_uploads", shared_data / "finished" / "ruozhiba.jsonl")
    expect(page.locator(".chosen")).to_contain_text("ruozhiba.jsonl")
    page.get_by_label("Source", exact=True).select_option("ruozhiba")
    page.get_by_label("Licence").select_option("CC-BY-4.0")
    page.get_by_label("Rights holder").fill("弱智吧")
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.get_by_role("heading", name="Check before importing")).to_be_visible()
    expect(page.locator(".candidates > li")).to_have_count(20)
    page.get_by_role("button", name="Import the file").click()
    expect(page.locator("#live")).to_contain_text("waits for a worker")

    job = Job.objects.get()
    thread = work(job)
    expect(page.locator("#live")).to_contain_text("reads ruozhiba.jsonl, past line")
    expect(page.locator("#course .ledger")).to_contain_text("UTF-8")
    expect(page.locator("#course")).to_contain_text("Started")
    expect(page.locator("#course")).not_to_contain_text("Ended")
    assert 0 < int(page.locator(".how-far progress").get_attribute("value") or 0) < 100
    thread.join()
    expect(page.locator("#live")).to_contain_text("done")
    expect(page.locator("#live")).not_to_have_attribute("hx-trigger", re.compile("."))
    expect(page.locator(".sum .total dd")).to_have_text("240")
    expect(page.locator("#report")).to_contain_text("弱智吧")
    expect(page.locator("#report #course")).to_contain_text("Ended")
    page.get_by_role("link", name="Review these records").click()
    expect(page).to_have_url(re.compile(r"/review/\?source=ruozhiba$"))
    assert Record.objects.filter(batch=job.batch).count() > 230


def test_rejects_are_named_and_downloaded(open_page: OpenPage, gao: User, work: Work) -> None:
    page = open_page(gao)
    choose(page, FAULTY)
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator(".refusals li")).to_have_count(2)
    expect(page.locator(".found")).to_contain_text("colour")
    page.get_by_role("button", name="Import the file").click()
    expect(page.locator("#live")).to_be_visible()
    work(Job.objects.get()).join()
    expect(page.locator(".rejects tbody tr")).to_have_count(2)
    expect(page.locator(".rejects")).to_contain_text("The field /instruction is empty")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them as a file").click()
    assert len(download.value.path().read_bytes().splitlines()) == 2


def test_files_are_dropped_onto_the_page(open_page: OpenPage, gao: User) -> None:
    page = open_page(gao)
    page.goto("/ingest/new/")
    transfer = page.evaluate_handle(
        """text => { const given = new DataTransfer();
        for (const name of ["a.jsonl", "b.jsonl"]) given.items.add(new File([text], name));
        return given; }""",
        lines(2).decode(),
    )
    page.dispatch_event(".drop", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".drop")).to_have_class("drop over")
    page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})
    expect(page.locator(".drop")).to_have_class("drop")
    expect(page.locator(".chosen li")).to_have_count(2)
    page.get_by_label("Source", exact=True).select_option("mba")
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.get_by_role("button", name="Import 2 files")).to_be_visible()
    page.get_by_role("button", name="Leave out b.jsonl").click()
    page.get_by_role("button", name="Import the file").click()
    expect(page.get_by_role("heading", name="a.jsonl")).to_be_visible()


def test_what_is_wrong_is_said_and_what_was_typed_stays(open_page: OpenPage, gao: User, settings: Settings) -> None:
    page = open_page(gao)
    page.goto("/ingest/new/")
    page.get_by_label("Rights holder").fill("出题人")
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator(".sending")).to_contain_text("Choose one file or several.")
    settings.INGEST_MAX_UPLOAD_BYTES = 1000
    choose(page, lines(50))
    page.get_by_label("Rights holder").fill("出题人")
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator(".sending")).to_contain_text("larger than 1000\xa0bytes together")
    expect(page.get_by_label("Rights holder")).to_have_value("出题人")


def test_another_encoding_is_one_click_away(open_page: OpenPage, gao: User) -> None:
    page = open_page(gao)
    choose(page, lines(30).decode().encode("gb18030"))
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator(".ledger")).to_contain_text("It looks like gb18030: choose that encoding")
    expect(page.get_by_role("button", name="Import the file")).to_be_disabled()
    page.get_by_role("button", name="Read as GB18030").click()
    expect(page.locator(".candidates > li").first).to_contain_text("云为什么会下雨？")
    expect(page.get_by_role("button", name="Import the file")).to_be_enabled()


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["scripts", "no-scripts"])
def test_samples_are_looked_at_without_losing_what_was_typed(
    options: dict[str, bool], open_page: OpenPage, gao: User
) -> None:
    page = open_page(gao, **options)
    choose(page, lines(2, output="请拨打13812345678。"))
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator("#look")).to_be_visible()
    page.get_by_label("Licence").select_option("MIT")
    page.get_by_label("Rights holder").fill("出题人")
    page.get_by_text("Mapping of the fields").click()
    page.get_by_label("Mapping", exact=True).fill('{"format": "alpaca"}')
    page.get_by_role("button", name="Samples A telephone number.").click()
    expect(page.locator("#look")).to_contain_text("2 of 2 records are concerned.")
    expect(page.get_by_label("Licence")).to_have_value("MIT")
    expect(page.get_by_label("Rights holder")).to_have_value("出题人")
    expect(page.get_by_label("Mapping", exact=True)).to_have_value('{"format": "alpaca"}')

    add_records("ruozhiba", [candidate(output="请拨打13812345678。")])
    page.goto("/review/sources/ruozhiba/rules/")
    page.locator("#on_trim_blanks").check()
    page.locator("#on_phone_number").uncheck()
    page.get_by_label("Votes, at least").fill("100")
    page.locator("button[name=rule][value=phone_number]").click()
    expect(page.locator("#rules")).to_contain_text("1 of 1 records is concerned.")
    expect(page.locator("#on_trim_blanks")).to_be_checked()
    expect(page.locator("#on_phone_number")).not_to_be_checked()
    expect(page.get_by_label("Votes, at least")).to_have_value("100")
    page.get_by_label("Votes, at least").press("Enter")
    expect(page.locator("body")).to_contain_text("The rules are set")
    assert Source.objects.get(slug="ruozhiba").thresholds == {"votes": 100}


def test_switches_stand_below_one_another_with_the_other_values(open_page: OpenPage, gao: User) -> None:
    page = open_page(gao, viewport={"width": 375, "height": 800})
    page.goto("/review/sources/ruozhiba/rules/")
    ends = """boxes => boxes.map(box => {
        const cell = box.parentElement.getBoundingClientRect(), place = box.getBoundingClientRect();
        return [Math.round(cell.right - place.right), Math.round(place.width)];
    })"""
    found = page.locator(".figures input[type=checkbox]").evaluate_all(ends)
    assert len(found) == len(RULES)
    assert {tuple(each) for each in found} == {(0, 17)}


def test_a_running_job_is_stopped_and_goes_on(open_page: OpenPage, gao: User, work: Work, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 1
    page = open_page(gao)
    job = submit(page)
    work(job)
    expect(page.locator("#live")).to_contain_text("reads 云.jsonl")
    page.get_by_role("link", name="Stop").click()
    expect(page.locator(".lead")).to_contain_text("You can let it go on later")
    page.get_by_role("button", name="Stop it").click()
    expect(page.locator("#live")).to_contain_text("cancelled")
    expect(page.locator("body")).to_contain_text("The job is stopped.")
    page.get_by_role("button", name="Go on with it").click()
    expect(page.locator("#live")).to_contain_text("queued")
    work(Job.objects.get()).join()
    expect(page.locator("#live")).to_contain_text("done")
    assert Record.objects.count() == 10


def test_an_import_is_taken_back(open_page: OpenPage, gao: User, work: Work) -> None:
    page = open_page(gao)
    job = submit(page)
    work(job).join()
    page.get_by_role("link", name="Take back").click()
    expect(page.locator(".lead")).to_contain_text("10 records leave the queue")
    page.get_by_label("Reason").fill("误传")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#report")).to_contain_text("Taken back by gao")
    assert Retraction.objects.get().reason == "误传"


def test_no_worker_is_said_within_ten_seconds(open_page: OpenPage, gao: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_asked", lambda: Workers.ABSENT)
    page = open_page(gao)
    submit(page)
    expect(page.locator("#live")).to_contain_text("No worker is running.", timeout=10_000)


def test_all_of_it_without_script(open_page: OpenPage, gao: User, work: Work) -> None:
    page = open_page(gao, java_script_enabled=False)
    page.goto("/ingest/new/")
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.get_by_role("alert")).to_have_text("Choose one file or several.")
    job = submit(page)
    page.get_by_role("link", name="Refresh").click()
    work(job).join()
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator("#live")).to_contain_text("done")
    page.get_by_role("link", name="Take back").click()
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#report")).to_contain_text("Taken back by gao")


def test_the_names_of_fields_stand_as_they_are(open_page: OpenPage, gao: User) -> None:
    page = open_page(gao)
    choose(page, b'{"author": {"name": "x"}, "note": "y"}\n')
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator(".fields-found dt")).to_have_count(2)
    case = """names => names.map(name => getComputedStyle(name, "::first-letter").textTransform)"""
    assert page.locator(".fields-found dt").evaluate_all(case) == ["none", "none"]
    assert page.locator(".fields-found dt").all_inner_texts() == ["author.name", "note"]


BROKEN = """cells => cells.filter(cell => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return text.getClientRects().length > 1 || text.getBoundingClientRect().right > cell.getBoundingClientRect().right;
}).map(cell => cell.textContent)"""


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_counts_of_a_job_do_not_break(locale: str, width: int, open_page: OpenPage, gao: User, work: Work) -> None:
    job = jobs.submit(source=Source.objects.get(slug="ruozhiba"), files=[("云.jsonl", BytesIO(lines(2)))], by=gao)
    work(job).join()
    job.chunks.update(**dict.fromkeys(COUNTS, 1_000_000))
    page = open_page(gao, locale=locale, viewport={"width": width, "height": 800})
    page.goto(f"/ingest/jobs/{job.pk}/")
    assert page.locator(".sum dd.number").all_inner_texts() == ["6,000,000", *6 * ["1,000,000"]]
    assert page.locator(".sum dd.number").evaluate_all(BROKEN) == []
    assert page.locator(".sum > div").evaluate_all("cells => cells.filter(c => c.scrollWidth > c.clientWidth)") == []
    assert stays_within(page)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_everybody_can_use_the_pages(scheme: str, width: int, open_page: OpenPage, gao: User, work: Work) -> None:
    page = open_page(gao, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto("/ingest/")
    assert_fit(page)
    choose(page, FAULTY)
    assert_fit(page)
    page.get_by_role("button", name="Upload and look at them").click()
    expect(page.locator(".candidates")).to_be_visible()
    assert_fit(page)
    page.get_by_role("button", name="Import the file").click()
    expect(page.locator("#live")).to_be_visible()
    job = Job.objects.get()
    page.goto(f"/ingest/jobs/{job.pk}/cancel/confirm/")
    assert_fit(page)
    work(job).join()
    for address in (f"/ingest/jobs/{job.pk}/", f"/ingest/jobs/{job.pk}/retract/confirm/", "/ingest/"):
        page.goto(address)
        assert_fit(page)


def assert_fit(page: Page) -> None:
    """Nothing serious for axe, and nothing wider than the window."""
    assert serious(page) == []
    assert stays_within(page)
