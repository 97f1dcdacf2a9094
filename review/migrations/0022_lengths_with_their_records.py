from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Counting by length reads no texts."""

    atomic = False

    dependencies = [("review", "0021_names_of_generated_columns")]

    operations = [
        AddIndexConcurrently(
            model_name="searchtext",
            index=models.Index(fields=["length"], include=["record"], name="review_searchtext_by_length"),
        ),
        RemoveIndexConcurrently(model_name="searchtext", name="review_searchtext_length"),
    ]
