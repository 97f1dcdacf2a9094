"""What releases add to the sealed history: themselves, their files, and the links that their manifests vouch for."""

from collections.abc import Iterator

from exports.models import FROZEN, Artifact, Release
from review import sealing


def register() -> None:
    """Have releases sealed as they were cut, and their files as they were written."""
    sealing.register(sealing.Kind("release", Release, FROZEN, filter="t.state <> 'planned'"))
    sealing.register(sealing.Kind("artifact", Artifact, ("release", "path", "records", "bytes", "sha256")))
    if anchors not in sealing.ANCHORS:
        sealing.ANCHORS.append(anchors)


def anchors() -> Iterator[sealing.Anchor]:
    """Yield the link that each release was anchored to when it was cut."""
    for version, anchor in Release.objects.exclude(anchor={}).order_by("pk").values_list("version", "anchor"):
        yield anchor["seal"], anchor["sha256"], version
