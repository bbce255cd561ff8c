"""Keep codes and data where version 0.1.0 kept English sentences."""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import F
from django.db.models.functions import JSONObject

from batchapp.models.fields.problem_field import ProblemField

# Model -> its column that had a sentence, and now has a problem.
OLD_COLUMNS = {
    "Upload": "error",
    "SourceTable": "error",
    "BatchImport": "trouble",
    "ProviderKey": "trouble",
    "ProviderBatch": "trouble",
}


EFFECTS = {  # of a webhook, in words -> its code
    "already over": "over",
    "already over, polled again": "polled_again",
    "already under way": "under_way",
    "not a batch of this portal": "not_ours",
    "not understood": "not_understood",
    "polled at once": "polled",
}


def keep_sentences(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Keep each stored sentence as it is, as the text of an event, a problem or a discrepancy."""
    for name, column in OLD_COLUMNS.items():
        model: Any = apps.get_model("batchapp", name)
        for pk, text in model.objects.exclude(**{column: ""}).values_list("pk", column):
            problem = {"code": "text", "data": {"text": text}}
            model.objects.filter(pk=pk).update(problem=problem)
    batches: Any = apps.get_model("batchapp", "Batch").objects
    for pk, text in batches.exclude(old_discrepancy="").values_list("pk", "old_discrepancy"):
        batches.filter(pk=pk).update(discrepancy=[{"text": text}])
    events: Any = apps.get_model("batchapp", "Event").objects
    events.update(kind="note", data=JSONObject(text=F("text")))
    deliveries: Any = apps.get_model("batchapp", "WebhookDelivery").objects
    for words, code in EFFECTS.items():
        deliveries.filter(effect=words).update(effect=code)


def add_problem(model: str) -> migrations.AddField:
    field = ProblemField(
        null=True,
        editable=model != "ProviderKey",
        help_text="Why the provider batch waits." if model == "ProviderBatch" else "",
    )
    return migrations.AddField(model_name=model.lower(), name="problem", field=field)


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0002_parked_reason")]

    operations = [
        *(add_problem(model) for model in OLD_COLUMNS),
        migrations.AddField(
            model_name="event",
            name="kind",
            field=models.CharField(default="note", max_length=40),
            preserve_default=False,
        ),
        migrations.AddField(model_name="event", name="data", field=models.JSONField(default=dict)),
        migrations.RenameField(
            model_name="batch", old_name="discrepancy", new_name="old_discrepancy"
        ),
        migrations.AddField(
            model_name="batch",
            name="discrepancy",
            field=models.JSONField(
                default=list,
                help_text="The counts of provider batches whose provider and results differ.",
            ),
        ),
        migrations.RunPython(keep_sentences, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="effect",
            field=models.CharField(
                blank=True,
                choices=[
                    ("ignored", "ignored"),
                    ("not_ours", "not a batch of this key"),
                    ("not_understood", "not understood"),
                    ("over", "already over"),
                    ("polled", "polled at once"),
                    ("polled_again", "already over, polled again"),
                    ("under_way", "already under way"),
                ],
                max_length=20,
            ),
        ),
        migrations.RemoveField(model_name="event", name="text"),
        migrations.RemoveField(model_name="batch", name="old_discrepancy"),
        *(
            migrations.RemoveField(model_name=model.lower(), name=column)
            for model, column in OLD_COLUMNS.items()
        ),
    ]
