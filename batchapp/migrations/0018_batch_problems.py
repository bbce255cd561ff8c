"""Keep the groups of requests without a good answer with their batch."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0017_fewer_result_indexes")]

    operations = [
        migrations.CreateModel(
            name="BatchProblems",
            fields=[
                (
                    "batch",
                    models.OneToOneField(
                        on_delete=models.deletion.CASCADE,
                        primary_key=True,
                        related_name="stored_problems",
                        serialize=False,
                        to="batchapp.batch",
                    ),
                ),
                ("problems", models.JSONField()),
                ("built_from", models.CharField(max_length=200)),
                ("built_at", models.DateTimeField()),
                ("build_seconds", models.FloatField(help_text="Time that grouping took.")),
            ],
            options={"verbose_name_plural": "batch problems"},
        ),
    ]
