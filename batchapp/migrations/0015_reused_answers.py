"""Let a batch reuse answers: results that were not sent, and what files are compared by."""

import django.db.models.deletion
from django.db import migrations, models

OUTCOMES = [
    ("pending", "Waiting"),
    ("ok", "Answered"),
    ("truncated", "Cut short"),
    ("refused", "Refused"),
    ("empty", "Empty answer"),
    ("invalid_schema", "Not as the schema asks"),
    ("invalid_request", "Invalid request"),
    ("provider_error", "Provider error"),
    ("unpaid", "No credits left"),
    ("expired", "Expired"),
    ("cancelled", "Cancelled"),
    ("missing", "No result"),
    ("reused", "Answer deleted"),
]


def delete_reused_results(apps, schema_editor):
    """Delete the results that were not sent: the version before knows no such results.

    The answers that they point to stay.
    """
    apps.get_model("batchapp", "Result").objects.filter(outcome="reused").delete()
    if schema_editor.connection.vendor == "postgresql":
        # The table can be altered only after the deferred checks of its foreign keys.
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0014_answer_tables")]

    operations = [
        migrations.CreateModel(
            name="RequestDigests",
            fields=[
                (
                    "upload",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="request_digests",
                        serialize=False,
                        to="batchapp.upload",
                    ),
                ),
                ("digests", models.BinaryField()),
            ],
            options={"verbose_name_plural": "request digests"},
        ),
        migrations.CreateModel(
            name="ReusedRequests",
            fields=[
                (
                    "upload",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="reused_requests",
                        serialize=False,
                        to="batchapp.upload",
                    ),
                ),
                ("packed", models.BinaryField()),
            ],
            options={"verbose_name_plural": "reused requests"},
        ),
        migrations.AddField(
            model_name="batch",
            name="reused",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Requests that were not sent: another result has their answer.",
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="offer_fields",
            field=models.JSONField(
                editable=False,
                help_text="What need not be sent, as the check has found.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="reuse_fields",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="batch",
            name="requests",
            field=models.PositiveIntegerField(
                help_text="Sent, and paid for if they are answered."
            ),
        ),
        migrations.AlterField(
            model_name="result",
            name="outcome",
            field=models.CharField(
                choices=OUTCOMES,
                default="pending",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="result",
            name="provider_batch",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="results",
                to="batchapp.providerbatch",
            ),
        ),
        migrations.AlterField(
            model_name="result",
            name="retried",
            field=models.ForeignKey(
                help_text="The answer to the same request that counts instead: mostly of a retry.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="batchapp.result",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, delete_reused_results),
    ]
