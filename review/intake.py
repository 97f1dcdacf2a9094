"""The one door by which records enter, in bulk: a look-up of keys, then one COPY a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from review import unread, workflow
from review.flags import Places, places
from review.models import Cause, Intake, State
from review.text.rules import Texts
from review.text.signature import content_hash, duplicate_key

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

    from review.models import Batch, Source
    from review.text.draw import Looks


class Candidate(Protocol):
    """What a record needs to enter: the nine fields, where it stood, and what the file claimed.

    `major`, `minor`, `domain` and `answer_from` may be None where the raw shape has no such field: then the source's
    own are taken.
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
    @property
    def repairs(self) -> Sequence[str]: ...


@dataclass(slots=True)
class Counted:
    """What became of the candidates: each in exactly one of the counts."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicate: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Prepared:
    """A candidate with its key and its content, the source's defaults filled in: all that needs no database."""

    candidate: Candidate
    key: bytes
    content: bytes
    major: Sequence[str]
    minor: Sequence[str]
    domain: Sequence[str]
    answer_from: str
    flags: Places = field(default_factory=dict)
    revision: int = 0

    @property
    def state(self) -> State:
        return State.WAITING if self.candidate.output.strip() else State.UNANSWERED

    def original_hashes(self) -> bytes:
        """Return the hashes of what stood in the file: of the raw line and of the copyright text that it claims."""
        claimed = self.candidate.claimed_copyright or ""
        return sha256(self.candidate.raw).digest() + sha256(claimed.encode()).digest()

    def texts(self, source: "Source") -> Texts:
        """Return what rules look at."""
        candidate = self.candidate
        texts = (candidate.instruction, candidate.input, candidate.output, candidate.metadata)
        return Texts(*texts, self.major, self.minor, self.domain, self.answer_from, source.names)

    def wanted(self, rule: "Looks") -> int:
        """Return how many decisions are wanted, by the source's rule for second looks."""
        candidate = self.candidate
        length = len(candidate.instruction) + len(candidate.input) + len(candidate.output)
        is_flagged = bool(self.flags)
        return rule.wanted(self.key, length=length, answer_from=self.answer_from, is_flagged=is_flagged)


def prepared(candidate: Candidate, *, source: "Source") -> Prepared:
    """Do for `add_records` what can be done ahead of it, in another thread: it touches no database."""
    major, minor = _labels(candidate.major, source.major), _labels(candidate.minor, source.minor)
    domain = _labels(candidate.domain, source.domain)
    answer_from = source.answer_from if candidate.answer_from is None else candidate.answer_from
    content = content_hash(
        instruction=candidate.instruction,
        input=candidate.input,
        output=candidate.output,
        major=major,
        minor=minor,
        domain=domain,
        metadata=candidate.metadata,
        answer_from=answer_from,
    )
    key = duplicate_key(candidate.instruction, candidate.input, candidate.output)
    made = Prepared(candidate, key, content, major, minor, domain, answer_from)
    made.flags = places(made.texts(source), source=source)
    return made


def _labels(given: Sequence[str] | None, usual: Sequence[str]) -> Sequence[str]:
    """Return the labels given, else the source's own where it has but one: of several, a person chooses."""
    if given is None:
        return usual if len(usual) == 1 else ()
    return given


@transaction.atomic
def add_records(candidates: Iterable[Candidate] | Sequence[Prepared], *, batch: "Batch") -> Counted:
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


def count_records(candidates: Iterable[Candidate] | Sequence[Prepared], *, ledger: "Ledger") -> Counted:
    """Count a chunk as `add_records` would, without writing; the ledger carries what earlier chunks would have done."""
    ledger.enter(_ready(candidates, ledger.batch))
    counted = ledger.counted
    ledger.turn_page()
    return counted


def _ready(candidates: Iterable[Candidate] | Sequence[Prepared], batch: "Batch") -> list[Prepared]:
    return [item if isinstance(item, Prepared) else prepared(item, source=batch.source) for item in candidates]


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
    first: Prepared | None = None
    """The line that makes it, when this chunk does."""
    current: Prepared | None = None
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
        self.revisions: list[tuple[_Known, int, Prepared]] = []
        self.duplicates: list[tuple[_Known, Prepared]] = []
        self.waves: list[dict[int, Prepared]] = [{}]
        self._freed: set[bytes] = set()

    def enter(self, incoming: Sequence[Prepared]) -> None:
        """Decide on every line of a chunk, in order."""
        self._look_up(incoming)
        for item in incoming:
            self._enter(item)
        self.counted.new = len(self.new)
        self.counted.duplicate = len(self.duplicates)

    def _enter(self, item: Prepared) -> None:
        if item.key in self._forbidden:
            self._drop(self._forbidden[item.key])
            return
        by_key = self._keys.get(item.key)
        known = by_key or self._names.get(item.candidate.external_id or "")
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

    def _add(self, item: Prepared) -> None:
        known = _Known(item.key, content=item.content, first=item, current=item)
        self._keys[item.key] = known
        if item.candidate.external_id is not None:
            self._names[item.candidate.external_id] = known
        self.new.append(known)
        self.revisions.append((known, 1, item))

    def _change(self, known: _Known, item: Prepared) -> None:
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

    def _into_wave(self, known: _Known, item: Prepared) -> None:
        """Put off the UPDATE of a record that is there; one that takes a key given up in this wave goes into the next.

        Within one statement PostgreSQL checks a unique index row by row, in an order of its own.
        """
        if known.pk in self.waves[-1] or item.key in self._freed:
            self.waves.append({})
            self._freed.clear()
        self.waves[-1][known.pk] = item
        self._freed.add(known.key)

    def _look_up(self, incoming: Sequence[Prepared]) -> None:
        keys = _bytea_array([item.key for item in incoming])
        self._forbidden = dict(_rows(_FORBIDDEN, [keys]))
        for key, pk, source, is_touched, takedown in _rows(_BY_KEY, [self.batch.pk, keys]):
            if pk not in self._records:
                is_own = source == self.batch.source_id
                known = _Known(key, pk, is_own=is_own, is_touched=is_touched, takedown=takedown, is_repeated=False)
                self._records[pk] = known
            if self._records[pk].key == key:  # and an earlier chunk has not given it another one
                self._keys[key] = self._records[pk]
        self._look_up_names(incoming)

    def _look_up_names(self, incoming: Sequence[Prepared]) -> None:
        """Find the records that may get another wording, and those that then lose a key to a line that follows."""
        named = [(item.key, item.candidate.external_id) for item in incoming if item.candidate.external_id is not None]
        names = {name for key, name in named if key not in self._keys} - self._names.keys()
        asked: set[str] = set()
        while names:
            given_up = {self._learn(*row) for row in _rows(_BY_NAME, [self.batch.pk, self.batch.source_id, [*names]])}
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


def _rows(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


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
    if ledger.duplicates:
        _copy(cursor, "review_duplicate", _duplicate_rows(ledger))
    if ledger.revisions:
        _write_audit_row(ledger)
    unread.note([known.pk for known in ledger.new])


def _write_audit_row(ledger: Ledger) -> None:
    """Write the one row that the hash chain seals for all wordings of the chunk."""
    items = [item for _known, _number, item in ledger.revisions]
    content = sha256(b"".join([item.content for item in items])).digest()
    originals = sha256(b"".join([item.original_hashes() for item in items])).digest()
    revisions = [item.revision for item in items]
    Intake.objects.create(batch=ledger.batch, revisions=revisions, sha256=content, originals=originals)


def _block(cursor: "CursorWrapper", table: str, size: int) -> list[int]:
    """Draw ids from the sequence of a table, so that the rows can refer to one another before they are written."""
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
        "repairs": "varchar[]",
    },
    "review_flag": {"record_id": "int8", "revision_id": "int8", "rule": "varchar", "spans": "jsonb"},
    "review_duplicate": {"record_id": "int8", "batch_id": "int8", "line": "int4", "offset": "int8"},
}

type _Rows = Iterator[tuple[object, ...]]


def _copy(cursor: "CursorWrapper", table: str, rows: _Rows) -> None:
    columns = _COLUMNS[table]
    names = ", ".join(f'"{name}"' for name in columns)
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)


def _revision_rows(ledger: Ledger) -> _Rows:
    for known, number, item in ledger.revisions:
        candidate = item.candidate
        yield (
            item.revision,
            known.pk,
            number,
            candidate.instruction,
            candidate.input,
            candidate.output,
            _jsonb({"major": item.major, "minor": item.minor}),
            _jsonb(item.domain),
            candidate.metadata,
            item.answer_from,
            item.content,
            ledger.batch.pk,
        )


def _jsonb(value: object) -> Jsonb:
    return Jsonb(value, orjson.dumps)


def _record_rows(ledger: Ledger) -> _Rows:
    rule = ledger.batch.source.second_look_rule
    for known in ledger.new:
        first, current = known.first, known.current
        if first and current:
            yield (
                known.pk,
                ledger.batch.source_id,
                first.candidate.external_id,
                known.key,
                ledger.batch.pk,
                first.wanted(rule),
                current.state.value,
                current.revision,
            )


def _original_rows(ledger: Ledger) -> _Rows:
    for known, _number, item in ledger.revisions:
        candidate = item.candidate
        yield (
            known.pk,
            ledger.batch.pk,
            candidate.line,
            candidate.offset,
            candidate.raw,
            candidate.claimed_human_verified,
            candidate.claimed_copyright,
            list(candidate.repairs),
        )


def _flag_rows(ledger: Ledger) -> _Rows:
    for known, _number, item in ledger.revisions:
        for rule, spans in item.flags.items():
            yield known.pk, item.revision, rule, _jsonb([tuple(span) for span in spans])


def _duplicate_rows(ledger: Ledger) -> _Rows:
    for known, item in ledger.duplicates:
        yield known.pk, ledger.batch.pk, item.candidate.line, item.candidate.offset
