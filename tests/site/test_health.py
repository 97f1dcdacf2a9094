from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from cqia_site import health
from cqia_site.celery import app
from review.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def test_alive_asks_nobody() -> None:
    with patch.object(connection, "cursor", side_effect=OperationalError("away")):
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_ready_names_what_is_there() -> None:
    with patch.dict(health.CHECKS, {"broker": lambda: True, "worker": lambda: True}):
        answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"database": True, "migrations": True, "broker": True, "worker": True}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("missing", ["database", "migrations", "broker", "worker"])
def test_not_ready_while_anything_is_missing(missing: str) -> None:
    states = {name: (lambda name=name: name != missing) for name in health.CHECKS}
    with patch.dict(health.CHECKS, states):
        answer = Client(raise_request_exception=False).get("/readyz")
    assert answer.status_code == 503
    assert [name for name, state in answer.json().items() if not state] == [missing]


def test_a_database_that_is_away_is_neither_there_nor_migrated() -> None:
    with patch.object(connection, "cursor", side_effect=OperationalError("away")):
        assert not health.has_database()
        assert not health.is_migrated()


def test_a_broker_that_is_away_has_no_worker() -> None:
    with (
        patch.object(app, "connection_for_write", side_effect=OSError("away")),
        patch.object(app.control, "ping", side_effect=OSError("away")),
    ):
        assert not health.has_broker()
        assert not health.has_worker()


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_is_read_only(address: str) -> None:
    assert Client().post(address).status_code == 405


# While the database is away


def test_a_page_answers_503_while_the_database_is_away(lin: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(lin)
    with patch("review.waiting.waiting_for", side_effect=OperationalError("away")):
        answer = client.get(reverse("review:queue"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"<form" not in answer.content


def test_a_failure_before_the_view_answers_503_as_well(lin: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(lin)
    with patch("django.contrib.sessions.backends.db.SessionStore.load", side_effect=OperationalError("away")):
        assert client.get("/").status_code == 503


def test_another_failure_answers_500_with_a_page(lin: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(lin)
    with patch("review.waiting.waiting_for", side_effect=ValueError("a bug")):
        answer = client.get(reverse("review:queue"))
    assert answer.status_code == 500
    assert b"a bug" not in answer.content


def test_a_form_without_a_token_is_refused_with_a_way_on(lin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(lin)
    answer = client.post("/review/next/")
    assert answer.status_code == 403
    assert b'href="/"' in answer.content


def test_an_unknown_address_answers_404_to_everybody(lin: User) -> None:
    client = Client()
    assert client.get("/no/such/page/").status_code == 404
    client.force_login(lin)
    assert client.get("/no/such/page/").status_code == 404
