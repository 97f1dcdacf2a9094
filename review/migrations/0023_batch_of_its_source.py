import django.db.models.deletion
from django.db import migrations, models

from review.models.constraints import CompositeForeignKey


class Migration(migrations.Migration):
    """One foreign key proves that a record's import exists, that its source does, and that they belong together."""

    atomic = False

    dependencies = [("review", "0022_lengths_with_their_records")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS review_batch_of_source"
                    " ON review_batch (id, source_id)",
                    "DROP INDEX review_batch_of_source",
                ),
                migrations.RunSQL(
                    "ALTER TABLE review_batch ADD CONSTRAINT review_batch_of_source"
                    " UNIQUE USING INDEX review_batch_of_source",
                    "ALTER TABLE review_batch DROP CONSTRAINT review_batch_of_source",
                ),
            ],
            [
                migrations.AddConstraint(
                    model_name="batch",
                    constraint=models.UniqueConstraint(fields=("id", "source"), name="review_batch_of_source"),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "ALTER TABLE review_record ADD CONSTRAINT review_record_batch_of_source"
                    " FOREIGN KEY (batch_id, source_id) REFERENCES review_batch (id, source_id)"
                    " DEFERRABLE INITIALLY DEFERRED NOT VALID",
                    "ALTER TABLE review_record DROP CONSTRAINT review_record_batch_of_source",
                ),
                migrations.RunSQL(
                    "ALTER TABLE review_record VALIDATE CONSTRAINT review_record_batch_of_source",
                    migrations.RunSQL.noop,
                ),
            ],
            [
                migrations.AddConstraint(
                    model_name="record",
                    constraint=CompositeForeignKey(
                        columns=["batch_id", "source_id"],
                        name="review_record_batch_of_source",
                        to="review.Batch",
                        to_columns=["id", "source_id"],
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="record",
            name="batch",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="records",
                to="review.batch",
                verbose_name="batch",
            ),
        ),
        migrations.AlterField(
            model_name="record",
            name="source",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="records",
                to="review.source",
                verbose_name="source",
            ),
        ),
    ]
