"""What PostgreSQL itself can do with the same records: one table, bare COPY in and out, the claim in plain SQL."""

import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

from psycopg import Connection

TABLE = """
    DROP TABLE IF EXISTS bench_floor;
    CREATE TABLE bench_floor (
        id bigint PRIMARY KEY, key bytea NOT NULL UNIQUE, state text NOT NULL, priority smallint NOT NULL,
        instruction text, input text, output text, task_type jsonb, domain jsonb, metadata text, answer_from text,
        human_verified boolean, copyright text, lease_until timestamptz
    );
    CREATE INDEX bench_floor_waiting ON bench_floor (priority DESC, id) WHERE state = 'waiting';
"""
COLUMNS = (
    "id, key, state, priority, instruction, input, output, task_type, domain, metadata, answer_from, human_verified,"
    " copyright"
)


def prepare(lines: Iterable[bytes]) -> bytes:
    """Return the rows as COPY takes them: nothing but the server is timed then."""
    return b"".join(_row(number, json.loads(line)) for number, line in enumerate(lines, start=1))


def _row(number: int, record: dict[str, Any]) -> bytes:
    key = sha256(f"{record['instruction']}{record['output']}{record['metadata']}".encode()).hexdigest()
    fields = [str(number), rf"\x{key}", "waiting", "0"]
    fields += [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in record.values()]
    escaped = (
        field.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") for field in fields
    )
    return "\t".join(escaped).encode() + b"\n"


def copy_in(connection: Connection[Any], rows: bytes) -> float:
    """Make the table anew, load the rows in one COPY and return the seconds that took, commit included."""
    connection.execute(TABLE)
    started = perf_counter()
    into = f"COPY bench_floor ({COLUMNS}) FROM STDIN"
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(into) as copy:
        for start in range(0, len(rows), 1 << 18):
            copy.write(rows[start : start + (1 << 18)])
    return perf_counter() - started


def copy_out(connection: Connection[Any], path: Path) -> float:
    """Write every row as JSON into a file, as `row_to_json` gives it, and return the seconds it took."""
    query = (
        "SELECT row_to_json(r) FROM (SELECT instruction, input, output, task_type, domain, metadata, answer_from,"
        " human_verified, copyright FROM bench_floor ORDER BY id) r"
    )
    started = perf_counter()
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
        for block in copy:
            file.write(block)
    return perf_counter() - started


def claim(connection: Connection[Any]) -> Callable[[], object]:
    """Return a call that claims the next row, in the one statement that is commonly used for it."""
    statement = (
        "UPDATE bench_floor SET lease_until = clock_timestamp() + interval '10 minutes', state = 'held' WHERE id ="
        " (SELECT id FROM bench_floor WHERE state = 'waiting' ORDER BY priority DESC, id LIMIT 1"
        " FOR UPDATE SKIP LOCKED) RETURNING id"
    )
    return lambda: connection.execute(statement).fetchone()
