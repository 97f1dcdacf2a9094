"""Who may read: tokens, their scopes, and everything that is not quite a token."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from exports.tokens import create_token
from review.models import Scope, Token, User
from review.refused import Refused
from tests.exports.conftest import client_of

pytestmark = pytest.mark.django_db
ADDRESSES = (
    "/api/v1/export/records.jsonl",
    "/api/v1/releases/",
    "/api/v1/releases/v1/",
    "/api/v1/releases/v1/files/manifest.json",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_nobody_reads_anything(address: str) -> None:
    answer = Client().get(address)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/json")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("address", ADDRESSES)
def test_session_is_no_token(address: str, gao: User) -> None:
    client = Client()
    client.force_login(gao)
    assert client.get(address).status_code == 401


@pytest.mark.parametrize("address", ADDRESSES)
def test_token_of_another_scope_is_forbidden(address: str, gao: User) -> None:
    assert client_of(gao, Scope.INGEST_WRITE).get(address).status_code == 403


def test_token_for_internal_releases_reads_the_published_ones_too(tao: User) -> None:
    assert client_of(tao, Scope.EXPORT_INTERNAL).get("/api/v1/releases/").status_code == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_but_reading_is_possible(address: str, consumer: Client) -> None:
    for method in (consumer.post, consumer.put, consumer.patch, consumer.delete):
        assert method(address).status_code == 405


@pytest.mark.parametrize("word", ["Bearer", "bearer", "Token", "TOKEN"])
def test_token_follows_either_word(tao: User, word: str) -> None:
    _token, secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    assert Client(headers={"authorization": f"{word} {secret}"}).get("/api/v1/releases/").status_code == 200


ODD = (
    "Bearer",
    "Bearer ",
    "Bearer a b",
    "Bearer \u00ff\u00fe",
    "Bearer ../../x",
    "Bearer " + "0" * 70_000,
    "Basic eDp5",
    "x",
)


@pytest.mark.parametrize("header", ODD, ids=lambda header: header[:12])
def test_odd_header_is_answered_with_401(header: str) -> None:
    answer = Client().get("/api/v1/releases/", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/json")


def test_wrong_token_is_refused(tao: User) -> None:
    _token, secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    wrong = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    assert Client(headers={"authorization": f"Bearer {wrong}"}).get("/api/v1/releases/").status_code == 401


def test_token_in_the_address_is_no_token(tao: User) -> None:
    _token, secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    for name in ("token", "access_token", "auth", "authorization"):
        assert Client().get("/api/v1/releases/", {name: secret}).status_code == 401


def test_token_that_has_run_out_is_refused(tao: User) -> None:
    client = client_of(tao, Scope.EXPORT_READ)
    Token.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/releases/").status_code == 401


def test_revoked_token_is_refused(tao: User) -> None:
    client = client_of(tao, Scope.EXPORT_READ)
    Token.objects.all().delete()
    assert client.get("/api/v1/releases/").status_code == 401


def test_token_dies_with_its_person(tao: User) -> None:
    client = client_of(tao, Scope.EXPORT_READ)
    User.objects.filter(pk=tao.pk).update(is_active=False)
    assert client.get("/api/v1/releases/").status_code == 401


def test_database_keeps_nothing_that_opens(tao: User) -> None:
    token, secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    kept = " ".join(str(value) for value in Token.objects.values_list().get(pk=token.pk))
    assert secret not in kept


def test_token_is_good_as_long_as_the_settings_say(tao: User) -> None:
    token, _secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    assert token.expiry is not None
    assert timedelta(days=89) < token.expiry - timezone.now() <= timedelta(days=90)


@pytest.mark.parametrize("scopes", [[], ["export:everything"], ["export:read", ""]])
def test_create_token_without_known_scope_is_refused(tao: User, scopes: list[str]) -> None:
    with pytest.raises(Refused, match="export:read"):
        create_token(user=tao, scopes=scopes)


@pytest.mark.parametrize("days", [0, -1, 10_000_000])
def test_create_token_for_odd_time_is_refused(tao: User, days: int) -> None:
    with pytest.raises(Refused, match="days"):
        create_token(user=tao, scopes=["export:read"], days=days)
