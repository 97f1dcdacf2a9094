"""Whatever the description of the API allows, and what it does not, is answered as it says."""

import json
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from pytest_django.fixtures import Settings

from exports.api import ExportThrottle
from exports.tokens import create_token
from review.models import Scope, User
from tests.exports.conftest import built
from tests.factories import approve, record

EXAMPLES = 12


@pytest.fixture
def api(
    client: Client, gao: User, lin: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, settings: Settings
) -> Any:
    settings.RELEASE_ROOT, settings.UPLOAD_ROOT = tmp_path / "releases", tmp_path / "uploads"
    monkeypatch.setattr(ExportThrottle, "rate", "1000000/min")
    approve(record(), lin)
    built("v1", "internal")
    client.force_login(gao)
    schema = schemathesis.openapi.from_dict(json.loads(client.get("/api/schema/").content))
    # Which sources and policies there are is data: an unknown one is refused, and its description says so.
    schema.config.checks.positive_data_acceptance.expected_statuses.append("400")
    schema.app = get_wsgi_application()
    for signal in (request_started, request_finished):  # the test's own connection stays
        signal.disconnect(close_old_connections)
    yield schema
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.attack
@pytest.mark.django_db
def test_54_every_operation_answers_as_it_is_described(api: Any, gao: User) -> None:
    _token, secret = create_token(user=gao, scopes=list(Scope))
    tried = []
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy())
        def answered(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {secret}", "Host": "127.0.0.1"})

        answered()
        tried.append(operation.label)
    assert len(tried) >= 8
