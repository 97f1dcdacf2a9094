"""Asking for releases: who may, and what is the same release again."""

from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from exports import releases, tasks
from exports.models import Release
from review.models import User
from review.refused import Ground, Refused
from tests.exports.conftest import Approved, policy

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def obtain(by: User | None, **said: Any) -> tuple[Release, bool]:
    values: dict[str, Any] = {"version": "v1", "policy": policy(), "options": releases.options()}
    return releases.obtain(by=by, **values | said)


def test_manager_and_command_line_cut_releases(approved: Approved, gao: User) -> None:
    approved(1)
    assert obtain(gao)[0].by == gao
    assert obtain(None, version="v2")[0].by is None


@pytest.mark.parametrize("name", ["lin", "shen", "tao"])
def test_others_do_not(approved: Approved, request: pytest.FixtureRequest, name: str) -> None:
    approved(1)
    with pytest.raises(Refused) as refusal:
        obtain(request.getfixturevalue(name))
    assert refusal.value.ground == Ground.FORBIDDEN
    assert not Release.objects.exists()


def test_same_options_give_the_same_release(approved: Approved) -> None:
    approved(1)
    first, is_new = obtain(None, options=releases.options(sources=["mba", "poem"]))
    again, is_new_again = obtain(None, options=releases.options(sources=["poem", "mba", "poem"]))
    assert (first, is_new, is_new_again) == (again, True, False)


def test_option_that_did_not_exist_then_does_not_change_the_request(approved: Approved) -> None:
    """What is not asked for leaves no trace in what a release keeps."""
    approved(1)
    assert obtain(None)[0].options == {"formats": ["cqia"]}


@pytest.mark.parametrize(
    ("said", "named"),
    [({"sources": ["mba", "nowhere"]}, "ruozhiba"), ({"formats": ["cqia", "csv"]}, "parquet")],
)
def test_unknown_option_is_refused_with_those_there_are(db: None, said: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=named) as refusal:
        releases.options(**said)
    assert refusal.value.ground == Ground.INVALID


def test_unknown_policy_is_refused_with_those_there_are(db: None) -> None:
    with pytest.raises(Refused, match="internal, open, research"):
        releases.policy_named("everything")


def test_request_sends_the_release_to_a_worker_after_commit(
    approved: Approved,
    gao: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    approved(1)
    sent: list[int] = []
    monkeypatch.setattr(tasks.build_release, "delay", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        release = releases.request(version="v1", policy=policy(), options=releases.options(), by=gao)
        assert sent == []
    assert sent == [release.pk]
