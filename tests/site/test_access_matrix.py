"""Every address, with every method, as everybody, against the tables of docs/roles.md."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from cqia_site import health
from exports.tokens import create_token
from review.models import Scope, User
from tests.addresses import METHODS, Address, addresses, filled, row_of, rows

pytestmark = [pytest.mark.django_db, pytest.mark.core, pytest.mark.attack]

ROLES = {
    "stranger": "",
    "reviewer": "lin",
    "settler": "shen",
    "consumer": "tao",
    "manager": "gao",
    "administrator": "zhou",
}
TOKENS = ("no token", *Scope.values)


def test_every_address_stands_in_a_table_under_its_name() -> None:
    missing = [f"| `{given.address}` | `{given.name}` |" for given in addresses() if row_of(given) is None]
    assert not missing, "Say in docs/roles.md who may use these:\n" + "\n".join(missing)
    wrong = [given for given in addresses() if not fnmatchcase(given.name, row_of(given).name)]  # type: ignore[union-attr]
    assert not wrong


def test_every_row_is_an_address() -> None:
    known = list(addresses())
    idle = [row.address for row in rows() if not any(row_of(address) == row for address in known)]
    assert not idle


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    """Ask no worker whether it is there, write no file where others look, and count no attempts."""
    monkeypatch.setattr(health, "CHECKS", {})
    settings.ACCOUNT_RATE_LIMITS = False
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"


class Bearer:
    """Somebody who asks, the same before each request: whatever a request does is undone."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cookies = client.cookies.copy()

    def ask(self, method: str, address: str) -> Any:
        self.client.cookies = self.cookies.copy()
        with transaction.atomic():
            answer = self.client.generic(method, address)
            transaction.set_rollback(True)
        return answer


def is_let_in(answer: Any) -> bool:
    """Tell whether a request got past the question who asks; an error of the server is neither yes nor no."""
    assert answer.status_code < 500, answer.content.decode()[:2000]
    sent_to_sign_in = answer.status_code == 302 and answer.url.startswith(("/account/login/?next", "/admin/login/"))
    return answer.status_code not in {401, 403, 405} and not sent_to_sign_in


def differences(bearer: Bearer, column: str, chosen: list[Address], parameters: Mapping[str, Any]) -> list[str]:
    """Return what the application answers otherwise than the table says."""
    found = []
    for given in chosen:
        row = row_of(given)
        assert row is not None
        for method in METHODS:
            answer = bearer.ask(method, filled(given.address, parameters))
            if is_let_in(answer) != (method in row.allowed[column]):
                found.append(f"{column}: {method} {given.address} ({given.name}) is answered {answer.status_code}")
    return found


@pytest.mark.parametrize("role", ROLES)
def test_41_pages_let_in_whom_the_table_names(role: str, parameters: Mapping[str, Any], request: Any) -> None:
    client = Client(raise_request_exception=False)
    if ROLES[role]:
        client.force_login(request.getfixturevalue(ROLES[role]))
    pages = [given for given in addresses() if role in getattr(row_of(given), "allowed", {})]
    assert len(pages) > 100
    found = differences(Bearer(client), role, pages, parameters)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scope", TOKENS)
def test_41_the_api_lets_in_whom_the_table_names(scope: str, parameters: Mapping[str, Any], gao: User) -> None:
    client = Client(raise_request_exception=False)
    if scope == "no token":
        client.force_login(gao)
    else:
        _token, secret = create_token(user=gao, scopes=[scope])
        client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {secret}"})
    api = [given for given in addresses() if scope in getattr(row_of(given), "allowed", {})]
    assert api
    found = differences(Bearer(client), scope, api, parameters)
    assert not found, "\n".join(found)
