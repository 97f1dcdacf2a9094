from collections.abc import Iterator

import psycopg
import pytest
from django.core.checks import Error, registry
from django.db import connection, connections
from pytest_django.fixtures import Settings

from cqia_site import checks

LONG_SECRET = "a-secret-of-a-good-length-that-nobody-else-knows"  # as a person would set it


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    """Undo what Django's test runner adds."""
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]


def ids() -> list[str | None]:
    """Return what the checks of the settings object to."""
    return [
        message.id for check in (checks.check_hosts, checks.check_secret, checks.check_broker) for message in check()
    ]


def test_the_settings_of_a_first_start_pass() -> None:
    assert ids() == []


def test_every_check_is_asked_at_every_start() -> None:
    wanted = {checks.check_hosts, checks.check_secret, checks.check_broker, checks.check_database}
    assert wanted <= set(registry.registry.get_checks())


@pytest.mark.parametrize("secret", ["django-insecure-" + LONG_SECRET, "short"])
def test_a_sample_or_short_secret_is_refused(settings: Settings, secret: str) -> None:
    settings.SECRET_KEY = secret
    assert ids() == ["cqia.E002"]


def test_a_site_that_others_reach_needs_a_secret_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    settings.ALLOWED_HOSTS = ["cqia.example.org"]
    assert ids() == ["cqia.E003"]
    monkeypatch.setenv("SECRET_KEY", settings.SECRET_KEY)
    assert ids() == []


def test_a_broker_address_that_celery_does_not_know_is_refused(settings: Settings) -> None:
    settings.REDIS_URL = "valkey://127.0.0.1/0"
    (message,) = checks.check_broker()
    assert isinstance(message, Error)
    assert message.hint is not None
    assert "redis://" in message.hint


@pytest.mark.core
@pytest.mark.django_db
def test_chinese_has_trigrams_in_this_database() -> None:
    assert checks.check_database(databases=["default"]) == []


@pytest.fixture
def database_in_locale_c(db: None) -> Iterator[str]:
    """Give the alias of a database in which only the letters A to Z are letters."""
    name = f"{connection.settings_dict['NAME']}_c"
    other = connection.copy("locale_c")
    other.settings_dict = connection.settings_dict | {"NAME": name}
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        connections["locale_c"] = other
        yield "locale_c"
        other.close()
        del connections["locale_c"]
        server.execute(f"DROP DATABASE {name}")


@pytest.mark.core
def test_a_database_without_chinese_trigrams_is_refused(database_in_locale_c: str) -> None:
    assert [message.id for message in checks.check_database(databases=[database_in_locale_c])] == ["cqia.E007"]
