"""What the tests of accounts and addresses share."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from pytest_django import Settings

from exports.cutting import cut
from exports.models import Artifact, Mix, Policy
from exports.options import Options
from ingest.models import Chunk, Job, Mapping, Reject
from review import claims, decisions, retractions, rights
from review.models import Batch, Guideline, Takedown, User
from tests.accounts import give_password
from tests.factories import approve, record


@pytest.fixture
def quick_hashes(settings: Settings) -> None:
    """Hash passwords without the work that makes guessing slow."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def member(quick_hashes: None, lin: User) -> User:
    """A reviewer with a password and an address."""
    lin.email = "lin@example.org"
    lin.save(update_fields=["email"])
    return give_password(lin)


@pytest.fixture
def chief(quick_hashes: None, gao: User) -> User:
    """A manager with a password."""
    return give_password(gao)


@pytest.fixture
def history(mei: User) -> None:
    """A row of everything that is only ever read."""
    retracted, withdrawn = record(output="没有写完："), approve(record(), mei)
    approve(record(), mei)
    retractions.retract(retracted.batch, by=None, reason="wrong file")
    decisions.undo(by=mei, decision=withdrawn)
    rights.decide_rights(retracted.batch, by=None, licence="CC0-1.0", holder="")
    Guideline.objects.create(version=1, text="…")
    Takedown.objects.create(requester="…", ground="…", received_on="2026-01-01")
    claims.claim_next(by=mei)
    an_import(record().batch)
    a_release()


def an_import(batch: Batch) -> None:
    """Make a job with a refused record, and a mapping."""
    job = Job.objects.create(source=batch.source, batch=batch)
    chunk = Chunk.objects.create(
        job=job, number=1, file=1, first_line=1, last_line=1, first_offset=0, end_offset=1, rejected=1, sha256=b""
    )
    Reject.objects.create(chunk=chunk, line=1, offset=0, code="not_json", raw=b"x")
    Mapping.objects.create(source=batch.source, name="…", spec={})


def a_release() -> None:
    """Make a release with a file, and a mix."""
    policy = Policy.objects.get(slug="internal")
    release = cut(version="v0-internal", policy=policy, options=Options(), by=None)
    Artifact.objects.create(release=release, path="README.md", bytes=1, sha256="0" * 64)
    Mix.objects.create(slug="all", name_zh="…", name_en="…", spec={})


@pytest.fixture
def parameters(mei: User, history: None) -> dict[str, dict[str, Any]]:
    """What stands for the parameters, by the beginning of the address: things that are there, where it matters."""
    given = record()
    administered = {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/": model._default_manager.values_list("pk").first()
        for model in admin.site._registry
    }
    common = {
        "pk": 1,
        "key": UUID(int=1),
        "token": UUID(int=1),
        "slug": given.source.slug,
        "version": "v1",
        "path": "manifest.json",
        "prefix": "0123456789abcdef",
        "number": 1,
        "object_id": 1,
        "content_type_id": 1,
        "app_label": "review",
        "url": "nowhere",
        "name": "sources",
    }
    return {start: common | {"object_id": first[0]} for start, first in administered.items() if first} | {
        "/review/records/": common | {"pk": given.pk},
        "/review/people/": common | {"pk": mei.pk},
        "/review/sources/": common | {"pk": given.batch_id},
        "/account/password/": common | {"uidb36": "1", "key": "set-password"},
        "/": common,
    }
