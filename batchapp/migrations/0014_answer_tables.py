"""Let a table be made from the results of a batch."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0013_retention")]

    operations = [
        migrations.AddField(
            model_name="sourcetable",
            name="answers_of",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="answer_tables",
                to="batchapp.batch",
            ),
        ),
        migrations.AddField(
            model_name="sourcetable",
            name="answer_filter",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="sourcetable",
            name="newest_chunk",
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
    ]
