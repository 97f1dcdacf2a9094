"""Placing a copy of a release where somebody wants it: whole or not at all, and never over something else."""

import os
from pathlib import Path

from django.utils.translation import gettext as _

from exports import folders, storage
from exports.facts import MANIFEST
from exports.models import Release
from review.refused import Refused


def check_place(out: str) -> Path:
    """Return the absolute path of a folder that may be made; refuse what is there already, or cannot be written.

    A folder that holds a release passes: whether it is the same one shows when there is something to compare with.
    """
    target = Path(os.path.abspath(out))  # noqa: PTH100  resolve() would follow a link in the last place
    said = {"path": target, "parent": target.parent}
    if target.is_symlink():
        raise Refused(_("%(path)s is a link. Name the folder itself.") % said)
    if target.exists() and not target.is_dir():
        raise Refused(_("%(path)s exists and is no folder. Name another place.") % said)
    if not target.parent.is_dir():
        raise Refused(_("The folder %(parent)s does not exist. Make it first.") % said)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise Refused(_("The folder %(parent)s cannot be written to. Name another place.") % said)
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise Refused(_("%(path)s is not empty and holds no release. Name another place.") % said)
    return target


def place(release: Release, target: Path) -> bool:
    """Make `target` a copy of a built release, checked byte by byte; return False when it is one already."""
    artifacts = list(release.artifacts.defer("text"))
    if target.is_dir() and any(target.iterdir()):
        differing = list(storage.differences(target, artifacts))
        if differing:
            raise Refused(
                _("%(path)s holds something else than release “%(version)s”: %(first)s. Name another place.")
                % {"path": target, "version": release.version, "first": differing[0]}
            )
        return False
    with folders.staged(target.parent, f".{target.name}.partial.") as folder:
        for artifact in artifacts:
            copy = folder / artifact.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            if folders.copy(storage.checked(release, artifact), copy) != artifact.sha256:
                raise storage.Damaged(_("%(path)s has been altered: its sha256 differs") % {"path": artifact.path})
        folders.place(folder, target)
    return True
