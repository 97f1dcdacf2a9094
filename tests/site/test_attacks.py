"""Attacks on pages and API, each under its number in the list of bad inputs and attacks."""

import inspect
import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse
from django.utils import translation
from pytest_django import Settings

from cqia_site import health
from exports.filters import RecordFilters
from exports.tokens import create_token
from review import claims, decisions, takedowns
from review.forms import LABELS, started_now
from review.models import Decision, Record, Source, State, Token, User, Withdrawal
from review.refused import Refused
from review.tracing import Asked
from review.views.desk import shown
from tests.accounts import give_password, text_of
from tests.addresses import addresses, filled, row_of
from tests.factories import approve, judgement, record

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
OPEN_TO_STRANGERS = {
    "account_login",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "alive",
    "ready",
}
VERBS = ("claim", "decide", "skip", "release", "draft")


@pytest.fixture(autouse=True)
def _english(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(health, "CHECKS", {})
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def browser(person: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(person)
    return client


def bearer(person: User, *scopes: str) -> Client:
    _token, secret = create_token(user=person, scopes=scopes)
    return Client(headers={"authorization": f"Bearer {secret}"})


def decision_form(given: Record, **changes: Any) -> dict[str, Any]:
    """All that the workbench sends for a record."""
    fields: dict[str, Any] = {
        **shown(given, given.revision),
        "seen_revision": given.revision_id,
        "request_id": uuid4(),
        "started": started_now(given.pk),
        "verdict": "approve",
    }
    return fields | {name: fields[name].split("\n") for name in LABELS} | changes


def on_record(given: Record, verb: str) -> str:
    return reverse(f"review:record-{verb}", args=[given.pk])


def test_39_a_stranger_sees_only_the_way_in_and_whether_the_system_lives(parameters: Any) -> None:
    client = Client()
    seen = {given.name for given in addresses() if client.get(filled(given.address, parameters)).status_code == 200}
    assert seen == OPEN_TO_STRANGERS
    sheet = client.get("/static/cqia/app.css")
    assert (sheet.status_code, b"".join(sheet.streaming_content)[:2]) == (200, b"/*")


def test_40_a_limited_reviewer_meets_no_other_source_anywhere(
    lin: User, mei: User, ruozhiba: Source, law_gee: Source
) -> None:
    hidden = record("law-gee", instruction="不许外传的问题")
    decided = approve(record("law-gee", instruction="不许外传的问题之二"), mei)
    lin.sources.set([ruozhiba])
    client = browser(lin)
    for headers in ({}, HTMX):
        for address in (f"/review/records/{hidden.pk}/", f"/review/sources/{law_gee.slug}/"):
            assert client.get(address, headers=headers).status_code == 404
        for verb in VERBS:
            assert client.post(on_record(hidden, verb), decision_form(hidden), headers=headers).status_code == 404
        assert client.post(f"/review/decisions/{decided.pk}/undo/", headers=headers).status_code == 404
    held = claims.claim_record(by=mei, record=hidden)
    assert client.post(f"/review/claims/{held.token}/extend/").status_code == 409
    assert client.post("/review/next/", {"source": "law-gee"}).url == "/review/?source=law-gee"
    for page in ("/", "/review/", "/review/?source=law-gee", "/review/sources/"):
        assert "不许外传" not in text_of(client.get(page))
    assert not Decision.objects.filter(reviewer=lin).exists()


def test_40_a_source_that_is_hidden_cannot_be_told_from_one_that_is_not(lin: User, ruozhiba: Source) -> None:
    hidden = record("law-gee")
    lin.sources.set([ruozhiba])
    client = browser(lin)
    assert text_of(client.get(f"/review/records/{hidden.pk}/")) == text_of(client.get("/review/records/987654321/"))


def test_42_fields_that_no_form_has_are_not_taken(lin: User, gao: User, tao: User, mei: User) -> None:
    given = record(answer_from="")
    claims.claim_record(by=lin, record=given)
    forged = {
        "state": "approved",
        "verified_by": mei.pk,
        "human_verified": "true",
        "source": "law-gee",
        "source_id": 1,
        "reviewer": mei.pk,
        "kind": "settle",
        "is_staff": "on",
        "is_superuser": "on",
        "password": "x",
    }
    browser(lin).post(on_record(given, "decide"), decision_form(given, verdict="reject", reason="差") | forged)
    decision = Decision.objects.get()
    after = Record.objects.get(pk=given.pk)
    assert (decision.reviewer, decision.kind, decision.approves) == (lin, "review", False)
    assert (after.state, after.human_verified, after.source_id) == (State.REJECTED, False, given.source_id)
    before = mei.password
    for verb in ("change-roles", "change-details", "limit-sources"):
        browser(gao).post(f"/review/people/{mei.pk}/{verb}/", {"name": "mei", "roles": ["reviewer"]} | forged)
    browser(mei).post("/account/language/", {"language": "en"} | forged)
    mei.refresh_from_db()
    assert (mei.is_staff, mei.is_superuser, mei.password) == (False, False, before)
    browser(tao).post(
        "/exports/tokens/create/", {"scopes": ["ingest:write", "export:internal"], "days": 9, "user": "gao"}
    )
    assert not Token.objects.filter(user=gao).exists()
    assert not Token.objects.exclude(scopes=["export:read"]).exists()


def test_42_a_manager_makes_nobody_an_administrator(gao: User, lin: User) -> None:
    answer = browser(gao).post(f"/review/people/{lin.pk}/change-roles/", {"is_administrator": "on"})
    assert answer.status_code == 403
    answer = browser(gao).post("/review/people/invite/", {"name": "xu", "is_administrator": "on"})
    assert answer.status_code == 403
    assert not User.objects.filter(is_superuser=True).exists()


GUESSES = {"reviewer__password__startswith": "a", "by__password__startswith": "a", "user__password__gt": "a"}


def test_43_no_filter_reaches_into_other_tables(gao: User, tao: User) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for name, value in GUESSES.items():
            assert bearer(tao, "export:read").get("/api/v1/export/records.jsonl", {name: value}).status_code == 400
            assert browser(gao).get("/admin/review/decision/", {name: value}).status_code in {302, 400}
            for page in ("/review/", "/review/people/", "/review/sources/", "/ingest/", "/exports/"):
                assert browser(gao).get(page, {name: value}).status_code == 200
    assert not any('password" LIKE' in query["sql"] or 'password" >' in query["sql"] for query in queries)


@pytest.mark.parametrize("query", [{"ordering": "user__password"}, {"o": "user__password"}, {"page_size": "9" * 10}])
def test_43_no_order_reaches_into_other_tables(gao: User, tao: User, query: dict[str, str]) -> None:
    assert bearer(tao, "export:read").get("/api/v1/export/records.jsonl", query).status_code == 400
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert browser(gao).get("/admin/review/decision/", query).status_code < 500
    assert not any(
        "ORDER BY" in query["sql"] and "password" in query["sql"].partition("ORDER BY")[2] for query in queries
    )


@pytest.mark.parametrize("page", ["1e9999", "-1", "0", "999999999999999999999999", "x", "1.5", "\x00"])
def test_44_numbers_out_of_bounds_are_bounded(gao: User, page: str) -> None:
    client = browser(gao)
    assert client.get("/review/people/", {"page": page}).status_code == 200
    assert client.get("/admin/review/record/", {"p": page, "id": page}).status_code < 500
    assert client.get("/ingest/", {"page": page}).status_code < 500
    assert client.get(f"/review/records/{'9' * 30}/").status_code == 404
    assert client.post(f"/review/decisions/{'9' * 30}/undo/").status_code == 404


UNFIT = {"nul": "a\x00", "huge": "9" * 40, "neither": "-1\x00e9999"}


def read_by(address: str) -> list[str]:
    """Name what the views of a page's module read from an address or a form without a form's checks."""
    source = inspect.getsource(inspect.getmodule(inspect.unwrap(resolve(address).func)))
    return sorted(set(re.findall(r'request\.(?:GET|POST)\b[^"\n]*"(\w+)"', source)))


@pytest.mark.parametrize("unfit", UNFIT)
@pytest.mark.parametrize("role", ["zhou", "shen"])
def test_44_no_page_fails_at_a_value_that_cannot_be_stored(
    unfit: str, role: str, parameters: Any, request: pytest.FixtureRequest
) -> None:
    client = browser(request.getfixturevalue(role), raise_request_exception=False)
    asked, failed = 0, []
    for given in addresses():
        address = filled(given.address, parameters)
        if address.startswith("/admin/") or client.get(address).status_code != 200:
            continue
        for name in read_by(address):
            asked += 1
            if client.get(address, {"kind": "source", name: UNFIT[unfit]}).status_code >= 500:
                failed.append(f"{address}?{name}")
    assert asked > 20
    assert failed == []


@pytest.mark.parametrize("unfit", UNFIT)
def test_44_no_stream_fails_at_a_value_that_cannot_be_stored(unfit: str, tao: User) -> None:
    client = bearer(tao, "export:read")
    for stream, names in (("records", ["cursor", *RecordFilters.base_filters]), ("changes", ["cursor"])):
        for name in ("policy", *names):
            assert client.get(f"/api/v1/export/{stream}.jsonl", {name: UNFIT[unfit]}).status_code in {200, 400}


def test_44_a_sentence_with_a_character_that_cannot_be_stored_is_kept_without_it(gao: User, lin: User) -> None:
    takedown = takedowns.request(by=gao, requester="甲", ground="乙", asked=Asked(passages=("丙丙丙丙丙丙丙丙",)))
    answer = browser(gao).post(f"/review/takedowns/{takedown.pk}/reverse/", {"note": "误\x00报"})
    assert (answer.status_code, takedown.steps.get(state="reversed").note) == (303, "误报")
    given = record()
    first = given.revision_id
    approve(given, lin, output="改过的回答。")
    answer = browser(gao).post(f"/review/records/{given.pk}/restore/", {"revision": first, "reason": "原来\x00的好"})
    assert answer.status_code == 303
    assert Withdrawal.objects.get().reason == "原来的好"


@pytest.mark.parametrize("wanted", ["%", "_", "\\", "%%", "a" * 1_000_000, "\x00", "'", '"', "*", "("])
def test_44_what_is_searched_is_searched_for_literally(gao: User, tao: User, wanted: str) -> None:
    client = browser(gao)
    answer = client.get("/review/people/", {"q": wanted})
    assert answer.status_code == 200
    assert (">tao<" in text_of(answer)) == (len(wanted) > 100 or wanted == "\x00")
    assert client.get("/admin/review/source/", {"q": wanted}).status_code < 500
    assert client.get("/review/", {"source": wanted}).status_code == 200
    assert bearer(tao, "export:read").get("/api/v1/export/records.jsonl", {"domain": wanted}).status_code < 500


INJECTIONS = [
    "'; DROP TABLE review_record; --",
    "' OR '1'='1",
    "\\'; SELECT pg_sleep(5); --",
    "$$; SELECT 1; $$",
    "(a+)+$",
    "(" * 50,
    "a" * 99 + "!",
    "{{7*7}}",
]


@pytest.mark.parametrize("wanted", INJECTIONS)
def test_45_a_search_is_neither_sql_nor_a_pattern(gao: User, tao: User, wanted: str) -> None:
    given, client, consumer = record(), browser(gao), bearer(tao, "export:read")
    client.get("/review/people/")
    for address in ("/review/people/", "/admin/review/source/", "/admin/review/user/"):
        started = time.perf_counter()
        answer = client.get(address, {"q": wanted})
        assert time.perf_counter() - started < 1
        assert answer.status_code == 200
        assert "law-gee" not in text_of(answer)
    for name in ("source", "major", "minor", "domain", "licence", "verified_after", "format", "policy"):
        assert consumer.get("/api/v1/export/records.jsonl", {name: wanted}).status_code in {200, 400}
    assert Record.objects.filter(pk=given.pk).exists()


def test_46_a_form_from_elsewhere_is_refused(lin: User, gao: User) -> None:
    given = record()
    for person, address in (
        (lin, on_record(given, "claim")),
        (gao, f"/review/people/{lin.pk}/disable/"),
        (lin, "/account/logout/"),
    ):
        client = browser(person, enforce_csrf_checks=True)
        assert client.post(address).status_code == 403
        token = client.get("/").context["csrf_token"]
        elsewhere = client.post(address, {"csrfmiddlewaretoken": token}, headers={"Origin": "https://evil.example"})
        assert elsewhere.status_code == 403
        assert "out of date" in text_of(elsewhere)
    lin.refresh_from_db()
    assert lin.is_active
    assert claims.current_claim(by=lin) is None


def test_46_a_login_from_elsewhere_is_refused(lin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/account/login/", {"login": "lin", "password": "x"}).status_code == 403


@pytest.mark.parametrize("method", ["get", "head"])
def test_47_nothing_is_changed_by_reading(zhou: User, parameters: Any, method: str) -> None:
    client = browser(zhou)
    actions = [given for given in addresses() if {"POST"} == getattr(row_of(given), "allowed", {}).get("administrator")]
    assert len(actions) > 20
    for given in actions:
        assert getattr(client, method)(filled(given.address, parameters)).status_code == 405, given


@pytest.mark.parametrize("method", ["get", "post"])
def test_48_htmx_is_told_to_go_to_the_sign_in_page(lin: User, method: str) -> None:
    given, client = record(), browser(lin)
    client.session.flush()
    page = f"http://testserver/review/records/{given.pk}/?source=ruozhiba"
    address = page if method == "get" else on_record(given, "decide")
    answer = getattr(client, method)(address, headers=HTMX | {"HX-Current-URL": page})
    assert answer["HX-Redirect"] == f"/account/login/?next=/review/records/{given.pk}/%3Fsource%3Druozhiba"
    assert (answer.status_code, answer.content) == (200, b"")


def test_49_the_same_form_again_has_the_same_result_once(lin: User) -> None:
    given, client = record(), browser(lin)
    claims.claim_record(by=lin, record=given)
    form = decision_form(given)
    answers = [client.post(on_record(given, "decide"), form) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert Decision.objects.count() == 1
    other = browser(lin).post(on_record(given, "decide"), form | {"verdict": "reject", "reason": "差"})
    assert Decision.objects.get().verdict == "approve"
    assert other.status_code < 500


def test_52_no_state_is_skipped(lin: User, mei: User, shen: User, gao: User) -> None:
    approved = record()
    approve(approved, lin)
    client = browser(mei)
    assert client.post(on_record(approved, "claim")).status_code == 409
    again = client.post(on_record(approved, "decide"), decision_form(Record.objects.get(pk=approved.pk)))
    assert again.status_code == 409
    with pytest.raises(Refused):
        decisions.decide(by=shen, record=approved.pk, judgement=judgement(approved))
    assert browser(gao).post("/exports/v9/build/").status_code == 404
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml", ""])
def test_55_the_api_answers_with_json_whatever_is_asked_for(tao: User, accept: str) -> None:
    consumer, stranger = bearer(tao, "export:read"), Client()
    answers = [
        stranger.get("/api/v1/releases/", headers={"accept": accept}),
        consumer.get("/api/v1/releases/", headers={"accept": accept}),
        consumer.get("/api/v1/releases/nowhere/", headers={"accept": accept}),
        consumer.get("/api/v1/export/records.jsonl?no=such", headers={"accept": accept}),
        consumer.post("/api/v1/releases/", b"<b>", content_type="text/html", headers={"accept": accept}),
    ]
    assert [answer.status_code for answer in answers] == [401, 200, 404, 400, 405]
    assert {answer["Content-Type"] for answer in answers} == {"application/json"}
    assert {answer["X-Content-Type-Options"] for answer in answers} == {"nosniff"}


def test_55_every_answer_says_what_it_is_and_may_do(gao: User) -> None:
    client = browser(gao)
    for address in ("/", "/review/", "/admin/", "/admin/review/record/", "/nowhere/", "/healthz", "/account/login/"):
        headers = client.get(address).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy


ELSEWHERE = [
    "//evil.example",
    "https://evil.example/",
    "http:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://testserver@evil.example/",
    "//testserver.evil.example",
    " //evil.example",
    "\t//evil.example",
    "http://testserver:99@evil.example",
    "///evil.example",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_56_no_page_leads_elsewhere(lin: User, settings: Settings, target: str) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    give_password(lin, "x")
    signed_in = Client()
    came = [
        signed_in.post("/account/login/", {"login": "lin", "password": "x", "next": target}),
        signed_in.get("/account/login/", {"next": target}),
        signed_in.post("/account/language/", {"language": "en", "next": target}),
        signed_in.post("/account/confirm/", {"password": "x", "next": target}),
        signed_in.post("/account/logout/", {"next": target}),
        Client().get("/admin/login/", {"next": target}),
    ]
    for answer in came:
        assert answer.status_code == 302
        assert answer.url.startswith("/")
        assert "evil" not in answer.url.partition("?")[0]
        assert not answer.url.startswith(("//", "/\\"))
    sign_in_page = Client().get(came[-1].url)
    assert sign_in_page.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "a b", ""])
def test_57_another_host_is_refused(host: str) -> None:
    answer = Client(headers={"host": host}).get("/account/login/")
    assert answer.status_code == 400
    assert "evil" not in text_of(answer)
    assert answer["Content-Security-Policy"]


def test_57_what_a_stranger_says_of_proxies_is_ignored(lin: User, gao: User, settings: Settings) -> None:
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
    answer = browser(gao, headers=forwarded).post(f"/review/people/{lin.pk}/make-link/")
    assert "http://testserver/account/password/choose/" in text_of(answer)
    assert "evil" not in text_of(answer)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    answers = [
        Client(headers={"X-Forwarded-For": f"10.0.0.{number}"}).post(
            "/account/login/", {"login": f"p{number}", "password": "x"}
        )
        for number in range(12)
    ]
    assert "Too many attempts" in text_of(answers[-1])
