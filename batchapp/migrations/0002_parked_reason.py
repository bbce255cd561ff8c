"""Let a parked provider batch keep its status, and keep apart refusals that may be passing."""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PARKED = ("paused", "needs_attention")


def keep_status_of_parked_rows(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give parked rows the status that they had before, and the reason why they are parked.

    A pause of a running batch ended it at the provider; its results are fetched, and it is retried
    in place when it is resumed.
    """
    rows = apps.get_model("batchapp", "ProviderBatch").objects
    rows.filter(status__in=PARKED).update(parked_reason=models.F("status"))
    rows.filter(status="paused", stopped_in_status="running").update(status="harvesting")
    rows.filter(status__in=PARKED).exclude(stopped_in_status="").update(
        status=models.F("stopped_in_status")
    )
    rows.filter(status__in=PARKED).update(status="preparing")
    _finish_updates(schema_editor)


def park_by_status(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("batchapp", "ProviderBatch").objects.exclude(parked_reason="")
    rows.update(stopped_in_status=models.F("status"))
    rows.filter(parked_reason="paused", status="harvesting").update(stopped_in_status="running")
    rows.update(status=models.F("parked_reason"))
    _finish_updates(schema_editor)


def _finish_updates(schema_editor: BaseDatabaseSchemaEditor) -> None:
    # PostgreSQL alters no table whose rows wait for a check of their foreign keys, as rows do
    # that are updated twice in a transaction.
    schema_editor.connection.check_constraints()


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="providerbatch",
            name="parked_reason",
            field=models.CharField(
                blank=True,
                choices=[("paused", "Paused"), ("needs_attention", "Needs attention")],
                help_text="Why no worker moves it: it waits until a person decides.",
                max_length=20,
            ),
        ),
        migrations.RunPython(keep_status_of_parked_rows, park_by_status),
        migrations.RemoveField(model_name="providerbatch", name="stopped_in_status"),
        migrations.AddField(
            model_name="batchimport",
            name="refused_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="providerbatch",
            name="refused_since",
            field=models.DateTimeField(
                help_text="Of refusals in a row that may be temporary, the time of the first.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="providerbatch",
            name="resumed_at",
            field=models.DateTimeField(
                help_text="When a person last let the parked row go on.", null=True
            ),
        ),
        migrations.AddField(
            model_name="providerkey",
            name="secret_set_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="providerbatch",
            name="status",
            field=models.CharField(
                choices=[
                    ("preparing", "Preparing"),
                    ("waiting", "Waiting to submit"),
                    ("running", "Running at the provider"),
                    ("harvesting", "Fetching results"),
                    ("retrying_in_place", "Being retried in place"),
                    ("done", "Done"),
                    ("cancelled", "Cancelled"),
                ],
                default="preparing",
                max_length=20,
            ),
        ),
    ]
