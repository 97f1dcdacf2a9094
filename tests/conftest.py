"""The cast, one name for each role, and what every test may use."""

import re
from collections.abc import Callable
from pathlib import Path
from time import sleep
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.core.management.base import CommandError
from django.db import connection
from django.test import TransactionTestCase
from pytest_django.fixtures import Settings

from review.models import Role, Source, User

REPOSITORY = Path(__file__).resolve().parent.parent
FLUSHES = 5


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which is not part of the project."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data (shared/data beside the repository) is not here")
    return folder


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Let the test session empty append-only tables between tests; nothing else may."""
    from django.conf import settings  # noqa: PLC0415  read after the plugin has configured it

    options = settings.DATABASES["default"]["OPTIONS"]
    options["options"] = f"{options.get('options', '')} -c cqia.allow_truncate=on"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what has the number of an attack, and leave out what takes long, unless it is asked for."""
    for item in items:
        if re.match(r"test_(inputs?_)?\d", item.name):
            item.add_marker("attack")
    if "slow" not in str(config.option.markexpr):
        left_out = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(autouse=True)
def own_cache(settings: Settings) -> None:
    """Give every test a cache of its own, so that none runs into the limits that another used up."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(uuid4())}
    }


def person(name: str, *roles: Role, **fields: object) -> User:
    user, _created = User.objects.get_or_create(username=name, defaults=fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


@pytest.fixture
def lin(db: None) -> User:
    """A reviewer."""
    return person("lin", Role.REVIEWER)


@pytest.fixture
def mei(db: None) -> User:
    """Another reviewer."""
    return person("mei", Role.REVIEWER)


@pytest.fixture
def shen(db: None) -> User:
    """A settler."""
    return person("shen", Role.REVIEWER, Role.SETTLER)


@pytest.fixture
def gao(db: None) -> User:
    """A manager."""
    return person("gao", Role.MANAGER, is_staff=True)


@pytest.fixture
def tao(db: None) -> User:
    """A consumer of releases."""
    return person("tao", Role.CONSUMER)


@pytest.fixture
def zhou(db: None) -> User:
    """An administrator."""
    return person("zhou", is_staff=True, is_superuser=True)


@pytest.fixture
def ruozhiba(db: None) -> Source:
    return Source.objects.get(slug="ruozhiba")


@pytest.fixture
def law_gee(db: None) -> Source:
    return Source.objects.get(slug="law-gee")


def _patiently(flush: Callable[[TransactionTestCase], None]) -> Callable[[TransactionTestCase], None]:
    """Empty the tables again when a request that outlived its page was in the way: a deadlock ends by itself."""

    def teardown(case: TransactionTestCase) -> None:
        for _attempt in range(FLUSHES):
            try:
                return flush(case)
            except CommandError:
                connection.close()
                sleep(0.5)
        return flush(case)

    return teardown


TransactionTestCase._fixture_teardown = _patiently(TransactionTestCase._fixture_teardown)
