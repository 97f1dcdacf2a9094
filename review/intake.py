"""The one door by which records enter, in bulk: a look-up of keys, then one COPY a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import batched, chain
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from review import unread, workflow
from review.entries import Candidate, Entry, prepared
from review.models import Cause, State
from review.prepared import rows
from review.text import copying

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

    from review.models import Batch


@dataclass(slots=True)
class Counted:
    """What became of the candidates: each in exactly one of the counts."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicate: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@transaction.atomic
def add_records(candidates: Iterable[Candidate] | Sequence[Entry], *, batch: "Batch") -> Counted:
    """Take in a chunk of candidates (a few thousand at a time) of one batch, all or none, and count them.

    The counts and what is stored do not depend on how the lines of a batch are cut into chunks. Runs inside the
    caller's transaction when there is one. Raises IntegrityError when another import took one of the keys in the same
    moment: the caller rolls back and gives the same chunk again.
    """
    ledger = Ledger(batch)
    ledger.enter(_ready(candidates, batch))
    with connection.wrap_database_errors, connection.cursor() as cursor:
        _write(cursor, ledger)
    return ledger.counted


def count_records(candidates: Iterable[Candidate] | Sequence[Entry], *, ledger: "Ledger") -> Counted:
    """Count a chunk as `add_records` would, without writing; the ledger carries what earlier chunks would have done."""
    ledger.enter(_ready(candidates, ledger.batch))
    counted = ledger.counted
    ledger.turn_page()
    return counted


def _ready(candidates: Iterable[Candidate] | Sequence[Entry], batch: "Batch") -> list[Entry]:
    return [item if isinstance(item, Entry) else prepared(item, source=batch.source).entry for item in candidates]


@dataclass(slots=True)
class _Known:
    """A live record that the chunk meets: as the database has it, and as the lines so far have left it."""

    key: bytes
    pk: int = 0
    is_own: bool = True
    """Of the batch's source."""
    is_touched: bool = True
    """Its current wording came in with this very batch."""
    is_open: bool = True
    """Nobody has decided on it: another wording replaces the current one."""
    takedown: int | None = None
    number: int = 1
    """Of its last revision."""
    content: bytes = b""
    """Of the wording that was imported last."""
    is_repeated: bool = True
    """That wording came in with this very batch."""
    first: Entry | None = None
    """The line that makes it, when this chunk does."""
    current: Entry | None = None
    """The line whose wording it has in the end, when that is one of this chunk."""


class Ledger:
    """Decides line by line what becomes of each, on what the database knows and what earlier lines have done."""

    def __init__(self, batch: "Batch") -> None:
        self.batch = batch
        self._keys: dict[bytes, _Known] = {}
        self._names: dict[str, _Known] = {}
        self._records: dict[int, _Known] = {}
        self._forbidden: dict[bytes, int] = {}
        self.turn_page()

    def turn_page(self) -> None:
        """Begin another chunk: forget what the last one looked up, but not what it would have changed."""
        self._keys = {key: known for key, known in self._keys.items() if known.is_touched}
        self._names = {name: known for name, known in self._names.items() if known.is_touched or known.is_repeated}
        self._records = {known.pk: known for known in self._names.values() if known.pk}
        self.counted = Counted()
        self.new: list[_Known] = []
        self.revisions: list[tuple[_Known, int, Entry]] = []
        self.duplicates: list[tuple[_Known, Entry]] = []
        self.waves: list[dict[int, Entry]] = [{}]
        self._freed: set[bytes] = set()

    def enter(self, incoming: Sequence[Entry]) -> None:
        """Decide on every line of a chunk, in order."""
        self._look_up(incoming)
        for item in incoming:
            self._enter(item)
        self.counted.new = len(self.new)
        self.counted.duplicate = len(self.duplicates)

    def _enter(self, item: Entry) -> None:
        if item.key in self._forbidden:
            self._drop(self._forbidden[item.key])
            return
        by_key = self._keys.get(item.key)
        known = by_key or self._names.get(item.external_id or "")
        if known is None:
            self._add(item)
        elif known.takedown is not None:
            self._drop(known.takedown)
        elif by_key is None and known.content != item.content:
            self._change(known, item)
        elif not known.is_own or (known.is_touched if by_key else known.is_repeated):
            self.duplicates.append((known, item))
        else:
            self.counted.unchanged += 1

    def _drop(self, takedown: int) -> None:
        self.counted.dropped[f"takedown {takedown}"] += 1

    def _add(self, item: Entry) -> None:
        known = _Known(item.key, content=item.content, first=item, current=item)
        self._keys[item.key] = known
        if item.external_id is not None:
            self._names[item.external_id] = known
        self.new.append(known)
        self.revisions.append((known, 1, item))

    def _change(self, known: _Known, item: Entry) -> None:
        """Give a record of the source another wording: the current one, or where decided, one that waits beside it."""
        self.counted.changed += 1
        known.number += 1
        known.content, known.is_repeated = item.content, True
        self.revisions.append((known, known.number, item))
        if not known.is_open:
            return
        if not known.first:
            self._into_wave(known, item)
        self._keys.pop(known.key, None)
        self._keys[item.key] = known
        known.key, known.is_touched, known.current = item.key, True, item

    def _into_wave(self, known: _Known, item: Entry) -> None:
        """Put off the UPDATE of a record that is there; one that takes a key given up in this wave goes into the next.

        Within one statement PostgreSQL checks a unique index row by row, in an order of its own.
        """
        if known.pk in self.waves[-1] or item.key in self._freed:
            self.waves.append({})
            self._freed.clear()
        self.waves[-1][known.pk] = item
        self._freed.add(known.key)

    def _look_up(self, incoming: Sequence[Entry]) -> None:
        keys = _bytea_array([item.key for item in incoming])
        self._forbidden = dict(rows(_FORBIDDEN, [keys]))
        for key, pk, source, is_touched, takedown in rows(_BY_KEY, [self.batch.pk, keys]):
            if pk not in self._records:
                is_own = source == self.batch.source_id
                known = _Known(key, pk, is_own=is_own, is_touched=is_touched, takedown=takedown, is_repeated=False)
                self._records[pk] = known
            if self._records[pk].key == key:  # and an earlier chunk has not given it another one
                self._keys[key] = self._records[pk]
        self._look_up_names(incoming)

    def _look_up_names(self, incoming: Sequence[Entry]) -> None:
        """Find the records that may get another wording, and those that then lose a key to a line that follows."""
        named = [(item.key, item.external_id) for item in incoming if item.external_id is not None]
        names = {name for key, name in named if key not in self._keys} - self._names.keys()
        asked: set[str] = set()
        while names:
            given_up = {self._learn(*row) for row in rows(_BY_NAME, [self.batch.pk, self.batch.source_id, [*names]])}
            asked |= names
            names = {name for key, name in named if key in given_up} - self._names.keys() - asked

    def _learn(self, name: str, pk: int, key: bytes, *rest: Any) -> bytes:
        known = self._names[name] = self._records.setdefault(pk, _Known(key, pk))
        known.takedown, known.is_open, known.is_touched, known.number, known.content, known.is_repeated = rest
        return key


_FORBIDDEN = """
    SELECT m.key, m.takedown_id FROM review_takedownmatch m JOIN review_takedown t ON t.id = m.takedown_id
    WHERE m.key = ANY(%s::bytea[]) AND m.is_included AND t.state IN ('confirmed', 'erased')
"""
_BY_KEY = """
    SELECT r.key, r.id, r.source_id, r.batch_id = b.id OR v.batch_id IS NOT DISTINCT FROM b.id, r.takedown_id
    FROM (SELECT %s::bigint) b(id), review_record r JOIN review_revision v ON v.id = r.revision_id
    WHERE r.key = ANY(%s::bytea[]) AND r.retraction_id IS NULL
"""
_BY_NAME = """
    SELECT r.external_id, r.id, r.key, r.takedown_id,
           r.state IN ('waiting', 'unanswered')
           AND NOT EXISTS (SELECT 1 FROM review_decision d WHERE d.record_id = r.id),
           r.batch_id = b.id OR c.batch_id IS NOT DISTINCT FROM b.id,
           n.last, i.sha256, i.batch_id = b.id
    FROM (SELECT %s::bigint) b(id), review_record r
    JOIN review_revision c ON c.id = r.revision_id
    CROSS JOIN LATERAL (SELECT max(number) FROM review_revision WHERE record_id = r.id) n(last)
    CROSS JOIN LATERAL (SELECT sha256, batch_id FROM review_revision v WHERE record_id = r.id AND batch_id IS NOT NULL
                        AND NOT EXISTS (SELECT 1 FROM review_retraction t WHERE t.batch_id = v.batch_id)
                        ORDER BY number DESC LIMIT 1) i
    WHERE r.source_id = %s AND r.external_id = ANY(%s) AND r.retraction_id IS NULL
"""


def _bytea_array(keys: Iterable[bytes]) -> str:
    """Return an array as PostgreSQL reads it; the driver would quote element by element, at three times the cost."""
    return "{" + ",".join([f'"\\\\x{key.hex()}"' for key in keys]) + "}"


def _write(cursor: "CursorWrapper", ledger: Ledger) -> None:
    batch = ledger.batch
    for known, pk in zip(ledger.new, _block(cursor, "review_record", len(ledger.new)), strict=True):
        known.pk = pk
    for (_known, _number, item), pk in zip(
        ledger.revisions, _block(cursor, "review_revision", len(ledger.revisions)), strict=True
    ):
        item.revision = pk
    # First what gives keys up, then the rows that may take them; the foreign keys are checked at the end.
    for wave in ledger.waves:
        rows = [(pk, item.revision, item.key, item.state.value) for pk, item in wave.items()]
        workflow.replace_wording(rows, cause=Cause.REIMPORT, by=batch.by)
    _copy(cursor, "review_revision", _revision_rows(ledger))
    _copy(cursor, "review_record", _record_rows(ledger))
    _copy(cursor, "review_original", _original_rows(ledger))
    _copy(cursor, "review_flag", _flag_rows(ledger))
    _write_scores(cursor, ledger)
    if ledger.duplicates:
        _copy(cursor, "review_duplicate", _duplicate_rows(ledger))
    if ledger.revisions:
        _write_audit_row(cursor, ledger)
    unread.note([known.pk for known in ledger.new])


def _write_scores(cursor: "CursorWrapper", ledger: Ledger) -> None:
    """Keep what the wordings that are current now are worth, in place of what those before them were."""
    current = [(known, item) for known, _number, item in ledger.revisions if known.current is item]
    if replaced := [known.pk for known, _item in current if not known.first]:
        cursor.execute("DELETE FROM review_score WHERE record_id = ANY(CAST(%s AS bigint[]))", [unread.array(replaced)])
    if any(item.score for _known, item in current):
        _copy(cursor, "review_score", _score_rows(current))


def _write_audit_row(cursor: "CursorWrapper", ledger: Ledger) -> None:
    """Write the one row that the hash chain seals for all wordings of the chunk."""
    items = [item for _known, _number, item in ledger.revisions]
    content = sha256(b"".join([item.content for item in items])).digest()
    originals = sha256(b"".join([item.raw_hash + item.claimed_hash for item in items])).digest()
    revisions = unread.array([item.revision for item in items])
    cursor.execute(
        "INSERT INTO review_intake (batch_id, revisions, sha256, originals) VALUES (%s, CAST(%s AS bigint[]), %s, %s)",
        [ledger.batch.pk, revisions, content, originals],
    )


def _block(cursor: "CursorWrapper", table: str, size: int) -> list[int]:
    """Draw ids from the sequence of a table, so that the rows can refer to one another before they are written."""
    cursor.execute(
        "SELECT string_agg(nextval(sequence)::text, ' ')"
        " FROM pg_get_serial_sequence(%s, 'id') AS sequence, generate_series(1, %s)",
        [table, size],
    )
    return [int(pk) for pk in (cursor.fetchone()[0] or "").split()]


_COLUMNS = {
    "review_revision": (
        *("id", "record_id", "number", "batch_id"),
        *("instruction", "input", "output", "task_type", "domain", "metadata", "answer_from", "sha256"),
    ),
    "review_record": ("id", "source_id", "external_id", "key", "batch_id", "wanted", "state", "revision_id"),
    "review_original": (
        *("record_id", "batch_id"),
        *("line", "offset", "raw", "claimed_human_verified", "claimed_copyright", "repairs"),
    ),
    "review_score": ("record_id", "value", "scorer", "unscored"),
    "review_flag": ("record_id", "revision_id", "rule", "spans"),
    "review_duplicate": ("record_id", "batch_id", "line", "offset"),
}

PIECES_AT_ONCE = 256
"""Of rows that are sent together."""
type _Pieces = Iterator[bytes]
"""Rows, in pieces: what is long is not copied before all of them are put together."""


def _copy(cursor: "CursorWrapper", table: str, pieces: _Pieces) -> None:
    """Send the rows by some hundred kilobytes: the next ones are put together while the database takes in the last."""
    names = ", ".join(f'"{name}"' for name in _COLUMNS[table])
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        for some in batched(chain([copying.BEGIN], pieces, [copying.END]), PIECES_AT_ONCE):
            copy.write(b"".join(some))


def _beginning(table: str) -> bytes:
    """Return what every row of a table begins with."""
    return copying.count(len(_COLUMNS[table]))


def _revision_rows(ledger: Ledger) -> _Pieces:
    begin, batch = _beginning("review_revision"), copying.bigint(ledger.batch.pk)
    for known, number, item in ledger.revisions:
        yield begin + copying.bigint(item.revision) + copying.bigint(known.pk) + copying.smallint(number) + batch
        yield item.wording


def _record_rows(ledger: Ledger) -> _Pieces:
    rule = ledger.batch.source.second_look_rule
    begin, source = _beginning("review_record"), copying.bigint(ledger.batch.source_id)
    batch = copying.bigint(ledger.batch.pk)
    states = {state: copying.text(state.value) for state in State}
    for known in ledger.new:
        first, current = known.first, known.current
        if first and current:
            yield begin + copying.bigint(known.pk) + source + copying.optional(first.external_id)
            yield copying.data(known.key) + batch + copying.smallint(first.wanted(rule))
            yield states[current.state] + copying.bigint(current.revision)


def _original_rows(ledger: Ledger) -> _Pieces:
    begin, batch = _beginning("review_original"), copying.bigint(ledger.batch.pk)
    for known, _number, item in ledger.revisions:
        yield begin + copying.bigint(known.pk) + batch
        yield item.original


def _flag_rows(ledger: Ledger) -> _Pieces:
    begin = _beginning("review_flag")
    for known, _number, item in ledger.revisions:
        if item.flags:
            owner = begin + copying.bigint(known.pk) + copying.bigint(item.revision)
            yield from [owner + flag for flag in item.flags]


def _score_rows(current: "list[tuple[_Known, Entry]]") -> _Pieces:
    begin = _beginning("review_score")
    return (begin + copying.bigint(known.pk) + item.score for known, item in current if item.score)


def _duplicate_rows(ledger: Ledger) -> _Pieces:
    begin, batch = _beginning("review_duplicate"), copying.bigint(ledger.batch.pk)
    for known, item in ledger.duplicates:
        yield begin + copying.bigint(known.pk) + batch + copying.integer(item.line) + copying.bigint(item.offset)
