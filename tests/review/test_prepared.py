"""What is asked at every turn of the queue: how many statements, and that the server keeps them prepared."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.urls import reverse

from review.models import Decision, Record, Role, User, Verdict
from review.prepared import STAND_IN, Prepared, answer, insert
from tests.factories import add_records, candidate, record
from tests.review.reviewing import HTMX, address, form, signed_in

pytestmark = pytest.mark.django_db

AT_MOST = 17
"""Statements from a decision to the next record on the page, the session, the person and two of the test among them."""


def test_deciding_and_getting_the_next_takes_few_statements(lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = add_records("ruozhiba", [candidate() for _number in range(3)])
    first, second, third = Record.objects.filter(batch=batch).select_related("revision").order_by("pk")
    browser = signed_in(lin)
    browser.post(reverse("review:next"), headers=HTMX)
    browser.post(address("decide", first), form(first), headers=HTMX)
    said, sent = form(second), list[str]()
    execute = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(query.decode() if isinstance(query, bytes) else str(query))
        return execute(cursor, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    answered = browser.post(address("decide", second), said, headers=HTMX)
    assert f'data-record="{third.pk}"' in answered.content.decode()
    assert len(sent) <= AT_MOST, [" ".join(statement.split())[:80] for statement in sent]


def test_the_server_keeps_the_statements_prepared_and_plans_each_once(lin: User) -> None:
    given = record()
    browser = signed_in(lin)
    browser.post(reverse("review:next"), headers=HTMX)
    browser.post(address("decide", given), form(given), headers=HTMX)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement, custom_plans FROM pg_prepared_statements")
        kept = dict(cursor.fetchall())
    reading = ("FROM review_gold", 'FROM "review_record"', 'FROM "django_session"')
    writing = ("INTO review_claim", "INTO review_decision", "UPDATE review_record", "FROM review_draft")
    for part in (*reading, *writing):
        assert any(part in statement for statement in kept), part
    assert set(kept.values()) == {0}


def test_a_prepared_query_gives_what_the_query_gives() -> None:
    given = record()
    related = ("revision", "source__rights", "rights")
    asked = Prepared(lambda pk: Record.objects.select_related(*related).filter(pk=pk), STAND_IN)
    found, meant = asked.first(given.pk), Record.objects.select_related(*related).get(pk=given.pk)
    assert found is not None
    assert vars(found).keys() == vars(meant).keys()
    for name in ("revision", "source"):
        one, other = getattr(found, name), getattr(meant, name)
        assert {f.name: getattr(one, f.attname) for f in one._meta.concrete_fields} == {
            f.name: getattr(other, f.attname) for f in other._meta.concrete_fields
        }
    assert (found.rights, found.verdict_id) == (meant.rights, meant.verdict_id)
    assert asked.first(2**100) is None


def test_an_inserted_row_is_the_one_that_lies_there(lin: User) -> None:
    given, request_id = record(), uuid4()
    decision = Decision(
        record=given,
        revision=given.revision,
        seen_revision=given.revision,
        reviewer=lin,
        role=Role.REVIEWER,
        verdict=Verdict.ESCALATE,
        reason="这里的“%s”指什么？",
        round=given.round,
        request_id=request_id,
    )
    insert(decision)
    found = Decision.objects.get(request_id=request_id)
    fields = [field.attname for field in Decision._meta.concrete_fields]
    assert {name: getattr(decision, name) for name in fields} == {name: getattr(found, name) for name in fields}
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(Decision(**{name: getattr(found, name) for name in fields if name not in {"id", "at", "approves"}}))


def test_errors_are_those_of_django() -> None:
    with pytest.raises(DataError):
        answer("SELECT 1 / %s", [0])
