"""Note of each result chunk how many retries in place came after it, which cleared failures.

Of earlier retries nothing is known but that they came after the errors that they cleared.
"""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Max


def note_cleared_chunks(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    chunk: Any = apps.get_model("batchapp", "ResultChunk")
    cleared = chunk.objects.filter(kind="past").order_by().values_list("provider_batch")
    for provider_batch, last in cleared.annotate(Max("pk")).iterator():
        chunk.objects.filter(provider_batch=provider_batch, pk__lte=last).update(retries_after=1)


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0015_reused_answers")]

    operations = [
        migrations.AddField(
            model_name="resultchunk",
            name="retries_after",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Retries in place since then; each cleared the failures of before.",
            ),
        ),
        migrations.RunPython(note_cleared_chunks, migrations.RunPython.noop),
    ]
