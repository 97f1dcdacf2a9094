"""What is made ready for COPY is what PostgreSQL takes in."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from review.text import copying

VALUES: list[tuple[str, Callable[[Any], bytes], Any]] = [
    ("bytea", copying.data, b"\x00\xff\n\\"),
    ("bytea", copying.data, b""),
    ("text", copying.text, "一\t二\n\\N\u2028😀"),
    ("text", copying.optional, ""),
    ("text", copying.optional, None),
    ("jsonb", copying.jsonb, {"major": ["问答"], "minor": [], "n": [["output", 0, 5]]}),
    ("boolean", copying.boolean, True),
    ("boolean", copying.boolean, False),
    ("boolean", copying.boolean, None),
    ("smallint", copying.smallint, -3),
    ("integer", copying.integer, 2**31 - 1),
    ("bigint", copying.bigint, 2**62),
    ("double precision", copying.double, 7.3),
    ("double precision", copying.double, None),
    ("varchar[]", copying.texts, []),
    ("varchar[]", copying.texts, ["trim_blanks", '一, "二"', "NULL"]),
]


@pytest.mark.django_db
def test_every_kind_of_value_comes_in_as_it_was() -> None:
    columns = ", ".join(f"c{place} {kind}" for place, (kind, _pack, _value) in enumerate(VALUES))
    row = copying.count(len(VALUES)) + b"".join([pack(value) for _kind, pack, value in VALUES])
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE taken_in ({columns}) ON COMMIT DROP")
        with cursor.copy("COPY taken_in FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(copying.BEGIN + row + row + copying.END)
        cursor.execute("SELECT * FROM taken_in")
        found = [[_plain(cell) for cell in row] for row in cursor]
    assert found == [[value for _kind, _pack, value in VALUES]] * 2


def _plain(cell: object) -> object:
    if isinstance(cell, memoryview):
        return bytes(cell)
    return json.loads(cell) if isinstance(cell, str) and cell.startswith("{") else cell
