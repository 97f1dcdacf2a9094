from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from review import claims, decisions, rights
from review.models import (
    Batch,
    Claim,
    Decision,
    Licence,
    Record,
    Source,
    State,
    User,
    Verdict,
)
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.reviewing import HTMX, address, form, reload, signed_in, text_area

pytestmark = [pytest.mark.django_db, pytest.mark.core]


# The way through the queue


def test_home_counts_what_waits_by_source_and_what_was_done_today(lin: User) -> None:
    add_records("zhihu", [candidate() for _ in range(3)])
    add_records("mba", [candidate(), candidate(output="")])
    done, undone = record("douban"), record("douban")
    approve(done, lin)
    decisions.undo(by=lin, decision=approve(undone, lin))
    context = signed_in(lin).get("/").context
    assert [(source.slug, number) for source, number in context["waiting"]] == [("zhihu", 3), ("douban", 1), ("mba", 2)]
    assert dict(context["today"])[Verdict.APPROVE] == 1
    assert context["held"].record_id == undone.pk


def test_home_leaves_out_other_sources_and_other_days(lin: User, ruozhiba: Source) -> None:
    lin.sources.set([ruozhiba])
    record("zhihu")
    approve(record(), lin)
    client = signed_in(lin)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        context = client.get("/").context
    assert context["waiting"] == []
    assert dict(context["today"])[Verdict.APPROVE] == 0


def test_home_of_a_consumer_shows_no_queue(tao: User) -> None:
    page = signed_in(tao).get("/")
    assert page.status_code == 200
    assert b"/review/" not in page.content


def test_the_queue_invites_and_claims_by_post_only(lin: User) -> None:
    client, given = signed_in(lin), record()
    assert b"Records are waiting" in client.get("/review/").content
    assert not Claim.objects.exists()
    answer = client.post("/review/next/")
    assert (answer.status_code, answer["Location"]) == (303, address("", given))
    assert claims.current_claim(by=lin) is not None
    again = client.get("/review/")
    assert (again.status_code, again["Location"]) == (302, address("", given))


def test_an_empty_queue_says_that_nothing_waits(lin: User) -> None:
    client = signed_in(lin)
    answer = client.post("/review/next/", follow=True)
    assert answer.redirect_chain == [("/review/", 303)]
    assert b"Nothing waits for you" in answer.content


def test_an_empty_queue_says_that_others_hold_the_rest(lin: User, mei: User) -> None:
    record()
    claims.claim_next(by=mei)
    page = signed_in(lin).get("/review/")
    assert b"Others hold what is left" in page.content
    assert page.context["outlook"].held == 1


def test_an_empty_queue_offers_what_was_skipped(lin: User) -> None:
    given, client = record(), signed_in(lin)
    claims.skip_record(by=lin, record=given.pk)
    assert b"Take up what I skipped" in client.get("/review/").content
    answer = client.post("/review/next/", {"skipped": "on"})
    assert answer["Location"] == f"{address('', given)}?skipped=on"


def test_the_source_chosen_goes_along_from_record_to_record(lin: User) -> None:
    record("zhihu")
    first, second = record("mba"), record("mba")
    client = signed_in(lin)
    assert client.post("/review/next/", {"source": "mba"})["Location"] == f"{address('', first)}?source=mba"
    page = client.get(f"{address('', first)}?source=mba")
    assert b'name="source" value="mba"' in page.content
    answer = client.post(address("decide", first), form(first, source="mba"))
    assert answer["Location"] == f"{address('', second)}?source=mba"
    answer = client.post(address("decide", second), form(second, source="mba"), follow=True)
    assert b"Go on with every source" in answer.content


def test_a_settler_settles_from_the_queue_of_disputes(lin: User, mei: User, shen: User) -> None:
    given = record()
    decisions.decide(by=lin, record=given.pk, judgement=judgement(given, Verdict.ESCALATE, reason="看不懂"))
    client = signed_in(shen)
    assert client.get("/").context["disputed"] == 1
    answer = client.post("/review/next/", {"purpose": "settle"}, follow=True)
    assert "看不懂".encode() in answer.content
    assert b'value="escalate"' not in answer.content
    client.post(address("decide", given), form(given, purpose="settle"))
    assert reload(given).state == State.APPROVED


def test_a_reviewer_has_no_queue_of_disputes(lin: User) -> None:
    assert signed_in(lin).post("/review/next/", {"purpose": "settle"}).status_code == 403


# What the page says of rights and origin


def test_unknown_rights_are_told_plainly_with_the_place_to_decide(lin: User, gao: User) -> None:
    given = record()
    for user in (lin, gao):
        Claim.objects.all().delete()
        client = signed_in(user)
        client.post("/review/next/")
        page = client.get(address("", given)).content.decode()
        assert "held back from published releases" in page
        there = reverse("review:source", args=["ruozhiba"])
        assert (f'<a href="{there}">the page of the source</a>' in page) == (user == gao)


@pytest.mark.parametrize(
    ("owner", "says"), [("record", "set for this record"), ("batch", "by its import"), ("source", "by its source")]
)
def test_rights_in_effect_are_shown_with_their_origin(lin: User, owner: str, says: str) -> None:
    given = record()
    owners: dict[str, Record | Batch | Source] = {"record": given, "batch": given.batch, "source": given.source}
    rights.decide_rights(owners[owner], by=None, licence=Licence.CC_BY, holder="某社")
    client = signed_in(lin)
    client.post("/review/next/")
    page = client.get(address("", given)).content.decode()
    assert says in page
    assert "某社，CC-BY-4.0" in page


def test_what_the_file_claims_is_shown_as_its_claim(lin: User) -> None:
    given = record(claimed_human_verified=True, claimed_copyright="某网站")
    page = signed_in(lin).get(address("", given)).content.decode()
    assert "verified by a person — not believed" in page
    assert "某网站" in page


def test_record_text_is_text(lin: User) -> None:
    attack = (
        '</textarea><script>alert(1)</script><div hx-get="/account/logout/" hx-trigger="load">{{ 7*7 }}{% load x %}'
    )
    given = record(instruction=attack, output=attack, metadata=attack, major=('"><script>',), claimed_copyright=attack)
    client = signed_in(lin)
    client.post("/review/next/")
    page = client.get(address("", given)).content
    assert text_area(page, "output") == attack
    assert b"<script>alert" not in page
    assert b'<div hx-get="/account' not in page
    assert b"{{ 7*7 }}" in page


def test_first_and_second_look_cannot_be_told_apart(lin: User, mei: User) -> None:
    first, second = record(), record()
    Record.objects.filter(pk=second.pk).update(wanted=2)
    approve(second, lin)
    assert reload(second).state == State.SECOND
    client = signed_in(mei)
    pages = [client.get(address("", given)).content.decode() for given in (first, second)]
    assert ["waiting</span>" in page for page in pages] == [True, True]
    assert not any("second" in page for page in pages)


# Who may see what


def test_records_of_other_sources_are_not_there(lin: User, law_gee: Source) -> None:
    given = record()
    decision = approve(record(), lin)
    lin.sources.set([law_gee])
    client = signed_in(lin)
    for headers in ({}, HTMX):
        assert client.get(address("", given), headers=headers).status_code == 404
        for verb in ("claim", "decide", "skip", "release", "draft"):
            assert client.post(address(verb, given), form(given), headers=headers).status_code == 404
        assert client.post(reverse("review:decision-undo", args=[decision.pk]), headers=headers).status_code == 404


def test_a_consumer_has_no_queue(tao: User) -> None:
    given, client = record(), signed_in(tao)
    assert client.get("/review/").status_code == 403
    assert client.get(address("", given)).status_code == 403
    assert client.post(address("decide", given), form(given)).status_code == 403


def test_what_is_not_a_field_is_ignored(lin: User, mei: User) -> None:
    given = record()
    forged = {"state": "approved", "human_verified": "1", "reviewer": mei.pk, "source_id": 1, "kind": "settle"}
    signed_in(lin).post(address("decide", given), form(given, "reject", reason="差", **forged))
    decision = Decision.objects.get()
    assert (decision.reviewer, decision.kind, reload(given).state) == (lin, "review", State.REJECTED)


@pytest.mark.parametrize(("headers", "status"), [({}, 302), (HTMX, 200)])
def test_a_stranger_comes_back_to_the_page_and_not_to_the_action(headers: dict[str, str], status: int) -> None:
    given, client = record(), Client()
    page = f"http://testserver{address('', given)}?source=mba"
    came = headers | {"Referer": page, "HX-Current-URL": page}
    answer = client.post(address("decide", given), form(given), headers=came)
    assert answer.status_code == status
    goes_to = answer["HX-Redirect"] if headers else answer["Location"]
    assert goes_to == f"/account/login/?next={address('', given)}%3Fsource%3Dmba"


@pytest.mark.parametrize("page", ["http://evil.example/x", "//evil.example", "javascript:alert(1)", ""])
def test_a_stranger_is_sent_to_no_foreign_page(page: str) -> None:
    answer = Client().post("/review/next/", headers=HTMX | {"HX-Current-URL": page})
    assert answer["HX-Redirect"] == "/account/login/?next=/"


def test_pages_speak_both_languages(lin: User) -> None:
    client = signed_in(lin)
    for code, word in (("zh-hans", "审核"), ("en", "Review")):
        answer = client.post("/account/language/", {"language": code}, headers={"Referer": "http://testserver/"})
        assert answer["Location"] == "http://testserver/"
        assert word in client.get("/").content.decode()
