"""Where the building of a release stands, as far as it can be told from outside of the worker that does it."""

import time
from dataclasses import dataclass

from django.utils import timezone

from exports.models import Release, ReleasePart

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """When somebody last asked for a release to be built, and how often it had been taken up by then."""

    at: float
    fence: int


@dataclass(frozen=True, slots=True)
class Standing:
    """`written` of the release's records stand on the disk; None when that is not known. `source` is being written."""

    is_building: bool
    is_waiting: bool
    is_unattended: bool
    written: int | None = None
    source: str = ""

    @property
    def is_open(self) -> bool:
        """Whether there is something to wait for."""
        return self.is_building or self.is_waiting


def standing(release: Release, asked: Asked | None) -> Standing:
    """Tell where a release stands; `asked` is known for whoever asked."""
    if release.lease_until and release.lease_until > timezone.now():
        written, source = _written(release)
        return Standing(is_building=True, is_waiting=False, is_unattended=False, written=written, source=source)
    is_asked_anew = asked is not None and asked.fence == release.fence and release.state == Release.State.FAILED
    is_waiting = release.state == Release.State.CUT or is_asked_anew
    since = max(asked.at if asked else 0.0, release.cut_at.timestamp() if release.cut_at else 0.0)
    return Standing(
        is_building=False,
        is_waiting=is_waiting,
        is_unattended=is_waiting and time.time() - since > PATIENCE_SECONDS,
    )


def _written(release: Release) -> tuple[int | None, str]:
    """Return the records that are written, and the sources that are being written."""
    parts = list(ReleasePart.objects.filter(release=release).order_by("after"))
    if not parts:
        return None, ""
    slugs = [part.slug for part in parts if part.lease_until and not part.is_done]
    return sum(part.written for part in parts), ", ".join(slugs)
