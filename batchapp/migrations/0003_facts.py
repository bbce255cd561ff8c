"""Keep codes and data where version 0.1.0 kept English sentences."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from batchapp.models.fields.problem_field import ProblemField

OLD_COLUMNS = {
    "Upload": "error",
    "SourceTable": "error",
    "BatchImport": "trouble",
    "ProviderKey": "trouble",
}


def keep_sentences(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Keep each stored sentence as the text of a problem."""
    for name, column in OLD_COLUMNS.items():
        model: Any = apps.get_model("batchapp", name)
        for pk, text in model.objects.exclude(**{column: ""}).values_list("pk", column):
            problem = {"code": "text", "data": {"text": text}}
            model.objects.filter(pk=pk).update(problem=problem)


def add_problem(model: str) -> migrations.AddField:
    field = ProblemField(null=True, editable=model != "ProviderKey")
    return migrations.AddField(model_name=model.lower(), name="problem", field=field)


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0002_parked_reason")]

    operations = [
        *(add_problem(model) for model in OLD_COLUMNS),
        migrations.RunPython(keep_sentences),
        *(
            migrations.RemoveField(model_name=model.lower(), name=column)
            for model, column in OLD_COLUMNS.items()
        ),
    ]
