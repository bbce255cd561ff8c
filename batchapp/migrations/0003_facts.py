"""Keep codes and data where older versions kept English sentences."""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps
from django.db.models import F, Value
from django.db.models.functions import JSONArray, JSONObject

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
    models_by_name: dict[str, Any] = {row.__name__: row.objects for row in apps.get_models()}
    for name, column in OLD_COLUMNS.items():
        problem = JSONObject(code=Value("text"), data=JSONObject(text=F(column)))
        models_by_name[name].exclude(**{column: ""}).update(problem=problem)
    models_by_name["Batch"].exclude(old_discrepancy="").update(
        discrepancy=JSONArray(JSONObject(text=F("old_discrepancy")))
    )
    models_by_name["Event"].update(kind="note", data=JSONObject(text=F("text")))
    for words, code in EFFECTS.items():
        models_by_name["WebhookDelivery"].filter(effect=words).update(effect=code)


def refuse_to_lose_facts(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Stop the way back before anything is changed, if there are facts.

    Raises:
        IrreversibleError: the sentences that older versions need cannot be made here.
    """
    event: Any = apps.get_model("batchapp", "Event")
    if event.objects.exists():
        raise IrreversibleError("An older version cannot read this database: restore a backup.")


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
        # The way back begins with the last operation.
        migrations.RunPython(migrations.RunPython.noop, refuse_to_lose_facts),
    ]
