"""A table constraint that Django lacks: a foreign key over several columns."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.constraints import BaseConstraint

# Declared wider in the stubs (None is allowed) than the schema editor ever passes.
type _Model = Any
type _Editor = Any


class CompositeForeignKey(BaseConstraint):
    """`FOREIGN KEY (columns) REFERENCES to (to_columns)`, checked at commit.

    `columns` and `to_columns` are column names of equal number; `to` is the label of the model referred to.
    A row with a NULL in any of the columns is not checked (SQL's MATCH SIMPLE).
    """

    def __init__(self, *, name: str, columns: list[str], to: str, to_columns: list[str]) -> None:
        super().__init__(name=name)
        self.columns = columns
        self.to = to
        self.to_columns = to_columns

    def _definition(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> str:
        def quoted(names: list[str]) -> str:
            return ", ".join(editor.quote_name(name) for name in names)

        target = model._meta.apps.get_model(self.to)._meta.db_table
        return (
            f"FOREIGN KEY ({quoted(self.columns)}) REFERENCES {editor.quote_name(target)} ({quoted(self.to_columns)})"
            " DEFERRABLE INITIALLY DEFERRED"
        )

    def constraint_sql(self, model: "_Model", schema_editor: "_Editor") -> str:
        """Nothing inline: the table referred to may come later in the same migration."""
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return ""

    def create_sql(self, model: "_Model", schema_editor: "_Editor") -> str:
        """Return the statement that adds the constraint to the table of `model`."""
        table, name = schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self.name)
        return f"ALTER TABLE {table} ADD CONSTRAINT {name} {self._definition(model, schema_editor)}"

    def remove_sql(self, model: "_Model", schema_editor: "_Editor") -> str:
        """Return the statement that takes the constraint away."""
        table, name = schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self.name)
        return f"ALTER TABLE {table} DROP CONSTRAINT {name}"

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Leave it to the database: the rows of one transaction are judged together, at its end."""

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, _args, kwargs = super().deconstruct()
        return path, (), kwargs | {"columns": self.columns, "to": self.to, "to_columns": self.to_columns}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompositeForeignKey) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(self.name)
