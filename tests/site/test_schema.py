"""The description of the API: complete, true, and shown to those who are signed in under the strict policy."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from review.models import User
from tests.addresses import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def described(client: Client) -> Any:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    return json.loads(answer.content)


def test_every_address_of_the_api_is_described(client: Client, lin: User) -> None:
    client.force_login(lin)
    paths = described(client)["paths"]
    known = {re.sub(r"\{.*?\}", "*", path) for path in paths}
    wanted = {re.sub(r"<.*?>", "*", given.address) for given in addresses() if given.address.startswith("/api/v1/")}
    assert known == wanted


def test_description_is_openapi_3_without_a_warning(client: Client, lin: User) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS  # noqa: PLC0415
    from drf_spectacular.validation import validate_schema  # noqa: PLC0415

    client.force_login(lin)
    with GENERATOR_STATS.silence():
        said = described(client)
    assert str(said["openapi"]).startswith("3.")
    validate_schema(said)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS


def test_operations_name_their_errors_and_the_token(client: Client, lin: User) -> None:
    client.force_login(lin)
    for path, operations in described(client)["paths"].items():
        for method, operation in operations.items():
            assert {"401", "403"} <= set(operation["responses"]), (path, method)
            assert operation["security"] == [{"token": []}], (path, method)


def test_strangers_see_neither(client: Client) -> None:
    for address in ("/api/schema/", "/api/docs/"):
        assert client.get(address).status_code == 302


def test_page_keeps_the_strict_policy(client: Client, lin: User) -> None:
    """Nothing in it is inline, and nothing comes from elsewhere."""
    client.force_login(lin)
    answer = client.get("/api/docs/")
    text = answer.content.decode()
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == re.findall(r"<style|\son\w+=|\sstyle=", text) == []
    assert all(address.startswith("/") for address in re.findall(r'(?:src|href)="([^"]*)"', text))
    script = client.get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
