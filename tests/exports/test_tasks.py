"""Building by workers: messages that come twice, late, or never."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from exports import build, tasks
from exports.models import Release
from tests.exports.conftest import Approved, cut

pytestmark = [pytest.mark.django_db, pytest.mark.core]
FUTURE, PAST = timezone.now() + timedelta(days=1), timezone.now() - timedelta(days=1)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the releases that were sent to a worker."""
    ids: list[int] = []
    monkeypatch.setattr(tasks.build_release, "delay", ids.append)
    return ids


@pytest.fixture
def release(approved: Approved, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A release that was cut long enough ago."""
    monkeypatch.setattr(build, "LEASE", timedelta(seconds=-1))
    approved(2)
    return cut()


def test_task_builds(release: Release) -> None:
    tasks.build_release(release.pk)
    release.refresh_from_db()
    assert release.state == "built"


def test_task_delivered_twice_does_no_harm(release: Release) -> None:
    """F3: the second delivery sees the first at work and goes."""
    Release.objects.filter(pk=release.pk).update(lease_until=FUTURE, builder="another-machine")
    tasks.build_release(release.pk)
    release.refresh_from_db()
    assert (release.state, release.attempts) == ("cut", 0)


def test_task_delivered_again_after_the_work_changes_nothing(release: Release) -> None:
    tasks.build_release(release.pk)
    first: dict[str, Any] = dict(Release.objects.values().get(pk=release.pk))
    tasks.build_release(release.pk)
    second: dict[str, Any] = dict(Release.objects.values().get(pk=release.pk))
    assert {name for name in first if first[name] != second[name]} <= {"fence", "lease_until"}


def test_task_for_refused_release_ends_quietly(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exports.storage.taken_down", lambda _release: 3)
    tasks.build_release(release.pk)
    release.refresh_from_db()
    assert (release.state, "3 records" in release.error) == ("failed", True)


@pytest.mark.parametrize(
    ("fields", "again"),
    [({}, True), ({"lease_until": PAST}, True), ({"lease_until": FUTURE}, False), ({"state": "failed"}, False)],
)
def test_sweep_sends_what_nobody_builds(
    release: Release, sent: list[int], fields: dict[str, Any], *, again: bool
) -> None:
    Release.objects.filter(pk=release.pk).update(**fields)
    tasks.sweep_releases()
    assert sent == ([release.pk] if again else [])


def test_sweep_leaves_what_was_cut_just_now(
    approved: Approved, sent: list[int], django_assert_num_queries: Callable[[int], Any]
) -> None:
    approved(1)
    cut()
    with django_assert_num_queries(1):
        tasks.sweep_releases()
    assert sent == []


def test_sweep_gives_up_on_what_stops_every_builder(release: Release, sent: list[int]) -> None:
    """F5. Asked for again by a person it is built all the same."""
    Release.objects.filter(pk=release.pk).update(attempts=tasks.MAX_ATTEMPTS)
    tasks.sweep_releases()
    release.refresh_from_db()
    assert (sent, release.state) == ([], "failed")
    assert "3 times" in release.error
    assert build.build(release.pk).state == "built"
