"""What a takedown does to releases: those that hold one of its texts are suspended, and erased with it."""

from typing import TYPE_CHECKING

from exports import storage
from exports.facts import CARD, MANIFEST
from exports.models import Release, ReleaseRow
from review import depot

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from review.erasure import Erasing

KEPT = {CARD, MANIFEST}
"""What says of a release what it was, and holds no text of a record."""


def holding(records: "Collection[int]") -> "QuerySet[Release]":
    """Return the releases that hold any of these records."""
    return Release.objects.filter(pk__in=ReleaseRow.objects.filter(record__in=records).values("release"))


def names_of(records: "Collection[int]") -> list[str]:
    """Return the names of the releases that hold any of these records."""
    return list(holding(records).order_by("cut_at", "pk").values_list("name", flat=True))


def remove(erasing: "Erasing") -> None:
    """Remove the files of the releases that hold an erased text, in every format; card and manifest stay."""
    for release in holding(erasing.records):
        depot.clear(storage.folder_of(release), sparing=KEPT)
