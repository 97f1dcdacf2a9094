"""The releases that are kept: where they are, and whether they are as they were written."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from exports.folders import hashed
from exports.models import Artifact, Release
from review import depot


class Damaged(Exception):  # noqa: N818  what a file is
    """A file is gone, or no longer what was written."""


def folder_of(release: Release) -> Path:
    """Return where the files of a release are kept."""
    return Path(settings.RELEASE_ROOT, release.name)


def moment_of(release: Release) -> int:
    """Return the time of the cut in seconds, which every file of the release bears."""
    if release.cut_at is None:
        message = f"release {release.version} has not been cut"
        raise ValueError(message)
    return int(release.cut_at.timestamp())


def taken_down(release: Release) -> int:
    """Return how many records of a release have been taken down since it was cut: more than none suspends it."""
    return release.rows.filter(record__takedown__isnull=False).count()


def takedowns(release: Release) -> list[int]:
    """Return the numbers of the takedowns that suspend a release."""
    numbers = release.rows.filter(record__takedown__isnull=False).values_list("record__takedown", flat=True)
    return sorted(set(numbers))


def checked(release: Release, artifact: Artifact) -> Path:
    """Return the path of a kept file that has the size and the time of what was written; raise `Damaged` otherwise.

    The time is that of the cut, so that an alteration shows without reading the file.
    """
    return _checked(_here(folder_of(release) / artifact.path), release, artifact)


def fetched(release: Release) -> Path:
    """Return the folder of a release, once every file of it stands on this machine's disk as it was written."""
    for artifact in release.artifacts.defer("text"):
        checked(release, artifact)
    return folder_of(release)


def _here(path: Path) -> Path:
    """Return the path, once what is kept there stands on this disk; where nothing is, it is found missing."""
    with suppress(FileNotFoundError):
        try:
            return depot.here(path)
        except OSError as error:
            raise Damaged(str(error.strerror)) from error
    return path


def _checked(path: Path, release: Release, artifact: Artifact) -> Path:
    status = _regular(path, artifact.path)
    if status.st_size != artifact.bytes:
        raise Damaged(_("%(path)s has been altered: its size differs") % {"path": artifact.path})
    if status.st_mtime_ns != moment_of(release) * 10**9:
        raise Damaged(_("%(path)s has been touched: its time differs") % {"path": artifact.path})
    return path


def is_intact(release: Release) -> bool:
    """Tell whether a release has been written, and is kept exactly as it was written."""
    return release.artifacts.exists() and not any(damages(release))


def damages(release: Release) -> Iterator[str]:
    """Name everything in which the kept folder differs from what was written."""
    with depot.whole(folder_of(release)) as folder:
        yield from damages_in(folder, release)


def damages_in(folder: Path, release: Release) -> Iterator[str]:
    """Name everything in which a folder differs from what was written of a release."""
    artifacts = list(release.artifacts.defer("text"))
    yield from differences(folder, artifacts)
    for artifact in artifacts:
        try:
            _checked(folder / artifact.path, release, artifact)
        except Damaged as damage:
            yield str(damage)


def differences(folder: Path, artifacts: Iterable[Artifact]) -> Iterator[str]:
    """Name everything in which the content of a folder differs from what was written."""
    if not folder.is_dir():
        yield _("the folder %(folder)s is missing") % {"folder": folder}
        return
    expected = {artifact.path: artifact for artifact in artifacts}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in expected and (path.is_symlink() or not path.is_dir()):
            yield _("%(path)s does not belong to the release") % {"path": name}
    for name, artifact in expected.items():
        try:
            _regular(folder / name, name)
            if hashed(folder / name) != artifact.sha256:
                yield _("%(path)s has been altered: its sha256 differs") % {"path": name}
        except Damaged as damage:
            yield str(damage)


def _regular(path: Path, name: str) -> os.stat_result:
    try:
        status = path.lstat()
    except OSError as error:
        raise Damaged(_("%(path)s is missing") % {"path": name}) from error
    if not stat.S_ISREG(status.st_mode):
        raise Damaged(_("%(path)s is no regular file") % {"path": name})
    return status
