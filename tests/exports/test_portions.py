"""Sources written side by side: the same bytes as by one, whoever writes which of them and whoever is lost."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from exports import build, portions, tasks
from exports.models import Release, ReleasePart
from tests.exports.conftest import Approved, built, cut
from tests.exports.test_build import content
from tests.faults.processes import database_url

pytestmark = [pytest.mark.django_db, pytest.mark.core]


@pytest.fixture
def three(approved: Approved) -> None:
    approved(3, "mba")
    approved(7)
    approved(5, "zhihu")


def written_by_another(release: Release) -> Iterator[int]:
    """Let another worker take a part before the builder takes each of its own."""
    while part := portions.take(release.pk):
        portions.write(part, release)
        yield part.pk


def test_parts_that_others_wrote_make_the_same_release(
    three: None, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = built()
    before = content(release_root)
    shutil.rmtree(release_root)
    monkeypatch.setattr(build, "SHARED_FROM", 1)
    helped: list[int] = []

    def tell(release_id: int, others: int) -> None:
        assert (release_id, others) == (release.pk, 2)
        helped.append(next(written_by_another(release)))

    build.build(release.pk, tell=tell)
    assert content(release_root) == before
    assert len(helped) == 1
    assert not ReleasePart.objects.exists()


def test_a_worker_writes_what_it_finds_and_leaves_when_there_is_nothing(three: None, release_root: Path) -> None:
    release = cut()
    tasks.build_parts(release.pk)
    folder = release_root / ".building-1.x"
    folder.mkdir(parents=True)
    portions.lay_out(release, folder)
    assert portions.help_out(release.pk) == 3
    assert (portions.is_open(release), portions.written(release.pk)) == (False, 15)
    sources, files = portions.gather(release, folder)
    assert [(source.slug, source.records) for source in sources] == [("mba", 3), ("ruozhiba", 7), ("zhihu", 5)]
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jsonl")) == sorted(
        file.path for file in files
    )


def test_a_worker_on_another_machine_leaves_the_parts_alone(three: None, release_root: Path) -> None:
    release = cut()
    portions.lay_out(release, release_root / ".building-1.not-here")
    assert portions.help_out(release.pk) == 0
    assert not ReleasePart.objects.exclude(fence=0).exists()


def test_a_part_whose_lease_has_run_out_is_taken_over(three: None, release_root: Path) -> None:
    release = cut()
    folder = release_root / ".building-1.x"
    folder.mkdir(parents=True)
    portions.lay_out(release, folder)
    lost = portions.take(release.pk)
    assert lost is not None
    assert lost.slug == "ruozhiba"  # the largest first
    ReleasePart.objects.filter(pk=lost.pk).update(lease_until=timezone.now())
    again = portions.take(release.pk)
    assert again is not None
    assert (again.pk, again.fence) == (lost.pk, lost.fence + 1)
    portions.write(again, release)
    with pytest.raises(portions.Overtaken):
        portions.write(lost, release)
    assert ReleasePart.objects.get(pk=lost.pk).is_done
    assert [path.name for path in folder.iterdir()] == [f".part-{again.pk}-{again.fence}"]


KILLED = """
import os, signal
import django
django.setup()
from exports import portions
from exports.models import Release
portions.PAGE_ROWS = 2
release = Release.objects.get()
part = portions.take(release.pk)
portions.write(part, release, after=lambda done: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_in_its_part_is_replaced(
    three: None, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = built()
    before = content(release_root)
    shutil.rmtree(release_root)
    monkeypatch.setattr(build, "SHARED_FROM", 1)
    environment = os.environ | {"DATABASE_URL": database_url(), "CQIA_DATA_DIR": str(release_root.parent)}

    def tell(_release: int, _others: int) -> None:
        killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert ReleasePart.objects.exclude(lease_until=None).count() == 1
        ReleasePart.objects.exclude(lease_until=None).update(lease_until=timezone.now())

    build.build(release.pk, tell=tell)
    assert content(release_root) == before
