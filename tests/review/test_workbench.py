from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from review import claims, decisions, workflow
from review.forms import unix
from review.models import (
    Cause,
    Claim,
    Decision,
    Draft,
    Record,
    Revision,
    Skip,
    State,
    Takedown,
    User,
    Verdict,
)
from tests.factories import approve, judgement, record
from tests.review.reviewing import HTMX, address, form, reload, signed_in, text_area

pytestmark = [pytest.mark.django_db, pytest.mark.core]

MOST_QUERIES = 19


# Deciding


def test_an_unedited_record_is_approved_without_a_revision(lin: User) -> None:
    text = "\n甲\rB\tC\x0cD\u00a0E\u200bF\r\n  "
    given, following = record(output=text, instruction=f"\n{text}"), record()
    client = signed_in(lin)
    client.post("/review/next/")
    page = client.get(address("", given)).content
    assert text_area(page, "output") == unix(text)
    typed = {name: text_area(page, name).replace("\n", "\r\n") for name in ("instruction", "input", "output")}
    answer = client.post(address("decide", given), form(given, **typed))
    assert (answer.status_code, answer["Location"]) == (303, address("", following))
    after = reload(given)
    assert (after.state, after.human_verified, after.revision_id) == (State.APPROVED, True, given.revision_id)
    assert Revision.objects.filter(record=given).count() == 1


def test_an_edited_record_is_approved_in_its_new_wording(lin: User) -> None:
    given = record()
    said = form(
        given, output="新的\r\n答案", major=["问答", "新标签", ""], rights_said="set", licence="CC0-1.0", holder="某人"
    )
    signed_in(lin).post(address("decide", given), said)
    after = reload(given)
    assert (after.revision.output, after.revision.author) == ("新的\n答案", lin)
    assert after.revision.task_type["major"] == ["问答", "新标签"]
    assert after.rights is not None
    assert (after.rights.licence, after.rights.holder, after.rights.published_text) == (
        "CC0-1.0",
        "某人",
        "某人，CC0-1.0",
    )


def test_time_spent_is_counted_by_the_server(lin: User) -> None:
    given = record()
    signed_in(lin).post(address("decide", given), form(given, seconds="99999", started="forged"))
    assert Decision.objects.get().seconds == 0


def test_a_chosen_reason_rejects(lin: User) -> None:
    given = record()
    signed_in(lin).post(address("decide", given), form(given, None, because="harmful"))
    decision = Decision.objects.get()
    assert (decision.verdict, decision.reason) == (Verdict.REJECT, "harmful")


def test_a_rewritten_answer_waits_for_somebody_else(lin: User) -> None:
    given = record(answer_from="llm")
    signed_in(lin).post(address("decide", given), form(given, "rewrite", output="全新的答案"))
    after = reload(given)
    assert (after.state, after.revision.answer_from, after.human_verified) == (State.WAITING, "human", False)


def test_nobody_approves_an_answer_written_from_nothing(lin: User) -> None:
    given, client = record(output=""), signed_in(lin)
    answer = client.post(address("decide", given), form(given, output="我的答案"))
    assert answer.status_code == 403
    assert text_area(answer.content, "output") == "我的答案"
    assert not Decision.objects.exists()


def test_htmx_gets_the_next_record_in_the_same_answer(lin: User) -> None:
    given, following = record(), record()
    client = signed_in(lin)
    answer = client.post(address("decide", given), form(given), headers=HTMX)
    page = answer.content.decode()
    assert (answer.status_code, answer["HX-Push-Url"]) == (200, address("", following))
    assert "HX-Request" in answer["Vary"]
    assert f"<title>#{following.pk} {following.source} · CQIA</title>" in page
    assert '<div id="workbench"' in page
    assert f'value="{following.revision_id}"' in page
    assert f"Approved #{given.pk}" in page
    assert reverse("review:decision-undo", args=[Decision.objects.get().pk]) in page
    assert "<html" not in page
    assert Claim.objects.get().record_id == following.pk


def test_htmx_gets_the_reason_when_the_queue_is_empty(lin: User) -> None:
    given = record()
    answer = signed_in(lin).post(address("decide", given), form(given), headers=HTMX)
    assert answer["HX-Push-Url"] == "/review/"
    assert b"Nothing waits for you" in answer.content
    assert b"Approved #" in answer.content


def test_decide_and_next_take_few_queries(lin: User) -> None:
    for _ in range(3):
        given = record()
    given = Record.objects.select_related("revision", "rights", "batch__rights", "source__rights").order_by("pk")[0]
    client = signed_in(lin)
    client.post("/review/next/")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.post(address("decide", given), form(given), headers=HTMX)
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= MOST_QUERIES, "\n".join(statement[:160] for statement in statements)


def test_the_same_form_twice_is_one_decision_and_the_same_way_on(lin: User) -> None:
    given, client = record(), signed_in(lin)
    record()
    said = form(given)
    first, second = (client.post(address("decide", given), said) for _ in range(2))
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    assert Decision.objects.count() == 1


# Refusals keep what was typed


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_outdated_text_is_refused_with_both_texts(lin: User, mei: User, headers: dict[str, str]) -> None:
    given = record()
    add_second_wording(given, mei, output="新文本")
    answer = signed_in(lin).post(address("decide", given), form(given, output="我的文本"), headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert text_area(answer.content, "output") == "我的文本"
    assert "新文本" in page
    assert f'name="seen_revision" value="{reload(given).revision_id}"' in page
    assert not Decision.objects.filter(reviewer=lin).exists()
    assert Draft.objects.get(reviewer=lin).fields["output"] == "我的文本"


def add_second_wording(given: Record, by: User, **wording: str) -> None:
    """Let somebody else rewrite the answer meanwhile."""
    decisions.decide(by=by, record=given.pk, judgement=judgement(given, Verdict.REWRITE, **wording))


def test_fields_left_alone_hold_the_new_text_after_a_conflict(lin: User, mei: User) -> None:
    given = record()
    add_second_wording(given, mei, output="新文本")
    client = signed_in(lin)
    answer = client.post(address("decide", given), form(given, instruction="我的题目"))
    assert answer.status_code == 409
    assert text_area(answer.content, "output") == "新文本"
    assert text_area(answer.content, "instruction") == "我的题目"
    again = form(reload(given), instruction="我的题目")
    assert client.post(address("decide", given), again).status_code == 303
    after = reload(given)
    assert (after.revision.instruction, after.revision.output) == ("我的题目", "新文本")


def test_a_record_decided_meanwhile_is_refused_and_the_text_stays_to_be_read(lin: User, mei: User) -> None:
    given = record()
    approve(given, mei)
    answer = signed_in(lin).post(address("decide", given), form(given, output="我的文本"))
    assert answer.status_code == 409
    assert text_area(answer.content, "output") == "我的文本"
    assert b'value="approve"' not in answer.content


def test_a_record_taken_over_after_the_lease_is_refused(lin: User, mei: User) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    Claim.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    claims.claim_next(by=mei)
    answer = client.post(address("decide", given), form(given, output="我的文本"))
    assert answer.status_code == 409
    assert text_area(answer.content, "output") == "我的文本"
    assert not Decision.objects.exists()


def test_a_late_form_that_nobody_overtook_is_taken(lin: User) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    Claim.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    assert client.post(address("decide", given), form(given)).status_code == 303
    assert reload(given).state == State.APPROVED


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"output": " "}, "The answer is empty."),
        ({"major": [""]}, "Choose at least one main task type."),
        ({"answer_from": ""}, "Say who wrote the answer."),
        ({"rights_said": ""}, "Confirm the rights, set them, or object to them."),
        ({"verdict": "reject"}, "Say why, in a word or two."),
        ({"verdict": "rewrite"}, "Write the new answer before you hand it on."),
        ({"source_address": "x y"}, "Enter a valid URL."),
        ({"output": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_an_incomplete_form_is_refused_with_its_sentence(lin: User, changes: dict[str, Any], sentence: str) -> None:
    given = record()
    answer = signed_in(lin).post(address("decide", given), form(given, **({"instruction": "我的题目"} | changes)))
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert text_area(answer.content, "instruction") == "我的题目"
    assert not Decision.objects.exists()


@pytest.mark.parametrize("data", [{}, {"verdict": "approve"}, {"seen_revision": "9" * 40, "request_id": "x"}])
def test_a_form_that_makes_no_sense_is_refused(lin: User, data: dict[str, str]) -> None:
    given = record()
    assert signed_in(lin).post(address("decide", given), data).status_code == 422


def test_a_second_decision_by_the_same_person_is_forbidden(lin: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    client = signed_in(lin)
    client.post(address("decide", given), form(given))
    assert client.post(address("decide", given), form(given)).status_code == 403


# Skip, give back, undo


def test_skip_keeps_what_was_typed_and_goes_on(lin: User) -> None:
    given, following = record(), record()
    client = signed_in(lin)
    client.post("/review/next/")
    answer = client.post(address("skip", given), form(given, output="改了一半", skip_reason="要问同事"))
    assert answer["Location"] == address("", following)
    assert (Skip.objects.get().record_id, Skip.objects.get().reason) == (given.pk, "要问同事")
    assert Draft.objects.get().fields["output"] == "改了一半"
    assert f"Skipped #{given.pk}" in client.get(answer["Location"]).content.decode()
    claims.claim_record(by=lin, record=given)
    assert "You put this aside: 要问同事" in client.get(address("", given)).content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_was_put_aside_can_be_taken_up_again_unless_somebody_has_it(
    lin: User, mei: User, headers: dict[str, str]
) -> None:
    given, client = record(), signed_in(lin)
    record()
    client.post("/review/next/")
    client.post(address("skip", given), form(given) | {"skip_reason": "要问同事"})
    claims.claim_record(by=mei, record=given)
    answer = client.post(address("unskip", given), headers=headers)
    assert answer.status_code == (409 if headers else 303)
    assert Skip.objects.exists()
    claims.release_claim(by=mei, record=given.pk)
    answer = client.post(address("unskip", given), headers=headers)
    assert answer.status_code == (200 if headers else 303)
    assert not Skip.objects.exists()
    assert Claim.objects.filter(record=given, reviewer=lin).exists()
    assert Draft.objects.get(record=given, reviewer=lin).fields["skip_reason"] == "要问同事"


def test_the_line_of_the_file_is_shown_as_it_came(lin: User) -> None:
    given = record(instruction="问<b>", output="答")
    page = signed_in(lin).get(address("original", given)).content.decode()
    assert f"line {given.originals.get().line}" in page
    assert "{&quot;instruction&quot;: &quot;问&lt;b&gt;&quot;, &quot;output&quot;: &quot;答&quot;}" in page


def test_give_back_frees_the_record(lin: User, mei: User) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    assert client.post(address("release", given), form(given))["Location"] == "/"
    assert claims.claim_next(by=mei) is not None
    assert not Draft.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_undo_puts_the_record_back_with_what_was_typed(lin: User, headers: dict[str, str]) -> None:
    given, client = record(), signed_in(lin)
    record()
    said = form(given, output="改好的", rights_said="set", licence="CC0-1.0")
    client.post(address("decide", given), said)
    answer = client.post(reverse("review:decision-undo", args=[Decision.objects.get().pk]), headers=headers)
    if not headers:
        assert (answer.status_code, answer["Location"]) == (303, address("", given))
        answer = client.get(answer["Location"])
    assert text_area(answer.content, "output") == "改好的"
    assert b'value="set" checked' in answer.content
    assert f"Took back the decision on #{given.pk}" in answer.content.decode()
    assert reload(given).state == State.WAITING


@pytest.mark.parametrize(("headers", "status"), [({}, 303), (HTMX, 409)])
def test_undo_is_refused_once_the_record_has_moved_on(
    lin: User, gao: User, headers: dict[str, str], status: int
) -> None:
    given = record()
    decision = approve(given, lin)
    Takedown.objects.create(requester="某人", ground="侵权", received_on=timezone.now().date())
    workflow.move(Record.objects.filter(pk=given.pk), cause=Cause.TAKE_DOWN, by=gao, takedown=Takedown.objects.get())
    client = signed_in(lin)
    answer = client.post(reverse("review:decision-undo", args=[decision.pk]), headers=headers)
    assert answer.status_code == status
    if headers:
        assert answer["HX-Reswap"] == "none"
        assert b'hx-swap-oob="innerHTML"' in answer.content
        assert b"can no longer be taken back" in answer.content
    else:
        assert b"can no longer be taken back" in client.get(answer["Location"]).content


def test_nobody_undoes_the_decision_of_another(lin: User, mei: User) -> None:
    decision = approve(record(), lin)
    assert signed_in(mei).post(reverse("review:decision-undo", args=[decision.pk])).status_code == 404


# Drafts and leases


def test_a_draft_comes_back_with_the_record(lin: User) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    draft = form(given, output="写到一半\r\n的\u200b答案", domain=["百科", "新领域", ""])
    assert client.post(address("draft", given), draft).status_code == 204
    page = client.get(address("", given))
    assert text_area(page.content, "output") == "写到一半\n的\u200b答案"
    assert 'value="新领域"' in page.content.decode()
    assert b"Your draft of" in page.content


def test_a_draft_equal_to_the_record_is_none(lin: User) -> None:
    given, client = record(), signed_in(lin)
    client.post(address("draft", given), form(given, output="写了"))
    client.post(address("draft", given), form(given))
    assert not Draft.objects.exists()


def test_a_draft_survives_a_lost_claim(lin: User, mei: User) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    client.post(address("draft", given), form(given, output="写到一半"))
    Claim.objects.all().delete()
    claims.claim_next(by=mei)
    page = client.get(address("", given)).content.decode()
    assert "held by mei until" in page
    assert "What you had typed here is kept." in page
    assert "写到一半" in page
    assert client.post(address("claim", given)).status_code == 409
    claims.release_claim(by=mei, record=given.pk)
    answer = client.post(address("claim", given), follow=True)
    assert text_area(answer.content, "output") == "写到一半"


def test_a_draft_on_an_older_text_is_laid_over_the_new_one(lin: User, mei: User) -> None:
    given, client = record(), signed_in(lin)
    client.post(address("draft", given), form(given, instruction="我的题目", output="我的答案"))
    add_second_wording(given, mei, output="新答案")
    claims.claim_record(by=lin, record=reload(given))
    page = client.get(address("", given))
    assert text_area(page.content, "output") == "我的答案"
    assert page.context["desk"].merged.now == {"output": "新答案"}
    assert page.context["desk"].merged.values["instruction"] == "我的题目"


def test_the_heartbeat_lengthens_the_lease_of_ones_own_claim(lin: User, mei: User) -> None:
    record()
    claim = claims.claim_next(by=lin)
    assert claim is not None
    extend = reverse("review:claim-extend", args=[claim.token])
    assert signed_in(lin).post(extend).status_code == 204
    assert Claim.objects.get().lease_until > claim.lease_until
    assert signed_in(mei).post(extend).status_code == 409
