"""A reviewer's day in a real browser: few keys, no lost word, nothing in the way of an input method."""

import os
import re
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError
from pytest_django.live_server_helper import LiveServer

from review import claims, decisions, guidelines
from review.models import Claim, Comment, Decision, Draft, NearDuplicate, Record, State, User, Verdict
from tests.browser.conftest import OpenPage, session
from tests.browser.looks import serious, stays_within
from tests.browser.test_workbench import lies_there, of, reload, take_first
from tests.factories import judgement, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONGEST = "".join(chr(0x4E00 + (7 * place) % 2000) for place in range(60)) + "，这是一段很长的文字。\n"


SELECTED = "((field) => field.value.slice(field.selectionStart, field.selectionEnd))(document.activeElement)"
KEYS = [*"arswuendpgchfl?1", "Enter", "Escape"]


class Keys:
    """Counts the keys that are pressed."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed += 1


def test_keystrokes_are_few(open_page: OpenPage, lin: User) -> None:
    approved, rejected, edited, last = (record() for _ in range(4))
    page = open_page(lin)
    take_first(page, approved)
    keys = Keys(page)
    keys.press("a")
    lies_there(page, rejected)
    assert keys.pressed == 1
    assert reload(approved).human_verified

    keys = Keys(page)
    keys.press("r", "1")
    lies_there(page, edited)
    assert keys.pressed == 2
    assert of(rejected).get().reason == "wrong"

    page.locator("#id_output").click()
    page.keyboard.press("Control+End")
    keys = Keys(page)
    typed = "abc"
    keys.press(*typed, "Control+Enter")
    lies_there(page, last)
    assert keys.pressed == len(typed) + 1
    assert reload(edited).revision.output == f"{edited.revision.output}{typed}"
    assert reload(edited).state == State.APPROVED


def test_everything_is_reached_by_keys_and_focus_comes_back(open_page: OpenPage, lin: User, gao: User) -> None:
    guidelines.write_guideline(by=gao, source=None, text="# 总则\n\n要**正确**", seen_version=0)
    given, twin = record(output="零\u200b宽。**重点**"), record()
    NearDuplicate.objects.create(record=given, other=twin, similarity=0.9)
    page = open_page(lin)
    take_first(page, given)
    drawer = page.locator("#drawer")
    for key, says in (("?", "Ctrl"), ("g", "总则"), ("c", "Nobody has said anything yet."), ("x", f"#{twin.pk}")):
        page.keyboard.press(key)
        expect(drawer).to_contain_text(says)
        expect(page.locator("#id_comment") if key == "c" else drawer).to_be_focused()
        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()
        expect(page.locator("#workbench h1")).to_be_focused()
    page.keyboard.press("c")
    page.locator("#id_comment").fill("请核对")
    page.keyboard.press("Control+Enter")
    expect(drawer.locator(".comments")).to_contain_text("请核对")
    assert Comment.objects.get().text == "请核对"
    assert not Decision.objects.exists()
    page.keyboard.press("Escape")

    page.keyboard.press("f")
    assert page.evaluate(SELECTED) == "\u200b"
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(page.locator("#beside_output strong")).to_have_text("重点")
    page.keyboard.press("d")
    expect(page.locator("#beside_output .diff")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator("#id_output")).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type("！")
    expect(page.locator("#beside_output ins")).to_have_text("！")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#beside_output")).to_be_empty()
    expect(page.locator("#beside_output")).to_be_hidden()
    page.keyboard.press("l")
    expect(page.get_by_label("Main task types").last).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(page).to_have_url(re.compile(r"/history/$"))


def test_a_flag_is_mended_by_one_click(open_page: OpenPage, lin: User) -> None:
    given, following = record(output="零\u200b宽字符在这里。"), record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_instruction").fill("我的题目")
    page.locator("#findings_output .repair").click()
    expect(page.locator("#id_output")).to_have_value("零宽字符在这里。")
    expect(page.locator("#id_instruction")).to_have_value("我的题目")
    page.wait_for_timeout(500)
    page.keyboard.press("a")
    lies_there(page, following)
    assert (reload(given).revision.instruction, reload(given).revision.output) == ("我的题目", "零宽字符在这里。")


def test_a_thousand_composition_events_press_no_key(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    sent = page.evaluate(
        """(keys) => {
            const places = [document.body, ...document.querySelectorAll("#id_output, .words input, h1")];
            let sent = 0;
            while (sent < 1000)
                for (const place of places)
                    for (const key of keys) {
                        const how = [{ isComposing: true }, { keyCode: 229 }, { isComposing: true, ctrlKey: true }];
                        const event = { key, bubbles: true, cancelable: true, ...how[sent % 3] };
                        place.dispatchEvent(new KeyboardEvent("keydown", event));
                        sent += 1;
                    }
            for (const place of places) {
                place.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "字" }));
                place.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true }));
                place.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
            }
            return sent;
        }""",
        KEYS,
    )
    assert sent >= 1000
    page.wait_for_timeout(400)
    expect(page.locator("#workbench h1")).to_contain_text(f"#{given.pk} ")
    expect(page.locator("#drawer")).to_be_hidden()
    expect(page.locator(".bar details[open]")).to_have_count(0)
    assert not Decision.objects.exists()


def test_a_draft_survives_the_kill_of_the_browser(
    browser: Browser, chromium: Path, live_server: LiveServer, lin: User, tmp_path: Path
) -> None:
    given = record()
    claims.claim_next(by=lin)
    cookie: Any = {"name": "sessionid", "value": session(lin), "url": live_server.url}
    options: Any = {"executable_path": chromium, "args": ["--no-sandbox"], "locale": "en-US"}
    context = browser.browser_type.launch_persistent_context(tmp_path, **options)
    context.add_cookies([cookie])
    page = context.pages[0]
    page.goto(f"{live_server.url}/review/records/{given.pk}/")
    page.locator("#id_output").fill("写到一半的答案")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    for child in processes_with(str(tmp_path)):
        os.kill(child, signal.SIGKILL)
    with suppress(PlaywrightError):  # which says that it is gone, where it is
        context.close()
    context = browser.browser_type.launch_persistent_context(tmp_path, **options)
    context.add_cookies([cookie])
    page = context.pages[0]
    page.goto(f"{live_server.url}/review/records/{given.pk}/")
    expect(page.locator("#id_output")).to_have_value("写到一半的答案")
    context.close()


def test_who_types_on_and_on_has_a_draft_every_two_seconds(open_page: OpenPage, lin: User) -> None:
    """By the clock of the page, so that a slow machine changes nothing: no more than two seconds can be lost."""
    given = record()
    page = open_page(lin)
    take_first(page, given)
    field = page.locator("#id_output")
    field.fill("")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    typed = ""
    for _draft in range(3):
        with page.expect_response("**/draft/"):
            for letter in "一二三四":
                typed += letter
                field.press_sequentially(letter)
                page.clock.run_for(500)
        assert Draft.objects.get().fields["output"] == typed


def processes_with(word: str) -> list[int]:
    """The processes on whose command line the word stands."""
    lines = {int(path.parent.name): path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    return [pid for pid, line in lines.items() if word.encode() in line]


def test_another_device_goes_on_where_the_first_stopped(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("在第一台上写的")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    other = open_page(lin)
    other.goto("/review/")
    lies_there(other, given)
    expect(other.locator("#id_output")).to_have_value("在第一台上写的")


def test_a_draft_survives_the_loss_of_the_lease(open_page: OpenPage, lin: User, mei: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("写到一半")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    Claim.objects.all().delete()
    claims.claim_next(by=mei)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("somebody else holds this record now")
    expect(page.locator("#id_output")).to_have_value("写到一半")
    claims.release_claim(by=mei, record=given.pk)
    page.goto(f"/review/records/{given.pk}/")
    page.wait_for_timeout(500)  # so long a record that has just come takes no clicks
    page.get_by_role("button", name="Take this record").click()
    expect(page.locator("#id_output")).to_have_value("写到一半")


def test_signed_out_elsewhere_the_typed_text_is_there_after_signing_in_again(open_page: OpenPage, lin: User) -> None:
    lin.set_password("a good password")
    lin.save()
    given, following = record(), record()
    page = open_page(lin)
    take_first(page, given)
    Session.objects.all().delete()
    page.locator("#id_output").fill("最后的话")
    expect(page.locator("#draft-note")).to_contain_text("Kept in this window only")
    page.goto(f"/review/records/{given.pk}/")
    page.get_by_label("Name or e-mail address").fill("lin")
    page.get_by_label("Password").fill("a good password")
    page.get_by_role("button", name="Sign in").click()
    lies_there(page, given)
    expect(page.locator("#id_output")).to_have_value("最后的话")
    page.keyboard.press("a")
    lies_there(page, following)
    assert reload(given).revision.output == "最后的话"


def test_two_browsers_on_one_record_meet_on_the_merge_screen(open_page: OpenPage, lin: User, mei: User) -> None:
    given, following = record(output="原文第一句。原文第二句。"), record()
    one = open_page(lin)
    take_first(one, given)
    one.locator("#id_output").fill("我改的第一句。原文第二句。")
    expect(one.locator("#draft-note")).to_contain_text("Draft saved")
    Claim.objects.all().delete()
    other = open_page(mei)
    take_first(other, given)
    other.locator("#id_output").fill("原文第一句。她改的第二句。")
    other.keyboard.press("Escape")
    other.keyboard.press("w")
    lies_there(other, following)
    one.keyboard.press("Control+Enter")
    expect(one.get_by_role("alert")).to_contain_text("The text has changed")
    expect(one.locator("#id_output")).to_have_value("我改的第一句。原文第二句。")
    expect(one.locator(".now pre")).to_have_text("原文第一句。她改的第二句。")
    assert "".join(one.locator(".now .diff del").all_text_contents()) == "我改的原文"
    expect(one.locator(".now .diff ins").last).to_contain_text("改的")
    assert Draft.objects.get(reviewer=lin).fields["output"] == "我改的第一句。原文第二句。"
    one.get_by_role("button", name="Take the new text").click()
    expect(one.locator("#id_output")).to_have_value("原文第一句。她改的第二句。")
    one.locator("#id_output").fill("我改的第一句。她改的第二句。")
    one.wait_for_timeout(500)
    one.keyboard.press("Control+Enter")
    expect(one.locator("#status")).to_contain_text(f"Approved #{given.pk}")
    assert reload(given).revision.output == "我改的第一句。她改的第二句。"


def test_25000_characters_stay_fluid(open_page: OpenPage, lin: User) -> None:
    text = (LONGEST * 400)[:25_000]
    given = record(output=text)
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").focus()
    page.keyboard.press("Control+End")
    took = page.evaluate(
        """async () => {
            const field = document.querySelector("#id_output"), took = [];
            for (let key = 0; key < 30; key += 1) {
                const started = performance.now();
                document.execCommand("insertText", false, "字");
                field.getBoundingClientRect();
                await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                took.push(performance.now() - started);
            }
            return took.sort((a, b) => a - b);
        }"""
    )
    assert took[len(took) // 2] < 50 * SLACK, took
    page.keyboard.press("Escape")
    page.evaluate("performance.clearResourceTimings()")
    page.keyboard.press("d")
    expect(page.locator("#beside_output ins")).to_have_text("字" * 30)
    answered = page.evaluate(
        "performance.getEntriesByType('resource').find((one) => one.name.includes('/look/')).duration"
    )
    assert answered < 300 * SLACK, answered
    assert page.locator("#beside_output .fold").count() == 1


SLACK = 4
"""How much slower than on a machine of its own a browser beside other tests may be."""


@pytest.mark.parametrize(("width", "scheme", "locale"), [(1280, "light", "zh-CN"), (375, "dark", "en-US")])
def test_axe_finds_nothing_serious(
    open_page: OpenPage, lin: User, gao: User, mei: User, width: int, scheme: Any, locale: str
) -> None:
    guidelines.write_guideline(by=gao, source=None, text="# 总则\n\n- 要**正确**", seen_version=0)
    given = record(output="零\u200b宽。请关注公众号。")
    page = open_page(lin, viewport={"width": width, "height": 800}, color_scheme=scheme, locale=locale)
    page.goto("/review/?choose")
    check(page)
    page.locator(".empty .primary").click()
    lies_there(page, given)
    check(page)
    for key in ("?", "g", "c"):
        page.keyboard.press(key)
        page.wait_for_timeout(400)
        check(page)
        page.keyboard.press("Escape")
    page.locator("#id_output").fill("零宽。改了。")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#beside_output ins").first).to_be_visible()
    check(page)
    page.wait_for_timeout(2500)
    Claim.objects.all().delete()
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="她写的。"))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)
    for address in (f"/review/records/{given.pk}/history/", "/review/guidelines/", "/review/guidelines/zhihu/", "/"):
        page.goto(address)
        check(page)


def check(page: Page) -> None:
    assert serious(page) == [], page.url
    assert stays_within(page), page.url


def test_37_what_closes_a_text_area_or_a_script_is_text(open_page: OpenPage, lin: User) -> None:
    text = '</textarea></script><script>console.error("ran")</script>]]>--><b hx-get="/x" hx-trigger="load">'
    given, following = record(output=text, instruction=text), record()
    page = open_page(lin)
    take_first(page, given)
    for key in ("d", "p"):
        page.keyboard.press(key)
        expect(page.locator("#beside_output")).to_contain_text("</textarea></script>")
    assert page.locator("#id_output").input_value() == text
    page.keyboard.press("a")
    lies_there(page, following)
    assert Record.objects.get(pk=given.pk).revision_id == given.revision_id


def test_36_ten_thousand_combining_marks_leave_the_page_in_shape(open_page: OpenPage, lin: User) -> None:
    given = record(output="字" + "\u0301" * 10_000 + "尾")
    page = open_page(lin)
    take_first(page, given)
    page.keyboard.press("d")
    expect(page.locator("#beside_output .diff")).to_be_visible()
    box = page.locator(".bar .approve").bounding_box()
    assert box is not None
    assert box["y"] < page.evaluate("innerHeight")
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_f13_closing_the_page_lets_the_claim_end_soon(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    before = Claim.objects.get().lease_until
    page.close(run_before_unload=False)
    for _attempt in range(50):
        if Claim.objects.get().lease_until < before:
            break
        open_page().wait_for_timeout(100)
    assert Claim.objects.get().lease_until < before
