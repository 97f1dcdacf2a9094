from django.db import migrations, models


class Migration(migrations.Migration):
    """A chunk is known by the hashes of its records, which are made anyway; those before were hashed as a whole."""

    dependencies = [("ingest", "0007_an_upload_becomes_one_job")]

    operations = [
        migrations.AlterField(
            model_name="chunk",
            name="sha256",
            field=models.BinaryField(
                help_text="Of the hashes of the records as they stood, one after the other"
                " (refused ones: of the part kept).",
                max_length=32,
                verbose_name="sha256",
            ),
        ),
    ]
