import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from exports.tokens import create_token
from review.models import User
from tests.factories import record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def scrape(token: str, **headers: str) -> dict[tuple[str, str], float]:
    answer = Client(headers={"authorization": f"Bearer {token}"} | headers).get("/metrics")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_database(gao: User) -> None:
    for _ in range(3):
        record()
    _token, secret = create_token(user=gao, scopes=["export:read"])
    found = scrape(secret, accept="application/openmetrics-text; version=1.0.0")
    assert found["cqia_records", "waiting"] == 3
    assert found["cqia_up", "database"] == 1
    assert found["cqia_disk_bytes", ""] > found["cqia_disk_free_bytes", ""] > 0


def test_nobody_without_a_token_reads_them() -> None:
    assert Client().get("/metrics").status_code == 401
    assert Client(headers={"authorization": "Bearer nonsense"}).get("/metrics").status_code == 401
