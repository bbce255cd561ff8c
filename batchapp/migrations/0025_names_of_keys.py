"""Give the stored keys of one owner different names, and keep it so."""

from typing import Any

from django.db import migrations, models
from django.db.models import Q

LONGEST = 100  # characters of a name


def rename_duplicates(apps: Any, schema_editor: Any) -> None:
    """Add a number to the name of each stored key whose owner has an older one of that name."""
    provider_key = apps.get_model("batchapp", "ProviderKey")
    stored = provider_key.objects.exclude(ciphertext="")
    names_in_use = {(row.user_id, row.project_id, row.name) for row in stored}
    first = set()
    for row in stored.order_by("created_at", "pk"):
        if (row.user_id, row.project_id, row.name) not in first:
            first.add((row.user_id, row.project_id, row.name))
            continue
        number = 2
        while (row.user_id, row.project_id, numbered(row.name, number)) in names_in_use:
            number += 1
        row.name = numbered(row.name, number)
        names_in_use.add((row.user_id, row.project_id, row.name))
        row.save(update_fields=["name"])


def numbered(name: str, number: int) -> str:
    ending = f" {number}"
    return name[: LONGEST - len(ending)] + ending


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0024_roles")]

    operations = [
        migrations.RunPython(rename_duplicates, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "providerkey",
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=~Q(ciphertext="") & Q(project=None),
                name="one_stored_key_of_a_name_per_person",
            ),
        ),
        migrations.AddConstraint(
            "providerkey",
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=~Q(ciphertext="") & Q(user=None),
                name="one_stored_key_of_a_name_per_project",
            ),
        ),
    ]
