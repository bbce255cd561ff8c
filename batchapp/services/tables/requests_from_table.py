"""A table that was read becomes a file of requests, by a recipe that can be kept."""

import csv
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction

from batchapp.domain.tables import row_requests
from batchapp.domain.tables.row_requests import Made, Recipe
from batchapp.models import Origin, Project, Table, Template, TemplateVersion, Upload, User

NAME_LENGTH = 255

QUICK_ROWS = 2_000
"""Up to this many rows a file is made while the person waits."""

FAULTS_KEPT = 100
ROWS_PER_SIGN = 500


class Refused(Exception):
    """It cannot be done as asked; the message is a sentence for the person."""


@dataclass(slots=True)
class Sum:
    """What came of a table's rows so far."""

    requests: int = 0
    skipped: int = 0
    fault_total: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)

    def add(self, made: Made) -> None:
        if made.line:
            self.requests += 1
            if made.original:
                self.replaced.append((made.custom_id, made.original))
        elif made.fault:
            self.fault_total += 1
            if len(self.faults) < FAULTS_KEPT:
                self.faults.append((made.number, made.fault))
        else:
            self.skipped += 1


def keep(table: Table, recipe: Recipe, used: TemplateVersion | None) -> None:
    """Remember what is to be made of ``table``.

    Raises:
        StaleRow: a file is being made of it at this instant.
    """
    table.record(
        recipe_fields=msgspec.to_builtins(recipe),
        used=used,
        faults=[],
        fault_total=0,
        error="",
        **Table.unused_from_now(),
    )


def begin(table: Table, user: User) -> None:
    """Put ``table`` in line to become a file of ``user``'s.

    Raises:
        StaleRow: somebody else was faster.
    """
    table.move_to(
        Table.Status.MAKING, asked_by=user, faults=[], fault_total=0, error="", upload=None
    )


@contextmanager
def made(table: Table, recipe: Recipe) -> Iterator[tuple[Sum, "File[bytes]"]]:
    """The file that ``recipe`` makes of ``table``, and what came of its rows.

    It is whole only if there are no faults.
    """
    sign = table.keep_alive()
    total = Sum()
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as fresh:
        for each in row_requests.make(table.open_rows(), recipe):
            total.add(each)
            if each.line and not total.fault_total:
                fresh.write(each.line + b"\n")
            if each.number % ROWS_PER_SIGN == 0:
                sign(each.number)
        fresh.seek(0)
        yield total, File(fresh, name=file_name(table))


def refuse(table: Table, total: Sum) -> None:
    """Give ``table`` back to its person, with what stood in the way."""
    table.move_to(
        Table.Status.KEPT,
        **Table.unused_from_now(),
        faults=total.faults,
        fault_total=total.fault_total,
        error="" if total.fault_total else "Every row was left out: no request was made.",
    )


def finish(table: Table, recipe: Recipe, total: Sum, upload: Upload) -> None:
    """Write down that ``upload`` was made of ``table``, and by what."""
    used = table.used if table.used and table.used.recipe == recipe else None
    with transaction.atomic():
        Origin.objects.update_or_create(
            upload=upload,
            defaults={
                "table_name": table.name,
                "rows": table.rows,
                "skipped": total.skipped,
                "recipe_fields": msgspec.to_builtins(recipe),
                "version": used,
                "replaced": len(total.replaced),
                "ids": zlib.compress(_id_map(total.replaced)) if total.replaced else b"",
            },
        )
        table.move_to(Table.Status.KEPT, **Table.unused_from_now(), upload=upload)


def id_map(origin: Origin) -> bytes:
    """A CSV of the ids that stand in for others, with their originals."""
    return zlib.decompress(origin.ids) if origin.ids else _id_map([])


def _id_map(replaced: list[tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(row_requests.id_map(replaced))
    return text.getvalue().encode("utf-8-sig", errors="replace")


def file_name(table: Table) -> str:
    """What the file is called that is made of ``table``."""
    stem = table.name.rpartition(".")[0] or table.name
    return f"{stem[: NAME_LENGTH - 6]}.jsonl"


def head(table: Table, number: int) -> list[dict[str, str]]:
    """The first rows, as many as ``number`` if there are."""
    return list(islice(table.open_rows(), number))


def save_template(project: Project, user: User, name: str, recipe: Recipe) -> TemplateVersion:
    """Keep ``recipe`` under ``name``: as the next version where there is one already.

    A recipe that is the newest version already is not saved again.

    Raises:
        Refused: somebody saved under this name at the same instant.
    """
    fields: Any = msgspec.to_builtins(recipe)
    try:
        with transaction.atomic():
            template, _ = Template.objects.get_or_create(project=project, name=name)
            newest = template.versions.order_by("-number").first()
            if newest and newest.recipe == recipe:
                return newest
            number = newest.number + 1 if newest else 1
            return template.versions.create(number=number, recipe_fields=fields, created_by=user)
    except IntegrityError as exc:
        raise Refused("Somebody saved under this name just now. Look, then save again.") from exc
