"""Bind each stored key to the address that its connection has, so that it goes to no other."""

from collections.abc import Callable
from typing import Any

from django.db import migrations

from batchapp.models.fields.encryption import (
    SEPARATOR,
    SecretField,
    UnreadableKey,
    seal,
    seal_for,
    unseal,
)

# The columns with keys that are sent to a provider, and the way from a row to its address.
COLUMNS = [
    ("ProviderKey", "ciphertext", "connection__base_url"),
    ("Connection", "platform_ciphertext", "base_url"),
]


def bind(apps: Any, schema_editor: Any) -> None:
    _rewrite(apps, lambda base_url, text: None if SEPARATOR in text else seal_for(base_url, text))


def unbind(apps: Any, schema_editor: Any) -> None:
    """Store the keys alone, as the version before read them."""
    _rewrite(
        apps,
        lambda _, text: seal(text.partition(SEPARATOR)[2]) if SEPARATOR in text else None,
    )


def _rewrite(apps: Any, sealed: Callable[[str, str], str | None]) -> None:
    """Store what ``sealed`` makes of each secret; a secret that nobody can read stays."""
    for model, column, address in COLUMNS:
        rows = apps.get_model("batchapp", model).objects.exclude(**{column: ""})
        for pk, base_url, old in rows.values_list("pk", address, column):
            try:
                new = sealed(base_url, unseal(old))
            except UnreadableKey:
                continue
            if new:
                rows.filter(pk=pk, **{column: old}).update(**{column: new})


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0027_accounts")]
    operations = [
        migrations.AlterField("connection", "platform_ciphertext", SecretField()),
        migrations.AlterField("providerkey", "ciphertext", SecretField()),
        migrations.AlterField("providerkey", "webhook_ciphertext", SecretField()),
        migrations.RunPython(bind, unbind),
    ]
