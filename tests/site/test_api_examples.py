"""The examples of docs/api.md, run as they stand against the running site."""

import re
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from exports import build
from exports.cutting import cut
from exports.models import Policy
from exports.options import Options
from exports.tokens import create_token
from review import sealing
from review.models import Record, User
from tests.conftest import REPOSITORY
from tests.factories import add_records, approve, candidate

pytestmark = [pytest.mark.django_db(transaction=True)]

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_examples_of_the_api_guide_work(
    live_server: LiveServer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lin: User, gao: User
) -> None:
    settings.RELEASE_ROOT = tmp_path / "releases"
    add_records("ruozhiba", [candidate() for _ in range(4)], licence="CC-BY-4.0", holder="某人")
    for record in Record.objects.all():
        approve(record, lin)
    sealing.seal()
    release = cut(version="v0.1", policy=Policy.objects.get(slug="research"), options=Options(), by=gao)
    build.build(release.pk)
    _token, secret = create_token(user=gao, scopes=["export:read"])
    monkeypatch.setenv("CQIA", live_server.url)
    monkeypatch.setenv("TOKEN", secret)
    known: dict[str, Any] = {}
    blocks = BLOCK.findall((REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8"))
    assert len(blocks) == 3
    for block in blocks:
        exec(block, known)
    assert len(known["copy"]) == 4
