"""The one writer of a record's state, current revision and verdict.

The moves that are allowed stand in `review.models.move.ALLOWED`. The database writes a `Move` for each record that
changes, in the same statement, and refuses a change that declares no cause or is not in that table.
"""

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from review.models import ALLOWED, Cause, State
from review.prepared import answer, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from review.models import Record, User

_DECLARE = "SELECT set_config('cqia.cause', %s, true), set_config('cqia.by', %s, true)"


def move(records: "QuerySet[Record]", *, cause: Cause, by: "User | None", **values: Any) -> int:
    """Change all `records` at once and return how many changed.

    `values` are fields of Record (`state`, `round`, `revision`, `verdict`, `rights`, `takedown`, `retraction`, `key`,
    `assignee`, …), each a value or an expression. Narrow `records` down to what was seen (its revision, its state):
    then a count lower than expected tells that somebody else was first.
    """
    with transaction.atomic(savepoint=False):
        _declare(cause, by)
        return records.update(**values)


def move_one(record: int, *, cause: Cause, by: "User | None", **columns: Any) -> None:
    """Change one record whose lock is held; `columns` are values of its columns (`state`, `verdict_id`, …)."""
    changed = ", ".join(f"{name} = %s" for name in columns)
    statement = f"UPDATE review_record SET {changed} WHERE id = %s"  # noqa: S608  names of ours
    with transaction.atomic(savepoint=False):
        _declare(cause, by)
        run(statement, [*columns.values(), record])


def replace_wording(rows: "Sequence[tuple[int, int, bytes, str]]", *, cause: Cause, by: "User | None") -> int:
    """Make another wording from the source current, for records that nobody has decided on.

    `rows` are (record, revision, duplicate key, state); the others stay as they are. Returns how many changed.
    """
    if not rows:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        _declare(cause, by)
        cursor.execute(
            "UPDATE review_record r SET revision_id = c.revision, key = c.key, state = c.state"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bytea[], %s::text[]) AS c(id, revision, key, state)"
            " WHERE r.id = c.id AND r.state IN ('waiting', 'unanswered')"
            " AND NOT EXISTS (SELECT 1 FROM review_decision d WHERE d.record_id = r.id)",
            [list(column) for column in zip(*rows, strict=True)],
        )
        return int(cursor.rowcount)


def _declare(cause: Cause, by: "User | None") -> None:
    """Tell the database why and by whom the next UPDATE of records is made."""
    answer(_DECLARE, [cause.value, "" if by is None else str(by.pk)])


def diagram() -> str:
    """Return the states and moves as a Mermaid diagram, one arrow for each pair of states with its causes."""
    causes: dict[tuple[State, State], list[str]] = {}
    for cause, moves in ALLOWED.items():
        for origin, targets in moves.items():
            for target in targets:
                if origin != target:
                    causes.setdefault((origin, target), []).append(cause.value)
    arrows = [f"    {origin} --> {target}: {', '.join(names)}" for (origin, target), names in sorted(causes.items())]
    entries = ["    [*] --> waiting: import", "    [*] --> unanswered: import, no answer yet"]
    return "\n".join(["stateDiagram-v2", *entries, *arrows])
