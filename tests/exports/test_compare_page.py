"""The page that compares two releases, record by record."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from exports.models import Release
from exports.views import comparing
from review.models import User
from tests.exports.conftest import Approved, built
from tests.exports.test_comparing import two

__all__ = ["two"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_site")]


def test_page_shows_counts_and_diffs(client: Client, gao: User, two: tuple[Release, Release]) -> None:
    client.force_login(gao)
    text = client.get("/exports/v2/compare/").content.decode()
    assert "v1" in text
    assert "<del>" in text
    assert "<ins>" in text
    assert "核者改写</ins>" in client.get("/exports/v2/compare/?change=changed").content.decode()


def test_text_that_was_taken_down_is_not_shown(client: Client, gao: User, two: tuple[Release, Release]) -> None:
    client.force_login(gao)
    text = client.get("/exports/v2/compare/?change=removed").content.decode()
    assert "它的" not in text
    assert "taken down" in text
    assert "为什么天空是蓝色的" not in text


def test_page_goes_on_where_it_ended(
    client: Client, gao: User, two: tuple[Release, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "PAGE_RECORDS", 4)
    client.force_login(gao)
    first = client.get("/exports/v2/compare/?with=v1")
    following = first.context["next"]
    rest = client.get(f"/exports/v2/compare/?with=v1&after={following}")
    seen = [shown.pair.record for answer in (first, rest) for shown in answer.context["records"]]
    assert (len(seen), seen) == (6, sorted(set(seen)))
    assert rest.context["next"] is None


@pytest.mark.parametrize("query", ["with=v9", "with=%00", "change=x", "after=x", "after=-1", "after=1e9", "source=a b"])
def test_what_is_not_there_is_not_found(client: Client, gao: User, two: tuple[Release, Release], query: str) -> None:
    client.force_login(gao)
    assert client.get(f"/exports/v2/compare/?{query}").status_code == 404


def test_consumer_does_not_see_internal_releases(client: Client, tao: User, approved: Approved) -> None:
    approved(1)
    built("v1", slug="internal")
    built("v2")
    client.force_login(tao)
    assert client.get("/exports/v2/compare/?with=v1").status_code == 404
    assert "v1-internal" not in client.get("/exports/v2/compare/").content.decode()
    assert client.get("/exports/v1/compare/").status_code == 404


def test_page_takes_as_many_queries_for_many_records(
    client: Client,
    gao: User,
    approved: Approved,
    two: tuple[Release, Release],
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    client.force_login(gao)
    client.get("/exports/v2/compare/")
    with django_assert_max_num_queries(11):
        client.get("/exports/v2/compare/")
    approved(12)
    built("v3")
    client.get("/exports/v3/compare/?with=v1")
    with django_assert_max_num_queries(11):
        client.get("/exports/v3/compare/?with=v1")
