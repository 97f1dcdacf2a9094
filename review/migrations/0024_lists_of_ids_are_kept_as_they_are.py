from django.db import migrations

COLUMNS = (("review_intake", "revisions"), ("review_unread", "records"))


def _storage(kind: str) -> str:
    return ";".join(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {kind}" for table, column in COLUMNS)


class Migration(migrations.Migration):
    """Keep the ids of a chunk uncompressed: packing its three lists took a twentieth of the database's time in an
    import."""

    dependencies = [("review", "0023_batch_of_its_source")]

    operations = [migrations.RunSQL(_storage("EXTERNAL"), _storage("EXTENDED"))]
