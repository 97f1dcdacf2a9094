from django.db import migrations

COLUMNS = (("review_original", "raw"), ("review_revision", "output"))


def _storage(kind: str) -> str:
    return ";".join(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {kind}" for table, column in COLUMNS)


class Migration(migrations.Migration):
    """Keep raw bytes and answers uncompressed: packing them took a sixth of the database's time in an import, and
    unpacking them its share of every export."""

    dependencies = [("review", "0016_evidence_and_originals")]

    operations = [migrations.RunSQL(_storage("EXTERNAL"), _storage("EXTENDED"))]
