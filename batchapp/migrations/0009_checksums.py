"""Keep a checksum of each stored file.

Rows from before have none until ``manage.py verify --record`` reads their files.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0008_table_notices")]

    operations = [
        migrations.AddField(
            model_name="resultchunk",
            name="sha256",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="sourcetable",
            name="cells_sha256",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="sourcetable",
            name="sha256",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="sourcetable",
            name="size",
            field=models.PositiveBigIntegerField(help_text="Of ``blob``, in bytes."),
        ),
        migrations.AddIndex(
            model_name="resultchunk",
            index=models.Index(fields=["blob"], name="result_chunk_by_file"),
        ),
    ]
