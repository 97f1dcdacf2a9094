import pytest
from django.test import Client

from review.models import User
from tests.factories import record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def current(client: Client, address: str) -> list[str]:
    """Return the addresses of the entries that are marked as the page where one is."""
    page = client.get(address).content.decode()
    return [part.rpartition('href="')[2].partition('"')[0] for part in page.split(' aria-current="page"')[:-1]]


def test_one_entry_says_where_one_is(gao: User) -> None:
    client = Client()
    client.force_login(gao)
    given = record()
    for address, entry in {
        "/": "/",
        "/review/": "/review/",
        f"/review/records/{given.pk}/": "/review/",
        "/review/records/": "/review/records/",
        "/review/sources/ruozhiba/": "/review/sources/",
        "/review/people/invite/": "/review/people/",
        "/ingest/new/": "/ingest/",
        "/exports/new/": "/exports/",
        "/admin/": "/admin/",
        "/exports/policies/": "/exports/policies/",
    }.items():
        assert current(client, address) == [entry], address


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("lin", {"/", "/review/", "/review/records/", "/review/sources/", "/review/mine/"}),
        ("tao", {"/", "/exports/"}),
    ],
)
def test_people_find_what_they_may_use(name: str, found: set[str], lin: User, tao: User) -> None:
    client = Client()
    client.force_login({"lin": lin, "tao": tao}[name])
    page = client.get("/").content.decode()
    nav = page.partition("<nav")[2].partition("</nav>")[0]
    assert {part.partition('"')[0] for part in nav.split('href="')[1:]} == found
    assert "/review/people/" not in page
