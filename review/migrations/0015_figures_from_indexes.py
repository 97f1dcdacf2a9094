from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("review", "0014_origins"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="decision",
            index=models.Index(
                fields=["at"],
                include=["kind", "reviewer", "verdict", "seconds", "record", "revision", "seen_revision"],
                name="review_decision_counted",
            ),
        ),
        AddIndexConcurrently(
            model_name="record",
            index=models.Index(
                fields=["source", "state", "id"],
                include=["batch", "rights"],
                name="review_record_counted",
                condition=models.Q(takedown=None, retraction=None),
            ),
        ),
        RemoveIndexConcurrently(model_name="record", name="review_record_listed"),
    ]
