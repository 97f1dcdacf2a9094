"""What releases add to the sealed history: themselves, their files, and the links that their manifests vouch for."""

from collections.abc import Iterator

from django.db import connection
from django.utils.translation import gettext as _

from exports.models import FROZEN, FROZEN_SINCE, Artifact, Release
from review import sealing


def register() -> None:
    """Have releases sealed as they were cut, and their files as they were written."""
    release = sealing.Kind("release", Release, FROZEN, since=FROZEN_SINCE, filter="t.state <> 'planned'")
    sealing.register(release)
    sealing.register(sealing.Kind("artifact", Artifact, ("release", "path", "records", "bytes", "sha256")))
    if anchors not in sealing.ANCHORS:
        sealing.ANCHORS.append(anchors)
        sealing.CHECKS.append(wrong_rows)


def anchors() -> Iterator[sealing.Anchor]:
    """Yield the link that each release was anchored to when it was cut."""
    for version, anchor in Release.objects.exclude(anchor={}).order_by("pk").values_list("version", "anchor"):
        yield anchor["seal"], anchor["sha256"], version


ROWS = """(
    SELECT sha256(COALESCE(string_agg(convert_to(concat_ws(
        ' ', position, record_id, revision_id, verdict_id, COALESCE(rights_id, 0), external_id
    ) || E'\\n', 'UTF8'), ''::bytea ORDER BY position), ''::bytea))
    FROM exports_releaserow WHERE release_id = %s
)"""
"""The SQL of the hash of a release's rows, in their order: what its seal vouches for."""


def wrong_rows() -> Iterator[str]:
    """Name the releases whose rows are not those that their cut froze."""
    for release in Release.objects.exclude(rows_sha256=None).order_by("pk"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {ROWS}", [release.pk])
            (now,) = cursor.fetchone() or (b"",)
        if bytes(now) != bytes(release.rows_sha256 or b""):
            yield _("release %(version)s: its rows were changed, removed or added to") % {"version": release.version}
