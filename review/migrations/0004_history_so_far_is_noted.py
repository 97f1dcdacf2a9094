from django.db import migrations

# In the order of their moments; a kind's own rows in the order of their ids.
NOTE = """
    INSERT INTO review_intake (batch_id, revisions, sha256)
    SELECT batch_id, array_agg(id ORDER BY id), sha256(string_agg(sha256, ''::bytea ORDER BY id))
    FROM review_revision WHERE author_id IS NULL AND batch_id IS NOT NULL GROUP BY batch_id ORDER BY batch_id;
    INSERT INTO review_unsealed (kind, row)
    SELECT kind, id FROM (
        SELECT 'rights' AS kind, id, at FROM review_rights
        UNION ALL SELECT 'revision', id, at FROM review_revision WHERE author_id IS NOT NULL
        UNION ALL SELECT 'decision', id, at FROM review_decision
        UNION ALL SELECT 'withdrawal', id, at FROM review_withdrawal
        UNION ALL SELECT 'retraction', id, at FROM review_retraction
        UNION ALL SELECT 'move', id, at FROM review_move
    ) history ORDER BY at, id
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0003_sealed_history")]

    operations = [migrations.RunSQL(NOTE, migrations.RunSQL.noop)]
