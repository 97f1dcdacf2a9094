"""Statements that are asked at every turn of the queue or for every chunk: compiled once, and kept prepared.

Compiling and planning the few statements by which a record comes to lie before a person takes longer than running them.
So does planning a look-up of thousands of keys that stand in its text.
The settings have the server plan each of them once: left to itself it plans the longest, the claim, anew every time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.backends.utils import CursorDebugWrapper
from django.db.models import FETCH_ONE
from django.db.models.query import get_related_populators
from psycopg import ClientCursor, Cursor

if TYPE_CHECKING:
    from django.db.models import Field, Model, QuerySet
    from django.db.models.sql.compiler import SQLCompiler

STAND_IN = 2**62 + 1
"""Stands in for an id."""
type Parameters = Mapping[str, Any] | Sequence[Any]


def answer(statement: str, parameters: Parameters, *, prepare: bool = True) -> tuple[Any, ...] | None:
    """Run a statement and return its first row; `prepare=False` where the best plan depends on the values."""
    with _executed(statement, parameters, prepare=prepare) as cursor:
        return cursor.fetchone()


def rows(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run a statement and return all its rows."""
    with _executed(statement, parameters) as cursor:
        return cursor.fetchall()


def run(statement: str, parameters: Parameters) -> int:
    """Run a statement that returns no rows, and return how many it changed."""
    with _executed(statement, parameters) as cursor:
        return cursor.rowcount


def insert(row: "Model") -> None:
    """Write a new row and set what the database gave it: what has a default there is left to it."""
    statement, given, returned = _inserting(type(row))
    found = answer(statement, [field.get_db_prep_save(getattr(row, field.attname), connection) for field in given])
    for name, value in zip(returned, found or (), strict=True):
        setattr(row, name, value)
    row._state.adding, row._state.db = False, "default"  # noqa: SLF001  as `save` leaves it


@cache
def _inserting(kind: "type[Model]") -> "tuple[str, list[Field[Any, Any]], list[str]]":
    """Return the statement that writes a row, the fields that it is given, and the columns that it gives back."""
    table = kind._meta
    given = [field for field in table.concrete_fields if field not in table.db_returning_fields]
    columns = ", ".join(str(field.column) for field in given)
    returned = ", ".join(str(field.column) for field in table.db_returning_fields)
    places = ", ".join(["%s"] * len(given))
    statement = f"INSERT INTO {table.db_table} ({columns}) VALUES ({places}) RETURNING {returned}"  # noqa: S608  names of ours
    return statement, given, [field.attname for field in table.db_returning_fields]


@contextmanager
def _executed(statement: str, parameters: Parameters, *, prepare: bool = True) -> Iterator[Cursor]:
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    kind = Cursor if prepare else ClientCursor  # by which the values stand in the statement that is planned
    with connection.wrap_database_errors, kind(connection.connection) as cursor, _noted(statement):
        yield cursor.execute(statement.encode(), parameters, prepare=prepare)


def _noted(statement: str) -> AbstractContextManager[None]:
    """Have a statement stand in the log of queries like those that Django sends, where one is kept."""
    if not connection.queries_logged:
        return nullcontext()
    return CursorDebugWrapper(None, connection).debug_sql(statement)


class Prepared[Row: "Model"]:
    """A query for one row with what is fetched along with it, made from its few values by `ask`.

    `ask` is called once, with stand-ins for the values: what it returns must not depend on them otherwise.
    """

    def __init__(self, ask: "Callable[..., QuerySet[Row]]", *stand_ins: Any) -> None:
        self._ask, self._stand_ins = ask, stand_ins

    @cached_property
    def _compiled(self) -> "tuple[SQLCompiler, str, tuple[Any, ...]]":
        compiler = self._ask(*self._stand_ins).query.get_compiler(using="default")
        statement, parameters = compiler.as_sql()
        return compiler, statement, tuple(parameters)

    @cached_property
    def _made_of(self) -> tuple[Any, ...]:
        """Return how a row becomes objects: the converters, the model, its columns, and what is fetched along."""
        compiler = self._compiled[0]
        selected, known = compiler.select, compiler.klass_info
        first, last = known["select_fields"][0], known["select_fields"][-1] + 1
        converters = compiler.get_converters([column for column, _sql, _name in selected])
        names = [column.target.attname for column, _sql, _name in selected[first:last]]
        along = get_related_populators(known, selected, "default", FETCH_ONE)
        return converters, known["model"], slice(first, last), names, along

    def first(self, *values: Any) -> Row | None:
        """Return the row for these values, None where there is none."""
        compiler, statement, parameters = self._compiled
        meant = dict(zip(self._stand_ins, values, strict=True))
        found = answer(statement, [meant.get(given, given) for given in parameters])
        if found is None:
            return None
        converters, model, own, names, along = self._made_of
        row = next(iter(compiler.apply_converters([found], converters))) if converters else found
        made: Row = model.from_db("default", names, row[own])
        for populator in along:
            populator.populate(row, made)
        return made
