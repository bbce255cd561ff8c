"""Keep which table a file was made of, so that the table stays as long as batches of the file."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def keep_tables(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Fill in the tables that are still there, also for corrections and retries of their files."""
    uploads: Any = apps.get_model("batchapp", "Upload")
    tables: Any = apps.get_model("batchapp", "SourceTable")
    for table in tables.objects.exclude(upload=None).only("upload"):
        made = [table.upload_id]
        while made:
            uploads.objects.filter(pk__in=made).update(table=table)
            made = list(
                uploads.objects.filter(made_from__in=made, table=None).values_list("pk", flat=True)
            )


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0004_billed_answers")]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="table",
            field=models.ForeignKey(
                editable=False,
                help_text="Its rows became these requests, also by way of a correction or a retry.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="uploads",
                to="batchapp.sourcetable",
            ),
        ),
        migrations.RunPython(keep_tables, migrations.RunPython.noop, elidable=True),
    ]
