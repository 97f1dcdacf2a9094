"""What differs between two releases: by their frozen rows, or by their folders alone. Both count alike."""

import gzip
import heapq
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import zstandard
from django.db import connection
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exports.facts import MANIFEST, RECORDS, of_form, placed
from exports.models import Release
from exports.options import CQIA
from exports.rows import aliased_labels
from review.models import NO_COPYRIGHT_STATED, Licence
from review.refused import Ground, Refused

_COPYRIGHT = b', "copyright": "'


class Change(TextChoices):
    """What has become of a record from one release to another."""

    ADDED = "added", gettext_lazy("added")
    CHANGED = "changed", gettext_lazy("changed")
    REMOVED = "removed", gettext_lazy("removed")
    RIGHTS = "rights_changed", gettext_lazy("rights changed")
    UNCHANGED = "unchanged", gettext_lazy("unchanged")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records changed in which way, by source; sources without a record in either are not named."""

    by_source: dict[str, dict[str, int]]

    @property
    def total(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for counts in self.by_source.values():
            found.update(counts)
        return {change.value: found[change.value] for change in Change}


class Pair(NamedTuple):
    """A record that differs: its revision and rights in the older and in the newer release, where it is in them."""

    record: int
    source: str
    change: str
    old_revision: int | None
    new_revision: int | None
    old_rights: int | None
    new_rights: int | None


_TEXTS = "instruction, wording.input, wording.output, wording.metadata, wording.answer_from"


def _wording(side: str, whose: str) -> str:
    """Return the SQL of what is published of a revision apart from its rights, under the label names of `whose`."""
    labels = aliased_labels(f"{whose}_aliases")
    return f"(SELECT (wording.{_TEXTS}, {labels}) FROM review_revision wording WHERE wording.id = {side}.revision_id)"  # noqa: S608  constants


def _rights(side: str) -> str:
    """Return the SQL of what is published of a record's rights."""
    return f"""COALESCE(
        (SELECT (licence, holder, published_text) FROM review_rights WHERE id = {side}.rights_id),
        (%(unknown)s::text, '', %(no_copyright)s::text)
    )"""  # noqa: S608  constants


def _slug(side: str, whose: str) -> str:
    """Return the SQL of a row's source: the rows of a release lie in its order of sources."""
    return f"(%({whose}_slugs)s::text[])[width_bucket({side}.position - 1, %({whose}_begins)s::int[])]"


_PAIRS = f"""
    SELECT COALESCE(n.record_id, o.record_id) AS record_id,
        CASE WHEN n.record_id IS NULL THEN {_slug("o", "old")} ELSE {_slug("n", "new")} END AS slug, CASE
        WHEN o.record_id IS NULL THEN 'added'
        WHEN n.record_id IS NULL THEN 'removed'
        WHEN (n.revision_id <> o.revision_id OR %(other_names)s)
            AND {_wording("o", "old")} IS DISTINCT FROM {_wording("n", "new")} THEN 'changed'
        WHEN n.rights_id IS DISTINCT FROM o.rights_id AND {_rights("o")}::text <> {_rights("n")}::text
            THEN 'rights_changed'
        ELSE 'unchanged' END AS change,
        o.revision_id AS old_revision, n.revision_id AS new_revision,
        o.rights_id AS old_rights, n.rights_id AS new_rights
    FROM (
        SELECT * FROM exports_releaserow WHERE release_id = %(old)s AND record_id > %(after)s
    ) o
    FULL JOIN (
        SELECT * FROM exports_releaserow WHERE release_id = %(new)s AND record_id > %(after)s
    ) n ON n.record_id = o.record_id
"""  # noqa: S608  constants


def _said(old: Release, new: Release, after: int = 0) -> dict[str, Any]:
    return {
        **_of("old", old),
        **_of("new", new),
        "after": after,
        "other_names": old.aliases != new.aliases,
        "unknown": Licence.UNKNOWN.value,
        "no_copyright": NO_COPYRIGHT_STATED,
    }


def _of(whose: str, release: Release) -> dict[str, Any]:
    numbers = [int(said["records"]) for said in release.sources]
    return {
        whose: release.pk,
        f"{whose}_slugs": [said["slug"] for said in release.sources],
        f"{whose}_begins": [0, *accumulate(numbers)][: len(numbers)],
        f"{whose}_aliases": json.dumps(release.aliases, ensure_ascii=False),
    }


def releases(old: Release, new: Release) -> Counts:
    """Count what differs between two releases, by their frozen rows."""
    sql = f"SELECT slug, change, count(*) FROM ({_PAIRS}) pairs GROUP BY slug, change ORDER BY slug, change"  # noqa: S608  constants
    with connection.cursor() as cursor:
        cursor.execute(sql, _said(old, new))
        rows = cursor.fetchall()
    found: dict[str, dict[str, int]] = {}
    for slug, change, number in rows:
        found.setdefault(slug, {})[change] = number
    return Counts(found)


def differing(  # noqa: PLR0913  each narrows the list
    old: Release, new: Release, *, after: int = 0, limit: int, change: str = "", source: str = ""
) -> list[Pair]:
    """Return the records that differ, in the order of their ids, from the one behind `after`."""
    sql = f"""
        SELECT record_id, slug, change, old_revision, new_revision, old_rights, new_rights
        FROM ({_PAIRS}) pairs
        WHERE change <> 'unchanged' AND (%(change)s = '' OR change = %(change)s)
            AND (%(source)s = '' OR slug = %(source)s)
        ORDER BY record_id LIMIT %(limit)s
    """  # noqa: S608  constants
    said = _said(old, new, after) | {"limit": limit, "change": change, "source": source}
    with connection.cursor() as cursor:
        cursor.execute(sql, said)
        return [Pair(*row) for row in cursor.fetchall()]


def folders(old: Path, new: Path) -> Counts:
    """Count what differs between two release folders, by their files alone, in constant memory."""
    before, now = _data_files(old), _data_files(new)
    found: dict[str, dict[str, int]] = {}
    for source in sorted(before.keys() | now.keys()):
        counts: Counter[str] = Counter()
        for change in _merged(_records(old, before.get(source, [])), _records(new, now.get(source, []))):
            counts[change] += 1
        found[source] = dict(counts)
    return Counts(found)


def _data_files(folder: Path) -> dict[str, list[str]]:
    """Return the data files of a folder by source."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        paths = of_form([str(file["path"]) for file in manifest["files"]], CQIA)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Refused(_("%(path)s holds no release.") % {"path": folder}, ground=Ground.INVALID) from error
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(placed(path)[0], []).append(path)
    return found


type _Record = tuple[int, bytes, bytes]
"""Id, a hash of the text, and a hash of the rights."""


def _records(folder: Path, paths: list[str]) -> Iterator[_Record]:
    """Yield the records of a source in the order of their ids, which is theirs in each of its files."""
    with ExitStack() as stack:
        yield from heapq.merge(*(_of_file(folder, path, stack) for path in paths), key=itemgetter(0))


def _of_file(folder: Path, path: str, stack: ExitStack) -> Iterator[_Record]:
    data = stack.enter_context(open_lines(folder / path))
    about = stack.enter_context(open_lines(folder / f"{RECORDS}/{path.partition('/')[2]}"))
    try:
        for line, record in zip(data, about, strict=True):
            end = line.rindex(_COPYRIGHT)
            said: dict[str, Any] = json.loads(record)
            rights = line[end:] + json.dumps([said["licence"], said["holder"]]).encode()
            yield int(said["id"]), sha256(line[:end]).digest(), sha256(rights).digest()
    except (ValueError, LookupError, TypeError, EOFError, zstandard.ZstdError) as error:
        raise Refused(_("%(path)s is not as a release writes it.") % {"path": folder / path}) from error


def _merged(old: Iterator[_Record], new: Iterator[_Record]) -> Iterator[str]:
    """Walk two ordered streams side by side and yield what became of each record."""
    before, now = next(old, None), next(new, None)
    while before or now:
        if now is None or (before and before[0] < now[0]):
            yield Change.REMOVED.value
            before = next(old, None)
        elif before is None or now[0] < before[0]:
            yield Change.ADDED.value
            now = next(new, None)
        else:
            yield _compared(before, now).value
            before, now = next(old, None), next(new, None)


def _compared(before: _Record, now: _Record) -> Change:
    if before[1] != now[1]:
        return Change.CHANGED
    return Change.UNCHANGED if before[2] == now[2] else Change.RIGHTS


def open_lines(path: Path) -> BinaryIO:
    """Open a file of lines for reading, decompressed by what its name ends with."""
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if path.suffix == ".zst":
        reader = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), closefd=True)
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader)))
    return path.open("rb")
