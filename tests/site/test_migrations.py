"""F33: a migration runs while processes of the version before are alive: it adds, and holds no lock for long."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now
from django_migration_linter.sql_analyser import PostgresqlAnalyser, analyse_sql_statements

pytestmark = [pytest.mark.django_db]

FIRST = {"exports": "0009", "ingest": "0007", "review": "0019"}
"""The last migrations of version 0.1.0, before which there is none that could be alive."""

TAKES_AWAY = (migrations.RemoveField, migrations.DeleteModel, migrations.RenameField, migrations.RenameModel)
CONTRACT = re.compile(r"\d{4}_contract_")
"""So is a migration called that takes away what the version before does not use any more; it does nothing else."""

OF_CONTRACTS = ("DROP_COLUMN", "DROP_TABLE", "RENAME_COLUMN", "RENAME_TABLE")


def faults(migration: migrations.Migration, state: ProjectState) -> list[str]:
    """Say what is wrong with a migration that runs beside processes of the version before."""
    found = [*_of_operations(migration), *_of_statements(migration, state)]
    return [f"{migration.app_label}.{migration.name}: {fault}" for fault in found]


def _of_operations(migration: migrations.Migration) -> Iterator[str]:
    is_contract = bool(CONTRACT.match(migration.name))
    for operation in migration.operations:
        if isinstance(operation, TAKES_AWAY) != is_contract:
            yield "taking away waits for a migration of its own, in the version after"
        writes = isinstance(operation, migrations.RunSQL) and re.search(
            r"^\s*(UPDATE|DELETE|INSERT)\b", str(operation.sql), re.IGNORECASE | re.MULTILINE
        )
        if (writes or isinstance(operation, migrations.RunPython)) and migration.atomic:
            yield "rows are changed in one transaction: say atomic = False, and go in portions"


def _of_statements(migration: migrations.Migration, state: ProjectState) -> Iterator[str]:
    statements = sql_of(migration, state)
    spared = OF_CONTRACTS if CONTRACT.match(migration.name) else ()
    # A constraint on an index that is there already takes no time; the linter takes it for one that is built anew.
    looked_at = [statement for statement in statements if " UNIQUE USING INDEX " not in statement]
    errors, _ignored, warnings = analyse_sql_statements(PostgresqlAnalyser, looked_at, spared)
    yield from (issue.message for issue in [*errors, *warnings])
    new = {name for statement in statements for name in re.findall(r'^CREATE TABLE ("\w+")', statement)}
    for statement in statements:
        constrained = re.match(r'ALTER TABLE ("\w+") ADD CONSTRAINT .*\b(CHECK|EXCLUDE)\b', statement, re.DOTALL)
        if constrained and constrained[1] not in new and "NOT VALID" not in statement:
            yield "a constraint is checked against all rows: add it as not valid, and validate it later"


def sql_of(migration: migrations.Migration, state: ProjectState) -> list[str]:
    """The statements of a migration, those of Python left out."""
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state.clone(), editor, collect_sql=True)
        editor.deferred_sql, deferred = [], editor.deferred_sql
        statements = [*editor.collected_sql, *map(str, deferred)]
    return [statement for statement in statements if not statement.startswith("--")]


@pytest.mark.django_db(transaction=True)
def test_f33_every_migration_since_the_first_version_runs_beside_the_version_before() -> None:
    loader = MigrationLoader(connection)
    assert {f"{app} {name[:4]}" for app, name in loader.graph.nodes} >= {" ".join(first) for first in FIRST.items()}
    later = sorted(key for key in loader.graph.nodes if key[1] > FIRST.get(key[0], "9999") + "_z")
    for key in later:
        before = [parent.key for parent in loader.graph.node_map[key].parents]
        assert faults(loader.graph.nodes[key], loader.project_state(before)) == []


def sample(*operations: Any, name: str = "0099_sample", is_atomic: bool = True) -> migrations.Migration:
    """A migration of the core app that does this."""
    kind = type("Migration", (migrations.Migration,), {"operations": list(operations), "atomic": is_atomic})
    made: migrations.Migration = kind(name, "review")
    return made


def field(kind: "type[models.Field[Any, Any]]" = models.IntegerField, **options: Any) -> migrations.AddField:
    return migrations.AddField("record", "sample", kind(**options))


INDEX = models.Index(fields=["priority"], name="review_record_sample")
CHECK = models.CheckConstraint(condition=models.Q(pk__gt=0), name="review_record_sample")
UNSAFE = {
    "an index that locks": sample(migrations.AddIndex("record", INDEX)),
    "a column that the version before does not fill": sample(field(default=0)),
    "a unique constraint": sample(
        migrations.AddConstraint("record", models.UniqueConstraint(fields=["priority"], name="review_record_sample"))
    ),
    "a check of all rows": sample(migrations.AddConstraint("record", CHECK)),
    "a column taken away": sample(migrations.RemoveField("record", "priority")),
    "a column renamed": sample(migrations.RenameField("record", "priority", "rank")),
    "another type": sample(migrations.AlterField("comment", "text", models.CharField(max_length=9))),
    "a table taken away": sample(migrations.DeleteModel("skip")),
    "all rows by Python": sample(migrations.RunPython(migrations.RunPython.noop)),
    "all rows by SQL": sample(migrations.RunSQL("UPDATE review_record SET priority = 0")),
    "taking away and adding": sample(
        migrations.RemoveField("record", "priority"), field(null=True), name="0099_contract_sample"
    ),
}
SAFE = {
    "a column that may be empty": sample(field(null=True)),
    "a column that the database fills": sample(field(models.DateTimeField, db_default=Now())),
    "an index beside the work": sample(AddIndexConcurrently("record", INDEX), is_atomic=False),
    "a check of new rows": sample(AddConstraintNotValid("record", CHECK)),
    "a table with all it wants": sample(
        migrations.CreateModel(
            "Sample",
            [("id", models.BigAutoField(primary_key=True)), ("at", models.DateTimeField(db_index=True))],
            {"constraints": [models.CheckConstraint(condition=models.Q(pk__gt=0), name="review_sample_positive")]},
        )
    ),
    "portions": sample(migrations.RunPython(migrations.RunPython.noop), is_atomic=False),
    "a column taken away in its time": sample(
        migrations.RemoveField("record", "priority"), name="0099_contract_sample"
    ),
}


class Current:
    """The state after all migrations, worked out once."""

    state: ClassVar[ProjectState | None] = None

    @classmethod
    def get(cls) -> ProjectState:
        cls.state = cls.state or MigrationLoader(connection).project_state()
        return cls.state


@pytest.mark.parametrize("name", UNSAFE)
def test_a_migration_that_is_in_the_way_is_named(name: str) -> None:
    assert faults(UNSAFE[name], Current.get()) != []


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_adds_is_let_through() -> None:
    assert {name: faults(migration, Current.get()) for name, migration in SAFE.items()} == {name: [] for name in SAFE}
