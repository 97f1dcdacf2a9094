import re
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect

from review import claims, decisions
from review.models import Claim, Decision, Draft, Record, Revision, Skip, State, User, Verdict
from tests.browser.conftest import OpenPage
from tests.factories import judgement, record

if TYPE_CHECKING:
    from django.db.models import QuerySet

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ODD = "\n甲\rightarrow 乙\r\n\tTAB\x0cFF\u00a0NBSP\u200b零宽\u2028行\x85\n\n 结尾  \n"
ATTACK = (
    '</textarea><script>console.error("script ran")</script><img src=x onerror=\'console.error("handler ran")\'>'
    '<div hx-get="/account/logout/" hx-trigger="load">{{ 7*7 }}</div>'
)
SETTLES = 450
"""Milliseconds after which a record that has just come takes keys and clicks."""


def lies_there(page: Page, given: Record) -> None:
    expect(page.locator("#workbench h1")).to_contain_text(f"#{given.pk} ")
    page.wait_for_load_state()  # with its scripts: a key before them is nobody's
    page.wait_for_timeout(SETTLES)


def take_first(page: Page, given: Record) -> None:
    page.goto("/review/")
    page.get_by_role("button", name="Take the next one").click()
    lies_there(page, given)


def of(given: Record) -> "QuerySet[Decision]":
    return Decision.objects.filter(record=given, withdrawal=None)


def reload(given: Record) -> Record:
    return Record.objects.select_related("revision").get(pk=given.pk)


def test_sign_in_and_a_day_of_keys(open_page: OpenPage, lin: User) -> None:
    approved, edited, rejected, skipped, last = (record() for _ in range(5))
    lin.set_password("a good password")
    lin.save()
    page = open_page()
    page.goto("/")
    page.get_by_label("Name or e-mail address").fill("lin")
    page.get_by_label("Password").fill("a good password")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/$"))
    page.get_by_role("button", name="Take the next one").click()
    lies_there(page, approved)

    page.keyboard.press("a")
    lies_there(page, edited)
    expect(page.locator("#status")).to_contain_text(f"Approved #{approved.pk}")
    assert reload(approved).revision_id == approved.revision_id
    assert Revision.objects.filter(record=approved).count() == 1

    page.keyboard.press("3")
    page.keyboard.press("Control+End")
    page.keyboard.type(" 改 a r s")
    page.keyboard.press("Control+Enter")
    lies_there(page, rejected)
    after = reload(edited)
    assert (after.revision.output, after.revision.author) == (f"{edited.revision.output} 改 a r s", lin)

    page.keyboard.press("r")
    page.keyboard.press("a")  # is none of the panel's keys, and approves nothing while it is open
    page.keyboard.press("1")
    lies_there(page, skipped)
    assert of(rejected).get().reason == "wrong"

    key = "() => { document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 's', bubbles: true}));"
    assert page.evaluate(f"{key} return document.activeElement.name; }}") == "skip_reason", (
        "before another key can come"
    )
    page.keyboard.type("要问同事")
    page.keyboard.press("Enter")
    lies_there(page, last)
    assert Skip.objects.get(record=skipped).reason == "要问同事"

    page.keyboard.press("u")
    lies_there(page, skipped)
    assert not Skip.objects.exists()
    expect(page.locator('[name="skip_reason"]')).to_have_value("要问同事")
    expect(page.locator("#status")).to_contain_text(f"Undo #{rejected.pk}")
    page.keyboard.press("u")
    lies_there(page, rejected)
    assert not of(rejected).exists()
    expect(page.locator("#status")).to_contain_text(f"Took back the decision on #{rejected.pk}")
    assert page.url.endswith(f"/review/records/{rejected.pk}/")


def test_without_script_the_same_way(open_page: OpenPage, lin: User) -> None:
    approved, edited, rejected, escalated, skipped, last = (record(output=f"{ODD}{n}") for n in range(6))
    page = open_page(lin, java_script_enabled=False)
    page.goto("/")
    page.get_by_role("button", name="Take the next one").click()
    lies_there(page, approved)
    page.get_by_role("button", name="Approve").click()
    lies_there(page, edited)
    page.get_by_label("Answer", exact=False).first.fill("改好了\n第二行")
    page.get_by_label("Domains").last.fill("新领域")
    page.get_by_label("Set for this record").check()
    page.get_by_label("Licence").select_option("CC0-1.0")
    page.get_by_role("button", name="Approve").click()
    lies_there(page, rejected)
    page.locator("summary", has_text="Reject").click()
    page.get_by_placeholder("Another reason").fill("文不对题")
    page.locator(".reject .own button").click()
    lies_there(page, escalated)
    page.locator("summary", has_text="Escalate").click()
    page.get_by_placeholder("What is to be settled?").fill("有争议")
    page.locator(".escalate .own button").click()
    lies_there(page, skipped)
    page.locator(".bar .skip summary").click()
    page.get_by_role("button", name="Skip", exact=True).click()
    lies_there(page, last)
    page.get_by_role("button", name="Undo").first.click()
    lies_there(page, escalated)

    assert (reload(approved).state, reload(approved).revision_id) == (State.APPROVED, approved.revision_id)
    after = reload(edited)
    assert (after.revision.output, after.revision.domain) == ("改好了\n第二行", ["百科", "新领域"])
    assert after.rights_id is not None
    assert of(rejected).get().reason == "文不对题"
    assert not of(escalated).exists()


def test_odd_characters_come_back_as_they_were(open_page: OpenPage, lin: User) -> None:
    given, following = record(instruction=ODD, input=ODD, output=ODD, metadata=ODD), record()
    page = open_page(lin)
    take_first(page, given)
    assert page.locator("#id_output").input_value() == ODD.replace("\r\n", "\n").replace("\r", "\n")
    page.keyboard.press("a")
    lies_there(page, following)
    assert reload(given).revision_id == given.revision_id


def test_an_edit_leaves_carriage_returns_elsewhere_alone(open_page: OpenPage, lin: User) -> None:
    given, following = record(output="一\rightarrow 二\n三\n四"), record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").press("Control+End")
    page.keyboard.type("！")
    page.keyboard.press("Control+Enter")
    lies_there(page, following)
    assert reload(given).revision.output == "一\rightarrow 二\n三\n四！"


def test_what_stands_in_a_record_does_nothing(open_page: OpenPage, lin: User) -> None:
    given = record(
        instruction=ATTACK,
        input=ATTACK,
        output=ATTACK,
        metadata=ATTACK,
        major=(ATTACK[:190],),
        claimed_copyright=ATTACK,
    )
    page = open_page(lin)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"/review/records/{given.pk}/")
        page.wait_for_timeout(300)
    assert page.locator("#id_output").input_value() == ATTACK
    page.evaluate(
        """() => {
            const place = document.querySelector(".texts");
            place.insertAdjacentHTML("beforeend", '<b hx-get="/account/logout/" hx-trigger="load">injected</b>');
            htmx.process(place);
        }"""
    )
    page.wait_for_timeout(300)
    page.goto("/")
    expect(page.get_by_text("lin")).to_be_visible()


def test_composing_chinese_presses_no_key(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    page.evaluate(
        """() => {
            for (const target of [document.body, document.querySelector("#id_output")])
                for (const key of ["a", "r", "s", "w", "e", "u", "Enter", "1"]) {
                    const composing = { key, bubbles: true, cancelable: true, isComposing: true };
                    target.dispatchEvent(new KeyboardEvent("keydown", composing));
                    target.dispatchEvent(new KeyboardEvent("keydown", { ...composing, ctrlKey: true }));
                    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, keyCode: 229 }));
                }
            document.body.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true }));
        }"""
    )
    page.locator("#id_output").focus()
    client = page.context.new_cdp_session(page)
    for text in ("a", "as", "asr"):
        client.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    client.send("Input.insertText", {"text": "按"})
    page.wait_for_timeout(300)
    expect(page.locator(".bar details[open]")).to_have_count(0)
    expect(page.locator("#workbench h1")).to_contain_text(f"#{given.pk} ")
    assert not Decision.objects.exists()
    assert not Skip.objects.exists()
    assert "按" in page.locator("#id_output").input_value()


def test_enter_in_a_one_line_field_decides_nothing(open_page: OpenPage, lin: User) -> None:
    given = record()
    for enabled in (True, False):
        page = open_page(lin, java_script_enabled=enabled)
        page.goto("/review/")
        if page.get_by_role("button", name="Take the next one").count():
            page.get_by_role("button", name="Take the next one").click()
        lies_there(page, given)
        page.get_by_label("Main task types").last.press("Enter")
        page.wait_for_timeout(300)
        assert not Decision.objects.exists()


def test_a_double_click_decides_one_record(open_page: OpenPage, lin: User) -> None:
    first, second = record(), record()
    page = open_page(lin)
    take_first(page, first)
    page.get_by_role("button", name="Approve").dblclick()
    lies_there(page, second)
    assert reload(second).state == State.WAITING
    assert of(first).count() == 1


def test_a_draft_survives_a_reload(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("写到一半")
    page.get_by_label("Domains").last.fill("新领域")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    assert Draft.objects.get().fields["output"] == "写到一半"
    page.reload()
    expect(page.locator("#id_output")).to_have_value("写到一半")
    expect(page.locator('[name="domain"]').nth(1)).to_have_value("新领域")
    expect(page.locator("#draft-note")).to_contain_text("Your draft of")


def test_what_was_typed_survives_the_end_of_the_session(open_page: OpenPage, lin: User) -> None:
    lin.set_password("a good password")
    lin.save()
    given, following = record(), record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("写到一半")
    page.get_by_label("Domains").last.fill("新领域")
    Session.objects.all().delete()
    page.keyboard.press("Control+Enter")
    page.get_by_label("Name or e-mail address").fill("lin")
    page.get_by_label("Password").fill("a good password")
    page.get_by_role("button", name="Sign in").click()
    lies_there(page, given)
    expect(page.locator("#id_output")).to_have_value("写到一半")
    page.keyboard.press("a")
    lies_there(page, following)
    after = reload(given)
    assert (after.revision.output, after.revision.domain) == ("写到一半", ["百科", "新领域"])


def test_what_was_typed_survives_a_new_sign_in_in_another_tab(open_page: OpenPage, lin: User) -> None:
    given, following = record(), record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("写到一半")
    page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#status")).to_contain_text("loaded anew")
    lies_there(page, given)
    expect(page.locator("#id_output")).to_have_value("写到一半")
    page.keyboard.press("Control+Enter")
    lies_there(page, following)
    assert reload(given).revision.output == "写到一半"


def test_a_conflict_shows_both_texts_and_keeps_what_was_typed(open_page: OpenPage, lin: User, mei: User) -> None:
    given, following = record(), record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("我的答案")
    Claim.objects.all().delete()
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="她的答案"))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("The text has changed")
    expect(page.locator("#id_output")).to_have_value("我的答案")
    expect(page.locator(".now")).to_contain_text("她的答案")
    page.wait_for_timeout(SETTLES)
    page.keyboard.press("a")
    lies_there(page, following)
    assert reload(given).revision.output == "我的答案"


def test_a_missing_label_is_asked_for_on_the_same_page(open_page: OpenPage, lin: User) -> None:
    given, following = record(domain=()), record()
    page = open_page(lin)
    take_first(page, given)
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one domain.")
    page.wait_for_timeout(SETTLES)
    page.get_by_label("Domains").last.fill("百科")
    page.keyboard.press("Control+Enter")
    lies_there(page, following)


def test_a_lost_connection_is_told_and_nothing_is_lost(open_page: OpenPage, lin: User) -> None:
    given, following = record(), record()
    page = open_page(lin)
    take_first(page, given)
    page.locator("#id_output").fill("我的答案")
    page.route("**/decide/", lambda route: route.fulfill(status=503, body="away"))
    page.keyboard.press("Control+Enter")
    expect(page.locator("#status")).to_contain_text("Not saved")
    page.unroute("**/decide/")
    page.keyboard.press("Control+Enter")
    lies_there(page, following)
    assert reload(given).revision.output == "我的答案"


def test_the_heartbeat_tells_of_a_lost_claim(open_page: OpenPage, lin: User, mei: User) -> None:
    given = record()
    page = open_page(lin)
    page.clock.install()
    take_first(page, given)
    Claim.objects.all().delete()
    claims.claim_next(by=mei)
    page.clock.fast_forward(130_000)
    expect(page.locator("#draft-note")).to_contain_text("Your claim has ended")


def test_undo_leaves_what_was_just_typed_on_the_record_before_the_person(open_page: OpenPage, lin: User) -> None:
    first, second = record(), record()
    page = open_page(lin)
    take_first(page, first)
    page.keyboard.press("a")
    lies_there(page, second)
    page.keyboard.press("3")
    page.keyboard.press("Control+End")
    page.keyboard.type("刚打的字")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    lies_there(page, first)
    page.goto(f"/review/records/{second.pk}/")
    expect(page.locator("#id_output")).to_have_value(f"{second.revision.output}刚打的字")


def give_the_missing(page: Page, field: str, words: str) -> None:
    """Send a panel without the words that it needs, and type them where the page asks for them."""
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    expect(page.locator(f'[name="{field}"]')).to_be_focused()
    page.keyboard.type(words)


def test_a_reason_in_words_of_ones_own_by_keys_alone(open_page: OpenPage, lin: User) -> None:
    rejected, escalated, last = (record() for _ in range(3))
    page = open_page(lin)
    take_first(page, rejected)
    page.keyboard.press("r")
    page.keyboard.press("9")
    give_the_missing(page, "reason", "文不对题")
    page.wait_for_timeout(SETTLES)
    page.keyboard.press("Enter")
    lies_there(page, escalated)
    assert of(rejected).get().reason == "文不对题"

    page.keyboard.press("e")
    give_the_missing(page, "question", "取哪一种")
    expect(page.locator("#draft-note")).to_contain_text("Draft saved")
    page.reload()
    lies_there(page, escalated)
    page.keyboard.press("e")
    expect(page.locator('[name="question"]')).to_have_value("取哪一种")
    page.keyboard.press("Enter")
    lies_there(page, last)
    assert of(escalated).get().reason == "取哪一种"


def test_a_comment_half_written_survives_its_drawer_and_its_page(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    page.keyboard.press("c")
    expect(page.locator("#id_comment")).to_be_focused()
    page.keyboard.type("请核对")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    expect(page.locator("#id_comment")).to_have_value("请核对")
    page.reload()
    lies_there(page, given)
    page.keyboard.press("c")
    expect(page.locator("#id_comment")).to_have_value("请核对")
    page.locator("#id_comment").press("Control+Enter")
    expect(page.locator(".comments")).to_contain_text("请核对")
    expect(page.locator("#id_comment")).to_have_value("")
    assert not Decision.objects.exists()


def test_what_is_typed_ahead_into_a_comment_decides_nothing(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    take_first(page, given)
    coming: list[Route] = []
    page.route("**/comments/", lambda route: coming.append(route))  # noqa: PLW0108  the method bears no mark of the driver's
    with page.expect_request("**/comments/"):
        page.keyboard.press("c")
        page.keyboard.press("a")
    page.wait_for_timeout(SETTLES)
    coming[0].continue_()
    expect(page.locator("#id_comment")).to_be_focused()
    assert not Decision.objects.exists()


def test_the_day_begins_with_a_key_on_the_home_page(open_page: OpenPage, lin: User) -> None:
    given = record()
    page = open_page(lin)
    page.goto("/")
    page.keyboard.press("n")
    lies_there(page, given)
    page.goto("/")
    page.keyboard.press("n")
    lies_there(page, given)


def test_every_way_out_of_a_record_has_a_key(open_page: OpenPage, lin: User) -> None:
    given = record(output="好")
    page = open_page(lin)
    take_first(page, given)
    page.keyboard.press("f")
    expect(page.locator("#status")).to_have_text("Nothing is flagged in the texts.")
    page.keyboard.press("q")
    expect(page).to_have_url(re.compile(r"/review/\?choose$"))
    page.go_back()
    lies_there(page, given)
    page.keyboard.press("y")
    expect(page.locator("body")).to_contain_text(f"Gave #{given.pk} back to the queue")
    assert not Claim.objects.exists()
    page.goto("/review/records/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
