"""Index batches by what pages count and add up, and costs by their sums."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0020_outcome_counts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="batch",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="batchapp.providerkey",
            ),
        ),
        migrations.AlterField(
            model_name="batch",
            name="parent",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="retries",
                to="batchapp.batch",
            ),
        ),
        migrations.AlterField(
            model_name="batch",
            name="project",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="batchapp.project",
            ),
        ),
        migrations.AlterField(
            model_name="batch",
            name="upload",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="batchapp.upload",
            ),
        ),
        migrations.AlterField(
            model_name="modelcost",
            name="batch",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="model_costs",
                to="batchapp.batch",
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["project", "status"], name="batch_by_status"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["key", "status"], name="batch_by_key"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["upload", "-created_at"], name="batch_by_file"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                fields=["finished_at", "project", "connection", "id"], name="batch_by_end"
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("parent__isnull", False)),
                fields=["parent"],
                name="batch_retries",
            ),
        ),
        migrations.AddIndex(
            model_name="modelcost",
            index=models.Index(
                fields=[
                    "batch",
                    "cost_usd",
                    "realtime_cost_usd",
                    "requests",
                    "input_tokens",
                    "output_tokens",
                ],
                name="cost_sums",
            ),
        ),
    ]
