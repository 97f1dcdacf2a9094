"""A copy of a release: whole, checked, and never over something else."""

import os
from pathlib import Path

import pytest

from exports import folders, placing, storage
from exports.models import Release
from review.refused import Refused
from tests.exports.conftest import Approved, built
from tests.exports.test_build import content

pytestmark = [pytest.mark.django_db, pytest.mark.core]


@pytest.fixture
def release(approved: Approved) -> Release:
    approved(3)
    return built()


def put(release: Release, target: Path) -> bool:
    return placing.place(release, placing.check_place(str(target)))


@pytest.mark.parametrize("folder", ["new", "empty"])
def test_place_copy_in_new_or_empty_folder(release: Release, tmp_path: Path, folder: str) -> None:
    target = tmp_path / "out"
    if folder == "empty":
        target.mkdir()
    assert put(release, target)
    assert content(target) == content(storage.folder_of(release))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "releases"]
    assert {path.stat().st_mtime_ns for path in target.rglob("*.jsonl")} == {storage.moment_of(release) * 10**9}


def test_place_copy_is_no_link(release: Release, tmp_path: Path) -> None:
    put(release, tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("changed")
    assert storage.is_intact(release)


def test_place_again_says_that_it_is_there(release: Release, tmp_path: Path) -> None:
    put(release, tmp_path / "out")
    before = (tmp_path / "out").stat().st_ino
    assert not put(release, tmp_path / "out")
    assert (tmp_path / "out").stat().st_ino == before


@pytest.mark.parametrize("change", ["altered", "more", "less"])
def test_place_over_a_changed_copy_is_refused(release: Release, tmp_path: Path, change: str) -> None:
    target = tmp_path / "out"
    put(release, target)
    match change:
        case "altered":
            (target / "README.md").write_text("mine")
        case "more":
            (target / "mine").write_text("mine")
        case "less":
            (target / "README.md").unlink()
    before = content(target)
    with pytest.raises(Refused, match=r"holds something else than release “v1”"):
        put(release, target)
    assert content(target) == before


def test_place_over_another_release_is_refused(release: Release, approved: Approved, tmp_path: Path) -> None:
    put(release, tmp_path / "out")
    approved(1)
    with pytest.raises(Refused, match="holds something else"):
        put(built("v2"), tmp_path / "out")


def test_64_place_over_anything_else_is_refused(release: Release, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "full")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = content(tmp_path)
    refusals = {
        "file": "is no folder",
        "full": "is not empty",
        "link": "is a link",
        "link/": "is a link",
        "dangling": "is a link",
        "missing/out": "does not exist",
        "file/out": "does not exist",
        "full/..": "is not empty",
    }
    for name, reason in refusals.items():
        with pytest.raises(Refused, match=reason):
            placing.check_place(f"{tmp_path}/{name}")
    assert content(tmp_path) == before


def test_64_place_where_nothing_may_be_written_is_refused(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_args: False)
    with pytest.raises(Refused, match="cannot be written to"):
        placing.check_place(str(tmp_path / "out"))


def test_f18_place_when_the_disk_is_full_leaves_nothing(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_source: Path, _target: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "copy", no_room)
    with pytest.raises(OSError, match="No space left"):
        put(release, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["releases"]


def test_64_place_does_not_overwrite_what_came_meanwhile(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = placing.check_place(str(tmp_path / "out"))
    copy = folders.copy

    def come_between(source: Path, to: Path) -> str:
        target.mkdir(exist_ok=True)
        (target / "mine").write_text("mine")
        return copy(source, to)

    monkeypatch.setattr(folders, "copy", come_between)
    with pytest.raises(OSError, match="not empty"):
        placing.place(release, target)
    assert content(target) == {"mine": b"mine"}


def test_place_of_damaged_release_is_refused(release: Release, tmp_path: Path) -> None:
    (storage.folder_of(release) / "README.md").write_text("changed")
    with pytest.raises(storage.Damaged, match=r"README\.md"):
        put(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_leftover_of_a_killed_command_is_removed(release: Release, tmp_path: Path) -> None:
    leftover = tmp_path / ".out.partial.0123"
    leftover.mkdir()
    with folders.staged(tmp_path, ".out.partial.") as alive:
        assert not leftover.exists()
        put(release, tmp_path / "out")
        assert alive.is_dir()
