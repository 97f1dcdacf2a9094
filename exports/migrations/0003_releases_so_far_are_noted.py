from django.db import migrations

NOTE = """
    INSERT INTO review_unsealed (kind, row) SELECT 'release', id FROM exports_release
    WHERE state <> 'planned' ORDER BY id;
    INSERT INTO review_unsealed (kind, row) SELECT 'artifact', id FROM exports_artifact ORDER BY id;
"""


class Migration(migrations.Migration):
    dependencies = [("exports", "0002_releases_are_sealed"), ("review", "0004_history_so_far_is_noted")]

    operations = [migrations.RunSQL(NOTE, migrations.RunSQL.noop)]
