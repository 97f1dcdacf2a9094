"""The one door by which records enter, in bulk: a look-up of keys, then one COPY a table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from review import workflow
from review.models import Cause, State
from review.text.signature import content_hash, duplicate_key

if TYPE_CHECKING:
    from psycopg import Cursor

    from review.models import Batch


class Candidate(Protocol):
    """What a record needs to enter: the nine fields, where it stood, and what the file claimed.

    `major`, `minor` and `domain` may be None where the raw shape has no such field: then the source's own are taken.
    """

    @property
    def line(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def instruction(self) -> str: ...
    @property
    def input(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def major(self) -> Sequence[str] | None: ...
    @property
    def minor(self) -> Sequence[str] | None: ...
    @property
    def domain(self) -> Sequence[str] | None: ...
    @property
    def metadata(self) -> str: ...
    @property
    def answer_from(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def claimed_human_verified(self) -> bool | None: ...
    @property
    def claimed_copyright(self) -> str | None: ...


@dataclass(slots=True)
class Counted:
    """What became of the candidates: each in exactly one of the counts."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicate: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Incoming:
    """A candidate with its key, the source's defaults filled in."""

    candidate: Candidate
    key: bytes
    major: list[str]
    minor: list[str]
    domain: list[str]
    answer_from: str
    record: int = 0
    revision: int = 0
    number: int = 1
    lineage: "_Lineage | None" = None

    @property
    def state(self) -> str:
        return State.WAITING if self.candidate.output.strip() else State.UNANSWERED

    def wanted(self, share: float) -> int:
        """Return how many decisions are wanted: two for `share` of the records, drawn by the key, so repeatable."""
        return 2 if int.from_bytes(self.key[:8]) < share * 2**64 else 1

    def content(self) -> bytes:
        c = self.candidate
        return content_hash(
            instruction=c.instruction,
            input=c.input,
            output=c.output,
            major=self.major,
            minor=self.minor,
            domain=self.domain,
            metadata=c.metadata,
            answer_from=self.answer_from,
        )


@dataclass(slots=True)
class _Lineage:
    """A record known by its external id: the row, or the earlier line of this chunk that makes it."""

    owner: "int | _Incoming"
    number: int
    content: bytes


@dataclass(slots=True, frozen=True)
class _Known:
    """A record that is there already, as the look-ups see it."""

    pk: int
    source: int
    batch: int
    state: str
    takedown: int | None


@transaction.atomic
def add_records(candidates: Iterable[Candidate], *, batch: "Batch") -> Counted:
    """Take in a chunk of candidates (a few thousand at a time) of one batch, all or none, and count them.

    Runs inside the caller's transaction when there is one. Raises IntegrityError when another import took one of the
    keys in the same moment: the caller rolls back and gives the same chunk again.
    """
    incoming = [_prepared(candidate, batch) for candidate in candidates]
    counted = Counted()
    fresh, duplicates = _sift(incoming, batch, counted)
    new, changed = _split_changed(fresh, batch, counted)
    with connection.cursor() as cursor:
        _assign_ids(cursor, new, changed)
        _copy_revisions(cursor, [*new, *changed], batch)
        _copy_records(cursor, new, batch)
        _copy_originals(cursor, [*new, *changed], batch)
        _copy_duplicates(cursor, duplicates, batch)
    _replace_undecided(changed, batch)
    counted.new = len(new)
    counted.changed = len(changed)
    return counted


def _prepared(candidate: Candidate, batch: "Batch") -> _Incoming:
    source = batch.source
    return _Incoming(
        candidate,
        duplicate_key(candidate.instruction, candidate.input, candidate.output),
        _labels(candidate.major, source.major),
        _labels(candidate.minor, source.minor),
        _labels(candidate.domain, source.domain),
        source.answer_from if candidate.answer_from is None else candidate.answer_from,
    )


def _labels(given: Sequence[str] | None, usual: list[str]) -> list[str]:
    """Return the labels given, else the source's own where it has but one: of several, a person chooses."""
    if given is None:
        return usual if len(usual) == 1 else []
    return list(given)


def _sift(
    incoming: list[_Incoming], batch: "Batch", counted: Counted
) -> tuple[list[_Incoming], list[tuple[_Incoming, _Incoming | int]]]:
    """Divide into what is not known by its key, and what repeats a record or an earlier line of this chunk."""
    known = _known_keys([item.key for item in incoming])
    forbidden = _forbidden_keys([item.key for item in incoming])
    first: dict[bytes, _Incoming] = {}
    duplicates: list[tuple[_Incoming, _Incoming | int]] = []
    for item in incoming:
        record = known.get(item.key)
        if item.key in forbidden:
            counted.dropped[f"takedown {forbidden[item.key]}"] += 1
        elif record is None:
            if item.key in first:
                duplicates.append((item, first[item.key]))
            else:
                first[item.key] = item
        elif record.takedown is not None:
            counted.dropped[f"takedown {record.takedown}"] += 1
        elif record.source == batch.source_id and record.batch != batch.pk:
            counted.unchanged += 1
        else:
            duplicates.append((item, record.pk))
    counted.duplicate = len(duplicates)
    return list(first.values()), duplicates


def _known_keys(keys: list[bytes]) -> dict[bytes, _Known]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, id, source_id, batch_id, state, takedown_id FROM review_record"
            " WHERE key = ANY(%s) AND retraction_id IS NULL",
            [keys],
        )
        return {bytes(key): _Known(*rest) for key, *rest in cursor.fetchall()}


def _forbidden_keys(keys: list[bytes]) -> dict[bytes, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.key, m.takedown_id FROM review_takedownmatch m JOIN review_takedown t ON t.id = m.takedown_id"
            " WHERE m.key = ANY(%s) AND m.is_included AND t.state IN ('confirmed', 'erased')",
            [keys],
        )
        return {bytes(key): takedown for key, takedown in cursor.fetchall()}


def _split_changed(fresh: list[_Incoming], batch: "Batch", counted: Counted) -> tuple[list[_Incoming], list[_Incoming]]:
    """Part those whose external id is known (another wording of a record that is there) from the new ones."""
    names = {item.candidate.external_id for item in fresh} - {None}
    if not names:
        return fresh, []
    lineages = _lineages(batch.source_id, [name for name in names if name is not None])
    new: list[_Incoming] = []
    changed: list[_Incoming] = []
    for item in fresh:
        lineage = lineages.get(item.candidate.external_id or "")
        if lineage is None:
            new.append(item)
            if item.candidate.external_id is not None:
                lineages[item.candidate.external_id] = _Lineage(item, 1, item.content())
        elif lineage.content == item.content():
            counted.unchanged += 1
        else:
            lineage.number += 1
            lineage.content = item.content()
            item.lineage, item.number = lineage, lineage.number
            changed.append(item)
    return new, changed


def _lineages(source: int, names: list[str]) -> "dict[str, _Lineage]":
    """Return, by external id, the records of the source with their highest revision and what was imported last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.external_id, r.id, max(v.number),"
            " (array_agg(v.sha256 ORDER BY v.number DESC) FILTER (WHERE v.batch_id IS NOT NULL))[1]"
            " FROM review_record r JOIN review_revision v ON v.record_id = r.id"
            " WHERE r.source_id = %s AND r.external_id = ANY(%s) AND r.retraction_id IS NULL"
            " GROUP BY r.external_id, r.id",
            [source, names],
        )
        return {name: _Lineage(pk, number, bytes(content)) for name, pk, number, content in cursor.fetchall()}


def _assign_ids(cursor: "Cursor[Any]", new: list[_Incoming], changed: list[_Incoming]) -> None:
    """Draw a block of ids from each sequence, so that the rows can refer to one another before they are written."""
    for item, pk in zip(new, _block(cursor, "review_record", len(new)), strict=True):
        item.record = pk
    for item in changed:
        owner = item.lineage.owner if item.lineage else 0
        item.record = owner.record if isinstance(owner, _Incoming) else owner
    written = [*new, *changed]
    for item, pk in zip(written, _block(cursor, "review_revision", len(written)), strict=True):
        item.revision = pk


def _block(cursor: "Cursor[Any]", table: str, size: int) -> list[int]:
    cursor.execute(
        "SELECT nextval(sequence) FROM pg_get_serial_sequence(%s, 'id') AS sequence, generate_series(1, %s)",
        [table, size],
    )
    return [pk for (pk,) in cursor.fetchall()]


_COLUMNS: dict[str, dict[str, str]] = {
    "review_revision": {
        "id": "int8",
        "record_id": "int8",
        "number": "int2",
        "instruction": "text",
        "input": "text",
        "output": "text",
        "task_type": "jsonb",
        "domain": "jsonb",
        "metadata": "text",
        "answer_from": "varchar",
        "sha256": "bytea",
        "batch_id": "int8",
    },
    "review_record": {
        "id": "int8",
        "source_id": "int8",
        "external_id": "varchar",
        "key": "bytea",
        "batch_id": "int8",
        "wanted": "int2",
        "state": "varchar",
        "revision_id": "int8",
    },
    "review_original": {
        "record_id": "int8",
        "batch_id": "int8",
        "line": "int4",
        "offset": "int8",
        "raw": "bytea",
        "claimed_human_verified": "bool",
        "claimed_copyright": "text",
    },
    "review_duplicate": {"record_id": "int8", "batch_id": "int8", "line": "int4", "offset": "int8"},
}


def _copy(cursor: "Cursor[Any]", table: str, rows: Iterable[tuple[object, ...]]) -> None:
    columns = _COLUMNS[table]
    names = ", ".join(f'"{name}"' for name in columns)
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)


def _copy_revisions(cursor: "Cursor[Any]", items: list[_Incoming], batch: "Batch") -> None:
    _copy(
        cursor,
        "review_revision",
        (
            (
                item.revision,
                item.record,
                item.number,
                item.candidate.instruction,
                item.candidate.input,
                item.candidate.output,
                Jsonb({"major": item.major, "minor": item.minor}, orjson.dumps),
                Jsonb(item.domain, orjson.dumps),
                item.candidate.metadata,
                item.answer_from,
                item.content(),
                batch.pk,
            )
            for item in items
        ),
    )


def _copy_records(cursor: "Cursor[Any]", items: list[_Incoming], batch: "Batch") -> None:
    share = float(batch.source.second_looks) / 100
    _copy(
        cursor,
        "review_record",
        (
            (
                item.record,
                batch.source_id,
                item.candidate.external_id,
                item.key,
                batch.pk,
                item.wanted(share),
                item.state,
                item.revision,
            )
            for item in items
        ),
    )


def _copy_originals(cursor: "Cursor[Any]", items: list[_Incoming], batch: "Batch") -> None:
    _copy(
        cursor,
        "review_original",
        (
            (
                item.record,
                batch.pk,
                item.candidate.line,
                item.candidate.offset,
                item.candidate.raw,
                item.candidate.claimed_human_verified,
                item.candidate.claimed_copyright,
            )
            for item in items
        ),
    )


def _copy_duplicates(
    cursor: "Cursor[Any]", duplicates: list[tuple[_Incoming, _Incoming | int]], batch: "Batch"
) -> None:
    if not duplicates:
        return
    _copy(
        cursor,
        "review_duplicate",
        (
            (
                of.record if isinstance(of, _Incoming) else of,
                batch.pk,
                item.candidate.line,
                item.candidate.offset,
            )
            for item, of in duplicates
        ),
    )


def _replace_undecided(changed: list[_Incoming], batch: "Batch") -> None:
    """Make the new wording current where nobody has decided; elsewhere it waits as a revision beside the current."""
    last = {item.record: item for item in changed}
    rows = [(item.record, item.revision, item.key, str(item.state)) for item in last.values()]
    workflow.replace_wording(rows, cause=Cause.REIMPORT, by=batch.by)
