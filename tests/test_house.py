"""Rules of the whole application."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from django.utils.regex_helper import normalize

from review.models import User
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.django_db

OPEN_TO_STRANGERS = {
    "/account/login/",
    "/account/password/forgotten/",
    "/account/password/sent/",
    "/account/password/chosen/",
    "/account/password/choose/1-a-1-a/",
    "/healthz",
    "/readyz",
}
"""What answers a stranger with a page; everything else sends them to sign in, or refuses."""

VERBS = {"claim", "decide", "draft", "extend", "language", "logout", "next", "release", "skip", "undo"}
"""Last words of addresses that do something: only a form may reach them."""

SAMPLES = {"int": "1", "uuid": "00000000-0000-4000-8000-000000000000", "slug": "zhihu", "str": "x", "path": "x"}
UNKNOWN = "1-a"
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE)\b(?!.*\b(django_session|usersessions_usersession)\b)", re.DOTALL)


def addresses(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """Every address of the site, with a sample in the place of each parameter."""
    for entry in (resolver or get_resolver()).url_patterns:
        here = before + sample(entry)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, here)
        else:
            yield here


def sample(entry: URLPattern | URLResolver) -> str:
    if isinstance(entry.pattern, RoutePattern):
        return re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES[found[1] or "str"], str(entry.pattern))
    form, names = normalize(entry.pattern.regex.pattern)[0]
    return str(form % dict.fromkeys(names, UNKNOWN))


EVERY_ADDRESS = sorted(set(addresses()))
ACTIONS = [
    address
    for address in EVERY_ADDRESS
    if address.rstrip("/").rpartition("/")[2] in VERBS and not address.startswith("/admin/")
]


def test_the_walk_finds_the_addresses_of_every_app() -> None:
    assert {"/", "/review/", "/review/records/1/decide/", "/account/login/", "/admin/"} <= set(EVERY_ADDRESS)
    assert len(ACTIONS) >= len(VERBS) - 1


@pytest.mark.parametrize("address", EVERY_ADDRESS)
def test_a_stranger_is_refused_everywhere_else(address: str) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        answer = Client().get(address, headers=headers)
        if address in OPEN_TO_STRANGERS:
            assert answer.status_code in {200, 503}
        else:
            assert answer.status_code in {302, 401, 403, 404, 405} or "HX-Redirect" in answer


@pytest.mark.parametrize("address", ACTIONS)
def test_an_action_refuses_to_be_fetched(address: str, gao: User) -> None:
    client = Client()
    client.force_login(gao)
    for method in (client.get, client.head):
        assert method(address).status_code == 405


@pytest.mark.core
@pytest.mark.parametrize("address", EVERY_ADDRESS)
def test_fetching_a_page_writes_nothing(address: str, gao: User) -> None:
    client = Client()
    client.force_login(gao)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    assert answer.status_code < 500 or address == "/readyz"
    assert [query["sql"] for query in queries if WRITES.match(query["sql"])] == []


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def files(pattern: str) -> list[Path]:
    folders = ("templates", "review", "ingest", "exports", "cqia_site")
    return [path for folder in folders for path in (REPOSITORY / folder).rglob(pattern)]


UNSAFE_TEMPLATE = re.compile(
    r"\|\s*safe(seq)?\b|autoescape\s+off"  # text of others is escaped
    r"|\son[a-z]+=|\sstyle=|<style|javascript:|\bhx-on|hx-vals=.js"  # what the content policy forbids
    r"|(src|href|action)=.https?://"  # nothing comes from elsewhere
)
UNSAFE_CODE = re.compile(r"\b(mark_safe|SafeString|__html__)\b")


def offenders(unsafe: re.Pattern[str], pattern: str) -> list[str]:
    found = ((path, unsafe.search(path.read_text(encoding="utf-8"))) for path in files(pattern))
    return [f"{path.relative_to(REPOSITORY)}: {match[0]}" for path, match in found if match]


def test_templates_escape_everything_and_fit_the_content_policy() -> None:
    assert len(files("*.html")) > 10
    assert offenders(UNSAFE_TEMPLATE, "*.html") == []


def test_code_marks_no_text_as_safe() -> None:
    assert offenders(UNSAFE_CODE, "*.py") == []


def test_append_only_tables_are_guarded_in_the_database() -> None:
    declared = {
        model._meta.db_table
        for model in apps.get_models()
        if any(trigger.name == "append_only" for trigger in getattr(model._meta, "triggers", []))
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgname LIKE 'pgtrigger_append_only%' AND t.tgenabled = 'O'"
        )
        guarded = {name for (name,) in cursor.fetchall()}
    assert declared == guarded
    assert {"review_decision", "review_revision", "review_move"} <= guarded


def test_every_block_of_the_stylesheet_is_closed() -> None:
    depth = 0
    for sign in (REPOSITORY / "cqia_site" / "static" / "cqia" / "app.css").read_text(encoding="utf-8"):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth in range(4)
    assert depth == 0
