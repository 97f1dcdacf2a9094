"""What the tests of releases share: a folder for releases, records approved in bulk, clients with tokens."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db.models import OuterRef, Subquery
from django.test import Client
from django.utils import translation
from pytest_django import Settings

from exports import build, cutting, tasks
from exports.models import Policy, Release
from exports.options import Options
from exports.tokens import create_token
from ingest.document import Document
from review import workflow
from review.models import Batch, Cause, Decision, Record, State, User
from tests.exports.pages import signed_in
from tests.factories import add_records, candidate

type Approved = Callable[..., Batch]


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    """What is said to people is compared in English, in every thread."""
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def release_root(settings: Settings, tmp_path: Path) -> Path:
    """The folder in which releases are kept."""
    settings.RELEASE_ROOT = tmp_path / "releases"
    settings.ROOT_URLCONF = "tests.exports.addresses"
    return tmp_path / "releases"


@pytest.fixture
def whole_site(release_root: Path, settings: Settings) -> None:
    """All addresses, pages as well."""
    settings.ROOT_URLCONF = "cqia_site.urls"


def approve_waiting(by: User) -> int:
    """Approve every record that waits, as it stands, in two statements."""
    waiting = list(Record.objects.filter(state=State.WAITING, retraction=None))
    Decision.objects.bulk_create(
        Decision(
            record=record,
            revision_id=record.revision_id,
            seen_revision_id=record.revision_id,
            reviewer=by,
            role="reviewer",
            verdict="approve",
            rights_said="confirm",
            round=record.round,
            request_id=uuid4(),
        )
        for record in waiting
    )
    verdict = Decision.objects.filter(record=OuterRef("pk"), verdict="approve").order_by("-pk").values("pk")[:1]
    chosen = Record.objects.filter(pk__in=[record.pk for record in waiting])
    return workflow.move(chosen, cause=Cause.DECIDE, by=by, state=State.APPROVED, verdict=Subquery(verdict))


@pytest.fixture
def approved(lin: User) -> Approved:
    """Give a function that takes records in, with a licence when one is named, and has them approved."""

    def add(
        number: int | Sequence[Document] = 3,
        source: str = "ruozhiba",
        licence: str | None = "CC-BY-4.0",
        holder: str = "某人",
    ) -> Batch:
        candidates = [candidate() for _ in range(number)] if isinstance(number, int) else number
        batch = add_records(source, candidates, licence=licence, holder=holder)
        approve_waiting(lin)
        return batch

    return add


def policy(slug: str = "research") -> Policy:
    return Policy.objects.get(slug=slug)


def cut(version: str = "v1", slug: str = "research", **options: Any) -> Release:
    return cutting.cut(version=version, policy=policy(slug), options=Options(**options), by=None)


def built(version: str = "v1", slug: str = "research", **options: Any) -> Release:
    return build.build(cut(version, slug, **options).pk)


def client_of(user: User, *scopes: str) -> Client:
    """A client that sends a token with these scopes."""
    _token, secret = create_token(user=user, scopes=scopes)
    return Client(headers={"authorization": f"Bearer {secret}"})


@pytest.fixture
def consumer(tao: User) -> Client:
    """Reads what is published."""
    return client_of(tao, "export:read")


@pytest.fixture
def insider(tao: User) -> Client:
    """Reads what is made for training in the house as well."""
    return client_of(tao, "export:read", "export:internal")


@pytest.fixture
def no_worker(whole_site: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses, a cache of this process, and no worker to be told."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    monkeypatch.setattr(tasks.build_release, "delay", lambda _release: None)
    monkeypatch.setattr(tasks.build_release, "delay_on_commit", lambda _release: None)


@pytest.fixture
def manager(gao: User) -> Client:
    return signed_in(gao)


@pytest.fixture
def reader(tao: User) -> Client:
    return signed_in(tao)
