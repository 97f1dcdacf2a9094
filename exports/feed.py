"""What changed since a cursor: the sealed history, told as what a consumer of one policy has to do.

A cursor is the number of a seal, `"123"`: everything up to it has been told. A decision on the rights of a source or
an import, a change of the policy and the merging of labels concern many records under one seal; between them the cursor
is `"123.45"`: of seal 123, all up to record 45.

What is told, and in which order, follows from the sealed rows alone, so that it is the same however often and from
wherever it is read: also what the policy let leave at the time, and which flags held back. Where the policy changes, or
labels are merged, each record concerned is told at that seal. The text is given only while the record may leave now:
what was taken down since is told without. Labels stand under the names that they have now, as in the live stream.
Every page is read in short statements of its own; no transaction waits for the reader.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.utils.translation import gettext as _

from exports import aliases
from exports.models import Policy
from exports.rows import lines_of
from exports.turns import Gates, renamed
from review.models import NO_COPYRIGHT_STATED, Licence, Record, Seal
from review.refused import Ground, Refused

PAGE_SEALS = 2000
PAGE_RECORDS = 1000
CURSOR = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?")
ADDED, CHANGED, RIGHTS, REMOVED = "added", "changed", "rights", "removed"

_MOVES = """
    SELECT seal.no, move.record_id, record.batch_id, record.source_id,
        move.to_state = 'approved' AND move.takedown_id IS NULL AND move.retraction_id IS NULL,
        move.revision_id, move.rights_id,
        COALESCE(
            before.to_state = 'approved' AND before.takedown_id IS NULL AND before.retraction_id IS NULL, false
        ), before.revision_id, before.rights_id
    FROM review_seal seal
    JOIN review_move move ON move.id = seal.row
    JOIN review_record record ON record.id = move.record_id
    LEFT JOIN LATERAL (
        SELECT * FROM review_move earlier WHERE earlier.record_id = move.record_id AND earlier.id < move.id
        ORDER BY earlier.id DESC LIMIT 1
    ) before ON true
    WHERE seal.no > %s AND seal.no <= %s AND seal.kind = 'move'
        AND (move.to_state = 'approved' OR before.to_state = 'approved')
    ORDER BY seal.no
"""
_IN_FORCE = """
    SELECT seal.no, rights.batch_id, rights.source_id, rights.id FROM review_rights rights
    JOIN review_seal seal ON seal.kind = 'rights' AND seal.row = rights.id
    WHERE (rights.batch_id IS NOT NULL OR rights.source_id IS NOT NULL) AND seal.no <= %s ORDER BY seal.no
"""
_STANDING = """
    SELECT record.id, move.revision_id, move.rights_id, record.batch_id, record.source_id FROM review_record record
    CROSS JOIN LATERAL (
        SELECT move.* FROM review_move move JOIN review_seal seal ON seal.kind = 'move' AND seal.row = move.id
        WHERE move.record_id = record.id AND seal.no < %(no)s ORDER BY move.id DESC LIMIT 1
    ) move
    WHERE record.id > %(after)s
        AND move.to_state = 'approved' AND move.takedown_id IS NULL AND move.retraction_id IS NULL
    ORDER BY record.id LIMIT %(limit)s
"""
_FLAGGED = "SELECT revision_id, rule FROM review_flag WHERE revision_id = ANY(%s) AND rule = ANY(%s)"
_BEARING = """
    SELECT id FROM review_revision WHERE id = ANY(%(revisions)s) AND (
        task_type -> 'major' ?| %(major)s::text[] OR task_type -> 'minor' ?| %(minor)s::text[]
        OR domain ?| %(domain)s::text[]
    )
"""
_BATCHES = "SELECT id, source_id FROM review_batch"
# Only what had moved by then can have been approved then.
_TOUCHED = """
    SELECT record.id, move.revision_id, record.batch_id FROM review_record record
    CROSS JOIN LATERAL (
        SELECT move.* FROM review_move move JOIN review_seal seal ON seal.kind = 'move' AND seal.row = move.id
        WHERE move.record_id = record.id AND seal.no < %(no)s ORDER BY move.id DESC LIMIT 1
    ) move
    WHERE record.batch_id = ANY(%(batches)s) AND record.id > %(after)s
        AND move.to_state = 'approved' AND move.takedown_id IS NULL AND move.retraction_id IS NULL
        AND move.rights_id IS NULL
    ORDER BY record.id LIMIT %(limit)s
"""


class Cursor(NamedTuple):
    """How far a reader is: all seals up to `no`; with `record`, all before `no`, and of it the records up to that."""

    no: int = 0
    record: int | None = None

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Return the cursor that a reader gives back; refused when it is none, or lies ahead of the history."""
        matched = CURSOR.fullmatch(text) if text.isascii() else None
        if matched is None:
            said = _("A cursor is what an earlier answer gave, such as 123 or 123.45; 0 is the beginning.")
            raise Refused(said, ground=Ground.INVALID)
        no, record = matched.groups()
        cursor = cls(int(no), None if record is None else int(record))
        if cursor.no > last():
            said = _("This cursor lies ahead of the history, perhaps restored from an earlier copy. Begin anew with 0.")
            raise Refused(said, ground=Ground.INVALID)
        return cursor

    def __str__(self) -> str:
        return f"{self.no}" if self.record is None else f"{self.no}.{self.record}"


class Event(NamedTuple):
    """One thing to do: its cursor, and the wording and rights that the record had then."""

    cursor: Cursor
    record: int
    change: str
    revision: int
    rights: int | None


def last() -> int:
    """Return the number of the last seal, 0 when nothing is sealed."""
    return Seal.objects.order_by("-no").values_list("no", flat=True).first() or 0


def lines(cursor: Cursor, upto: int, policy: Policy) -> Iterator[bytes]:
    """Yield what changed behind `cursor` up to the seal `upto` as lines of JSON, a page at a time."""
    in_force = _InForce(upto, Gates(policy, upto))
    for events in _pages(cursor, upto, in_force):
        if events:
            yield _written(events, policy)


def _pages(cursor: Cursor, upto: int, in_force: "_InForce") -> Iterator[list[Event]]:
    """Yield the events behind the cursor in pages, those of what concerns many records between those of moves."""
    after = cursor.no
    if cursor.record is not None:
        yield from _wide_pages(cursor.no, cursor.record, in_force)
    while after < upto:
        end = min(upto, after + PAGE_SEALS)
        for wide in in_force.wide(after, end):
            yield _moved(after, wide, in_force)
            yield from _wide_pages(wide, 0, in_force)
            after = wide
        yield _moved(after, end, in_force)
        after = end


def _moved(after: int, upto: int, in_force: "_InForce") -> list[Event]:
    """Return what the moves of single records, sealed behind `after` up to `upto`, mean."""
    moves = _rows(_MOVES, [after, upto])
    in_force.know({rights for row in moves for rights in (row[6], row[9])})
    in_force.look_at({revision for row in moves for revision in (row[5], row[8]) if revision})
    return [event for row in moves if (event := _event(row, in_force))]


def _event(row: tuple[Any, ...], in_force: "_InForce") -> Event | None:
    no, record, batch, source, is_live, revision, rights, was_live, before_revision, before_rights = row
    now = in_force.at(no, batch, source) if rights is None else rights
    before = in_force.at(no, batch, source) if before_rights is None else before_rights
    is_in = bool(is_live) and in_force.leaves(no, now, revision)
    was_in = bool(was_live) and in_force.leaves(no, before, before_revision)
    if is_in and was_in:
        change = _difference(revision != before_revision, in_force.published(now) != in_force.published(before))
    else:
        change = ADDED if is_in else REMOVED if was_in else ""
    return Event(Cursor(no), record, change, revision, now) if change else None


def _difference(is_reworded: bool, is_relicensed: bool) -> str:  # noqa: FBT001  two facts
    return CHANGED if is_reworded else RIGHTS if is_relicensed else ""


def _wide_pages(no: int, after: int, in_force: "_InForce") -> Iterator[list[Event]]:
    """Yield what is told of many records under one seal, in pages by their ids."""
    if no in in_force.turns:
        yield from _standing_pages(no, after, in_force, _turned)
    elif no in in_force.renamed:
        yield from _standing_pages(no, after, in_force, _relabelled)
    else:
        yield from _relicensed_pages(no, after, in_force)


def _relicensed_pages(no: int, after: int, in_force: "_InForce") -> Iterator[list[Event]]:
    """Yield what a decision on the rights of a source or an import means for its records."""
    changes = {batch: change for batch, change in in_force.changes(no).items() if change}
    batches = list(changes)
    while batches:
        said = {"no": no, "batches": batches, "after": after, "limit": PAGE_RECORDS}
        found = _rows(_TOUCHED, said)
        in_force.look_at({revision for _record, revision, _batch in found})
        yield [
            Event(Cursor(no, record), record, changes[batch], revision, in_force.of_batch(no, batch))
            for record, revision, batch in found
            if not in_force.is_flagged(no, revision)
        ]
        if len(found) < PAGE_RECORDS:
            return
        after = found[-1][0]


class _Standing(NamedTuple):
    """A record that was approved and neither taken down nor back when a seal was set, and its rights then."""

    record: int
    revision: int
    rights: int | None


type _Tell = Callable[[int, list[_Standing], _InForce], list[str]]


def _standing_pages(no: int, after: int, in_force: "_InForce", tell: "_Tell") -> Iterator[list[Event]]:
    """Yield what `tell` has to say of each approved record, in pages of those that were looked at."""
    number = PAGE_RECORDS
    while number == PAGE_RECORDS:
        found = _rows(_STANDING, {"no": no, "after": after, "limit": PAGE_RECORDS})
        standing = [
            _Standing(record, revision, in_force.at(no, batch, source) if rights is None else rights)
            for record, revision, rights, batch, source in found
        ]
        in_force.know({one.rights for one in standing})
        in_force.look_at({one.revision for one in standing})
        changes = zip(standing, tell(no, standing, in_force), strict=True)
        yield [
            Event(Cursor(no, one.record), one.record, change, one.revision, one.rights)
            for one, change in changes
            if change
        ]
        number, after = len(found), found[-1][0] if found else after


def _turned(no: int, standing: list[_Standing], in_force: "_InForce") -> list[str]:
    """Tell what a change of the policy means: what it lets leave now, and what it holds back."""
    changes = []
    for one in standing:
        is_in = in_force.leaves(no, one.rights, one.revision)
        was_in = in_force.leaves(no - 1, one.rights, one.revision)
        changes.append("" if is_in == was_in else ADDED if is_in else REMOVED)
    return changes


def _relabelled(no: int, standing: list[_Standing], in_force: "_InForce") -> list[str]:
    """Tell which records bear a label that is published under another name from now on."""
    said: dict[str, Any] = {kind: list(in_force.renamed[no].get(kind, ())) for kind in ("major", "minor", "domain")}
    rows = _rows(_BEARING, said | {"revisions": [one.revision for one in standing]})
    bearing = {revision for (revision,) in rows}
    return [
        CHANGED if one.revision in bearing and in_force.leaves(no, one.rights, one.revision) else "" for one in standing
    ]


class _InForce:
    """Which rights and which policy were in force at which seal, and what they let be published."""

    def __init__(self, upto: int, gates: Gates) -> None:
        self._gates = gates
        self.turns = set(gates.turns)
        self.renamed = renamed(upto)
        self._flags: dict[int, set[str]] = {}
        self._of_batch: dict[int, tuple[list[int], list[int]]] = {}
        self._of_source: dict[int, tuple[list[int], list[int]]] = {}
        self._decided: dict[int, tuple[int | None, int | None]] = {}
        self._known: dict[int | None, tuple[str, str, str]] = {None: (Licence.UNKNOWN.value, "", NO_COPYRIGHT_STATED)}
        self._sources: dict[int, int] = dict(_rows(_BATCHES, []))
        decided = _rows(_IN_FORCE, [upto])
        for no, batch, source, rights in decided:
            self._decided[no] = (batch, source)
            owner = self._of_source if batch is None else self._of_batch
            numbers, values = owner.setdefault(source if batch is None else batch, ([], []))
            numbers.append(no)
            values.append(rights)
        self.know({rights for _no, _batch, _source, rights in decided})

    def know(self, rights: Collection[int | None]) -> None:
        """Learn what these decisions say."""
        wanted = [one for one in rights if one not in self._known]
        if wanted:
            sql = "SELECT id, licence, holder, published_text FROM review_rights WHERE id = ANY(%s)"
            self._known |= {pk: (licence, holder, text) for pk, licence, holder, text in _rows(sql, [wanted])}

    def wide(self, after: int, upto: int) -> list[int]:
        """Return the seals of these under which many records are told."""
        return sorted(no for no in self.turns | self.renamed.keys() | self._decided.keys() if after < no <= upto)

    def look_at(self, revisions: Collection[int]) -> None:
        """Learn which flags these wordings have, of those that ever held anything back; forget the others'."""
        self._flags = {}
        if self._gates.heeded:
            for revision, rule in _rows(_FLAGGED, [list(revisions), sorted(self._gates.heeded)]):
                self._flags.setdefault(revision, set()).add(rule)

    def is_flagged(self, no: int, revision: int) -> bool:
        """Tell whether a flag of a wording held it back at seal `no`."""
        return not self._gates.at(no).flags.isdisjoint(self._flags.get(revision, ()))

    def leaves(self, no: int, rights: int | None, revision: int) -> bool:
        """Tell whether an approved wording under these rights left at seal `no`."""
        return self._allows(no, rights) and not self.is_flagged(no, revision)

    def at(self, no: int, batch: int, source: int) -> int | None:
        """Return the decision in force for an import once seal `no` is set: its own, else that of its source."""
        own = _until(self._of_batch.get(batch), no)
        return _until(self._of_source.get(source), no) if own is None else own

    def of_batch(self, no: int, batch: int) -> int | None:
        return self.at(no, batch, self._sources[batch])

    def changes(self, no: int) -> dict[int, str]:
        """Return what the wide decision of seal `no` changes for the records of each import that it concerns."""
        batch, source = self._decided.get(no, (None, None))
        concerned = [batch] if batch is not None else [pk for pk, of in self._sources.items() if of == source]
        return {pk: self._change(no, self.of_batch(no - 1, pk), self.of_batch(no, pk)) for pk in concerned}

    def _change(self, no: int, before: int | None, now: int | None) -> str:
        is_in, was_in = self._allows(no, now), self._allows(no, before)
        if is_in and was_in:
            return _difference(False, self.published(now) != self.published(before))  # noqa: FBT003  see there
        return ADDED if is_in else REMOVED if was_in else ""

    def _allows(self, no: int, rights: int | None) -> bool:
        return self._known[rights][0] in self._gates.at(no).licences

    def published(self, rights: int | None) -> tuple[str, str, str]:
        return self._known[rights]


def _until(decided: tuple[list[int], list[int]] | None, no: int) -> int | None:
    if decided is None:
        return None
    numbers, values = decided
    place = bisect_right(numbers, no)
    return values[place - 1] if place else None


def _written(events: list[Event], policy: Policy) -> bytes:
    """Write a page of events; the text of each whose record may leave now."""
    told = {event.record for event in events if event.change != REMOVED}
    leaving = Record.objects.releasable(policy.licences, without=policy.holds_back_flags)
    free = set(leaving.filter(pk__in=told).values_list("pk", flat=True))
    given = [event.change != REMOVED and event.record in free for event in events]
    wanted = {(event.revision, event.rights) for event, is_given in zip(events, given, strict=True) if is_given}
    texts = lines_of(list(wanted), aliases.current())
    return b"".join(
        _line(event, texts[event.revision, event.rights] if is_given else None)
        for event, is_given in zip(events, given, strict=True)
    )


def _line(event: Event, text: bytes | None) -> bytes:
    head = f'{{"cursor": "{event.cursor}", "id": {event.record}, "change": "{event.change}", "record": '
    return head.encode() + (text or b"null") + b"}\n"


def _rows(sql: str, said: list[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, said)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
