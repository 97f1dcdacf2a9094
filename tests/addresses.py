"""The addresses of the application, and the tables of docs/roles.md that say who may use them."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from tests.conftest import REPOSITORY

TABLES = REPOSITORY / "docs" / "roles.md"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Row(NamedTuple):
    """One line of a table: an address, its name, and the methods allowed to each column."""

    address: str
    name: str
    allowed: Mapping[str, frozenset[str]]


class Address(NamedTuple):
    """One address of the URL configuration, its parameters as `<name>`."""

    address: str
    name: str


@cache
def rows() -> tuple[Row, ...]:
    """Return the lines of all tables that have an address in their first column."""
    found, columns = [], []
    for line in TABLES.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "address":
            columns = cells[2:]
        elif cells[0].startswith("`/"):
            allowed = {column: methods(cell) for column, cell in zip(columns, cells[2:], strict=True)}
            found.append(Row(cells[0].strip("`"), cells[1].strip("`"), allowed))
    return tuple(found)


def methods(cell: str) -> frozenset[str]:
    """Return the methods that a cell names; GET stands for HEAD as well."""
    named = frozenset(cell.split()) - {"–"}
    assert named <= set(METHODS), cell
    return named | {"HEAD"} if "GET" in named else named


def addresses() -> Iterator[Address]:
    """Yield every address that the application answers."""
    yield from below(get_resolver().url_patterns, "/", "")


def below(patterns: list[URLPattern | URLResolver], start: str, space: str) -> Iterator[Address]:
    for pattern in patterns:
        address = start + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from below(
                pattern.url_patterns, address, f"{space}{pattern.namespace}:" if pattern.namespace else space
            )
        else:
            yield Address(readable(address), space + pattern.name if pattern.name else "")


def readable(address: str) -> str:
    """Return an address with its parameters as `<name>`, whichever way they are written."""
    plain = re.sub(r"\(\?P(<\w+>)[^()]*\)", r"\1", address)
    return re.sub(r"<\w+:(\w+)>", r"<\1>", plain).replace("^", "").replace("$", "")


def row_of(address: Address) -> Row | None:
    """Return the row for an address: one that is exactly its own, else the first whose pattern fits."""
    exact = (row for row in rows() if row.address == address.address)
    fits = (row for row in rows() if "*" in row.address and fnmatchcase(address.address, row.address))
    named = (row for row in fits if fnmatchcase(address.name, row.name))
    return next(exact, None) or next(named, None)


def filled(address: str, parameters: Mapping[str, Any]) -> str:
    """Return an address that can be asked."""
    values = next(values for start, values in parameters.items() if address.startswith(start))
    return re.sub(r"<(\w+)>", lambda match: str(values[match[1]]), address)
