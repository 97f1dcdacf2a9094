"""Values as PostgreSQL's COPY takes them in its binary form: each its length in bytes, then itself.

Plain Python, so that rows can be made ready ahead of the database. A row is the number of its columns, then its values
in order; ``BEGIN`` stands before the first row and ``END`` behind the last.
"""

import struct
from collections.abc import Sequence

import orjson

BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
END = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_TRUE, _FALSE = b"\x00\x00\x00\x01\x01", b"\x00\x00\x00\x01\x00"
_COUNT, _LENGTH = struct.Struct("!h"), struct.Struct("!i")
_INT2, _INT4, _INT8 = struct.Struct("!ih"), struct.Struct("!ii"), struct.Struct("!iq")
_DOUBLE = struct.Struct("!id")
_ARRAY = struct.Struct("!iiIii")
_VARCHAR = 1043
"""By which number PostgreSQL knows the type of an array's items."""
_NO_ITEMS = struct.pack("!iiiI", 12, 0, 0, _VARCHAR)


def count(columns: int) -> bytes:
    """How many columns the row has."""
    return _COUNT.pack(columns)


def length(value: bytes) -> bytes:
    """What stands before bytes as they are: ``bytea``, and text that is encoded already. Long ones are not copied."""
    return _LENGTH.pack(len(value))


def data(value: bytes) -> bytes:
    """The same with the bytes themselves."""
    return length(value) + value


def text(value: str) -> bytes:
    """``text`` or ``varchar``."""
    body = value.encode()
    return _LENGTH.pack(len(body)) + body


def optional(value: str | None) -> bytes:
    """``text`` that may be missing."""
    return _NULL if value is None else text(value)


def jsonb(value: object) -> bytes:
    """``jsonb``, behind the number of its form."""
    body = orjson.dumps(value)
    return _LENGTH.pack(len(body) + 1) + b"\x01" + body


def boolean(value: bool | None) -> bytes:  # noqa: FBT001  a value like the others
    """``boolean`` that may be missing."""
    if value is None:
        return _NULL
    return _TRUE if value else _FALSE


def smallint(value: int) -> bytes:
    """``smallint``."""
    return _INT2.pack(2, value)


def integer(value: int) -> bytes:
    """``integer``."""
    return _INT4.pack(4, value)


def bigint(value: int) -> bytes:
    """``bigint``."""
    return _INT8.pack(8, value)


def double(value: float | None) -> bytes:
    """``double precision`` that may be missing."""
    return _NULL if value is None else _DOUBLE.pack(8, value)


def texts(items: Sequence[str]) -> bytes:
    """``varchar[]`` of one dimension."""
    if not items:
        return _NO_ITEMS
    return data(_ARRAY.pack(1, 0, _VARCHAR, len(items), 1) + b"".join([text(item) for item in items]))
