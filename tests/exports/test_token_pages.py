import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from exports.tokens import create_token
from review.models import Token, User
from tests.exports.conftest import Approved, built

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db]

TOKENS, CREATE = "/exports/tokens/", "/exports/tokens/create/"


@pytest.fixture(autouse=True)
def _whole_site(release_root: Path, settings: Settings) -> None:
    """All addresses of the site."""
    settings.ROOT_URLCONF = "cqia_site.urls"


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def manager(gao: User) -> Client:
    return signed_in(gao)


@pytest.fixture
def reader(tao: User) -> Client:
    return signed_in(tao)


def make(client: Client, **said: Any) -> "Answer":
    return client.post(CREATE, {"scopes": ["export:read"], "days": "30"} | said)


def test_token_is_shown_once_and_works(manager: Client, tao: User, approved: Approved) -> None:
    approved()
    built()
    answer = make(manager, user="tao", note="训练机")
    assert (answer.status_code, answer["Location"]) == (303, TOKENS)
    assert "no-store" in answer["Cache-Control"]
    first = manager.get(TOKENS)
    found = re.search(r'id="secret"[^>]*>(\w+)<', first.content.decode())
    assert found
    token = Token.objects.get()
    assert (token.user, token.scopes, token.note) == (tao, ["export:read"], "训练机")
    assert token.expiry is not None
    assert timedelta(days=29) < token.expiry - timezone.now() <= timedelta(days=30)
    again = manager.get(TOKENS).content.decode()
    assert 'id="secret"' not in again
    assert found[1] not in again
    assert f"{found[1][:8]}…" in again
    program = Client(headers={"authorization": f"Bearer {found[1]}"})
    assert program.get("/api/v1/releases/").status_code == 200
    manager.post(reverse("exports:token-revoke", args=[token.token_key]))
    assert program.get("/api/v1/releases/").status_code == 401


def test_token_travels_in_a_cookie_that_scripts_and_other_pages_do_not_see(manager: Client) -> None:
    cookie = make(manager).cookies["new-token"]
    assert cookie["httponly"]
    assert (cookie["path"], cookie["samesite"]) == (TOKENS, "Strict")
    assert manager.get(TOKENS).cookies["new-token"]["max-age"] == 0
    manager.cookies["new-token"] = "forged:1:x"
    assert 'id="secret"' not in manager.get(TOKENS).content.decode()


@pytest.mark.parametrize(
    "said",
    [
        {"scopes": []},
        {"scopes": ["admin"]},
        {"days": "0"},
        {"days": "4000"},
        {"days": "x"},
        {"user": "nobody"},
        {"note": "a\u202eb"},
    ],
)
def test_token_that_makes_no_sense_is_refused_beside_its_field(manager: Client, said: dict[str, Any]) -> None:
    answer = make(manager, **said)
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert not Token.objects.exists()


def test_consumers_make_tokens_for_themselves_to_read(reader: Client, tao: User, gao: User) -> None:
    assert make(reader).status_code == 303
    assert Token.objects.get().user == tao
    for said in ({"scopes": ["export:internal"]}, {"scopes": ["export:read", "ingest:write"]}, {"user": "gao"}):
        assert make(reader, **said).status_code == 422
    assert Token.objects.count() == 1
    shown = reader.get(TOKENS).content.decode()
    assert "export:internal" not in shown
    assert 'name="user"' not in shown


def test_consumers_see_and_revoke_only_their_own_tokens(reader: Client, tao: User, gao: User, manager: Client) -> None:
    own, _secret = create_token(user=tao, scopes=["export:read"])
    other, _secret = create_token(user=gao, scopes=["export:read"])
    shown = reader.get(TOKENS).content.decode()
    assert own.token_key[:8] in shown
    assert other.token_key[:8] not in shown
    assert reader.post(reverse("exports:token-revoke", args=[other.token_key])).status_code == 404
    assert reader.post(reverse("exports:token-revoke", args=[own.token_key])).status_code == 303
    assert list(Token.objects.all()) == [other]
    assert other.token_key[:8] in manager.get(TOKENS).content.decode()


def test_tokens_are_never_kept_by_a_browser(manager: Client) -> None:
    assert "no-store" in manager.get(TOKENS)["Cache-Control"]
