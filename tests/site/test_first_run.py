from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from pytest_django.fixtures import Settings

from cqia_site import first_run
from review.models import Role, Source, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Give the passwords a folder of their own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the loads of the samples instead of loading them."""
    loads: list[str] = []
    monkeypatch.setattr(first_run, "load_samples", lambda: loads.append("loaded"))
    return loads


def test_the_first_people_can_sign_in_with_what_is_printed(samples: list[str], folder: Path) -> None:
    said: list[str] = []
    first_run.set_up(said.append)
    people = [line.split() for line in said if line.startswith("  ")]
    assert [name for name, _ in people] == ["admin", "reviewer1", "reviewer2"]
    assert all(authenticate(username=name, password=password) for name, password in people)
    assert len({password for _, password in people}) == 3
    assert (folder / "first-passwords.txt").stat().st_mode & 0o777 == 0o600


def test_the_administrator_manages_and_the_reviewers_review(samples: list[str]) -> None:
    first_run.set_up(str)
    assert User.objects.get(is_superuser=True).username == "admin"
    reviewers = User.objects.filter(groups__name=Role.REVIEWER, is_staff=False)
    assert {person.username for person in reviewers} == {"reviewer1", "reviewer2"}


def test_later_runs_load_and_make_nothing(samples: list[str], folder: Path) -> None:
    first_run.set_up(str)
    said: list[str] = []
    first_run.set_up(said.append)
    assert (samples, said, User.objects.count()) == (["loaded"], [], 3)


def test_an_interrupted_first_run_goes_on_the_next_time(
    samples: list[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def fail(_passwords: dict[str, str]) -> Path:
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(first_run, "_write_passwords", fail)
        first_run.set_up(str)
    assert not User.objects.exists()
    first_run.set_up(str)
    assert User.objects.count() == 3


def test_every_sample_file_belongs_to_a_source_of_the_catalogue() -> None:
    names = {path.stem for path in first_run.SAMPLES.glob("*.jsonl")}
    assert names
    assert names <= set(Source.objects.values_list("slug", flat=True))
