"""F33: the database gets the schema of a next version while a worker and a reviewer of this one go on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from ingest.models import Job
from review.models import Record, State, User
from tests.factories import approve
from tests.faults.test_import_faults import (
    UNDISTURBED,
    Start,
    broker,
    ended,
    english,
    folder,
    in_the_middle_of,
    slow_chunks,
    start,
    submit,
    until,
)
from tests.ingest.importing import counts, fresh
from tests.site.test_migrations import faults, sample

__all__ = ["broker", "english", "folder", "slow_chunks", "start"]
pytestmark = pytest.mark.django_db(transaction=True)

NEXT = (
    sample(
        migrations.AddField("record", "sample", models.IntegerField(null=True)),
        migrations.AddField("record", "seen_at", models.DateTimeField(db_default=Now())),
        migrations.AddField("revision", "sample", models.IntegerField(null=True)),
        AddConstraintNotValid("record", models.CheckConstraint(condition=models.Q(pk__gt=0), name="sample_positive")),
        migrations.CreateModel(
            "Sample",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("record", models.ForeignKey("review.record", models.PROTECT, related_name="+")),
            ],
        ),
        name="0098_sample",
    ),
    sample(
        AddIndexConcurrently("record", models.Index(fields=["sample"], name="review_record_sample")),
        ValidateConstraint("record", "sample_positive"),
        name="0099_sample",
        is_atomic=False,
    ),
)


def test_f33_a_worker_and_a_reviewer_of_this_version_go_on_under_the_schema_of_the_next(
    start: Start, slow_chunks: Callable[[str], None], folder: Path, lin: User
) -> None:
    slow_chunks("0.3")
    states: list[ProjectState] = [MigrationLoader(connection).project_state()]
    assert [faults(migration, states[0]) for migration in NEXT[:1]] == [[]]
    start()
    job = submit()
    until(in_the_middle_of(job))
    try:
        for migration in NEXT:
            assert faults(migration, states[-1]) == []
            with connection.schema_editor(atomic=migration.atomic) as editor:
                states.append(migration.apply(states[-1].clone(), editor))
            approve(Record.objects.filter(state=State.WAITING).earliest("pk"), lin)
        assert Job.objects.get(pk=job.pk).is_open, "the migrations ran while the job did"
        until(ended(job))
        assert fresh(job).state == Job.State.DONE
        assert counts(fresh(job)) == UNDISTURBED
        assert Record.objects.filter(state=State.APPROVED, human_verified=True).count() == len(NEXT)
    finally:
        _take_back(states)


def _take_back(states: list[ProjectState]) -> None:
    for migration, before in reversed(list(zip(NEXT, states, strict=False))[: len(states) - 1]):
        with connection.schema_editor(atomic=migration.atomic) as editor:
            migration.unapply(before, editor)
