"""Encrypt all stored secrets again with the newest of ``ENCRYPTION_KEYS``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from batchapp.models.fields.encryption import (
    SecretField,
    UnreadableKey,
    is_sealed_with_newest_key,
    reseal,
)

FACTOR_SECRETS = {"secret", "seed"}  # of an app, and of recovery codes
BLOCK = 200  # rows that are read at once
# Columns of JSON that another application writes, of whose values some are sealed by the portal.
SEALED_IN_JSON = [("mfa", "Authenticator", "data")]
FERNET_PREFIX = "gAAAA"  # of every Fernet token


@dataclass(slots=True)
class Column:
    """A column with secrets, and what was done to them or would be done."""

    model: type[Model]
    name: str
    newest: int = 0
    rotated: int = 0
    replaced_meanwhile: int = 0
    unreadable: list[Any] = field(default_factory=list)  # the primary keys of their rows

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.name}"


def rotate_secrets(*, is_dry_run: bool = False) -> Iterator[Column]:
    """Encrypt again, column by column, what an older key encrypted; count what ``is_dry_run``.

    A second run goes on where the first one ended, because a secret that the newest key encrypted
    is left alone. A secret that somebody replaces at the same time keeps its new value.
    """
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, SecretField):
                yield _rotate_column(Column(model, column.attname), is_dry_run=is_dry_run)
    for label, name, column_name in SEALED_IN_JSON:
        column_of_json = Column(apps.get_model(label, name), column_name)
        yield _rotate_column(column_of_json, is_dry_run=is_dry_run)


def _rotate_column(column: Column, *, is_dry_run: bool) -> Column:
    for pk, stored in _secrets(column):
        try:
            again = _resealed(stored)
        except UnreadableKey:
            column.unreadable.append(pk)
            continue
        if again is None:
            column.newest += 1
        elif is_dry_run or _rows(column).filter(pk=pk, **{column.name: stored}).update(
            **{column.name: again}
        ):
            column.rotated += 1
        else:
            column.replaced_meanwhile += 1
    return column


def _resealed(stored: Any) -> Any:
    """Return ``stored`` as the newest key encrypts it; None if it is encrypted so already."""
    if isinstance(stored, dict):
        sealed = {
            name: value
            for name, value in stored.items()
            if isinstance(value, str) and value.startswith(FERNET_PREFIX)
        }
        changed = {name: _resealed(value) for name, value in sealed.items()}
        changed = {name: value for name, value in changed.items() if value is not None}
        return stored | changed if changed else None
    return None if is_sealed_with_newest_key(stored) else reseal(stored)


def _secrets(column: Column) -> Iterator[tuple[Any, str]]:
    """Yield primary keys and ciphertexts, a block at a time, so that no row is locked for long."""
    rows = _rows(column).exclude(**{column.name: ""}).order_by("pk")
    rows = rows.values_list("pk", column.name)
    last = None
    while block := list((rows if last is None else rows.filter(pk__gt=last))[:BLOCK]):
        yield from block
        last = block[-1][0]


def _rows(column: Column) -> QuerySet[Any]:
    return column.model._base_manager.all()
