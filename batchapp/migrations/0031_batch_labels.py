"""Add tags and a cost centre to batches, and the default cost centre of a project."""

from django.db import migrations, models

COST_CENTRE_LENGTH = 80


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0030_portal_keys")]

    operations = [
        migrations.AddField(
            "batch", "cost_centre", models.CharField(blank=True, max_length=COST_CENTRE_LENGTH)
        ),
        migrations.AddField(
            "project",
            "cost_centre",
            models.CharField(
                blank=True,
                max_length=COST_CENTRE_LENGTH,
                help_text="Of its new batches, unless an order says otherwise.",
            ),
        ),
        migrations.CreateModel(
            "Tag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                (
                    "project",
                    models.ForeignKey(
                        "batchapp.project", models.CASCADE, db_index=False, related_name="tags"
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint("project", "name", name="one_tag_per_name")
                ],
            },
        ),
        migrations.CreateModel(
            "BatchTag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        "batchapp.batch", models.CASCADE, db_index=False, related_name="+"
                    ),
                ),
                (
                    "tag",
                    models.ForeignKey(
                        "batchapp.tag", models.CASCADE, db_index=False, related_name="+"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint("batch", "tag", name="tag_once_per_batch")
                ],
                "indexes": [models.Index(fields=["tag", "batch"], name="batches_of_tag")],
            },
        ),
        migrations.AddField(
            "batch",
            "tags",
            models.ManyToManyField(
                "batchapp.tag", related_name="batches", through="batchapp.BatchTag"
            ),
        ),
    ]
