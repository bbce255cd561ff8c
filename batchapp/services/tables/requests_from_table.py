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
from batchapp.domain.tables.row_requests import PromptSettings, RowRequest
from batchapp.models import (
    FileOrigin,
    Project,
    PromptTemplate,
    PromptTemplateVersion,
    SourceTable,
    Upload,
    User,
)

NAME_LENGTH = 255

QUICK_ROWS = 2_000
"""Up to this many rows a file is made while the person waits."""

FINDINGS_KEPT = 100
ROWS_PER_SIGN = 500


class Refused(Exception):
    """It cannot be done as asked; the message is a sentence for the person."""


@dataclass(slots=True)
class RowTotals:
    """What came of a table's rows so far."""

    requests: int = 0
    skipped: int = 0
    finding_total: int = 0
    findings: list[tuple[int, str]] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)

    def add(self, built_file: RowRequest) -> None:
        if built_file.line:
            self.requests += 1
            if built_file.original:
                self.replaced.append((built_file.custom_id, built_file.original))
        elif built_file.error:
            self.finding_total += 1
            if len(self.findings) < FINDINGS_KEPT:
                self.findings.append((built_file.number, built_file.error))
        else:
            self.skipped += 1


def keep_settings(
    table: SourceTable, prompt_settings: PromptSettings, used: PromptTemplateVersion | None
) -> None:
    """Remember what is to be made of ``table``.

    Raises:
        StaleRow: a file is being made of it at this instant.
    """
    table.record(
        prompt_settings_fields=msgspec.to_builtins(prompt_settings),
        used=used,
        findings=[],
        finding_total=0,
        error="",
        **SourceTable.unused_from_now(),
    )


def request_file(table: SourceTable, user: User) -> None:
    """Put ``table`` in line to become a file of ``user``'s.

    Raises:
        StaleRow: somebody else was faster.
    """
    table.move_to(
        SourceTable.Status.MAKING,
        asked_by=user,
        findings=[],
        finding_total=0,
        error="",
        upload=None,
    )


@contextmanager
def built_file(
    table: SourceTable, prompt_settings: PromptSettings
) -> Iterator[tuple[RowTotals, "File[bytes]"]]:
    """The file that ``recipe`` makes of ``table``, and what came of its rows.

    It is whole only if there are no faults.
    """
    sign = table.lease_renewer()
    total = RowTotals()
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as fresh:
        for each in row_requests.make(table.open_rows(), prompt_settings):
            total.add(each)
            if each.line and not total.finding_total:
                fresh.write(each.line + b"\n")
            if each.number % ROWS_PER_SIGN == 0:
                sign(each.number)
        fresh.seek(0)
        yield total, File(fresh, name=file_name(table))


def refuse(table: SourceTable, total: RowTotals) -> None:
    """Give ``table`` back to its person, with what stood in the way."""
    table.move_to(
        SourceTable.Status.KEPT,
        **SourceTable.unused_from_now(),
        findings=total.findings,
        finding_total=total.finding_total,
        error="" if total.finding_total else "Every row was left out: no request was made.",
    )


def finish(
    table: SourceTable, prompt_settings: PromptSettings, total: RowTotals, upload: Upload
) -> None:
    """Write down that ``upload`` was made of ``table``, and by what."""
    used = table.used if table.used and table.used.prompt_settings == prompt_settings else None
    with transaction.atomic():
        FileOrigin.objects.update_or_create(
            upload=upload,
            defaults={
                "table_name": table.name,
                "rows": table.rows,
                "skipped": total.skipped,
                "prompt_settings_fields": msgspec.to_builtins(prompt_settings),
                "version": used,
                "replaced": len(total.replaced),
                "ids": zlib.compress(_id_map(total.replaced)) if total.replaced else b"",
            },
        )
        table.move_to(SourceTable.Status.KEPT, **SourceTable.unused_from_now(), upload=upload)


def id_map(origin: FileOrigin) -> bytes:
    """A CSV of the ids that stand in for others, with their originals."""
    return zlib.decompress(origin.ids) if origin.ids else _id_map([])


def _id_map(replaced: list[tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(row_requests.id_map(replaced))
    return text.getvalue().encode("utf-8-sig", errors="replace")


def file_name(table: SourceTable) -> str:
    """What the file is called that is made of ``table``."""
    stem = table.name.rpartition(".")[0] or table.name
    return f"{stem[: NAME_LENGTH - 6]}.jsonl"


def head(table: SourceTable, number: int) -> list[dict[str, str]]:
    """The first rows, as many as ``number`` if there are."""
    return list(islice(table.open_rows(), number))


def save_template(
    project: Project, user: User, name: str, prompt_settings: PromptSettings
) -> PromptTemplateVersion:
    """Keep ``recipe`` under ``name``: as the next version where there is one already.

    A recipe that is the newest version already is not saved again.

    Raises:
        Refused: somebody saved under this name at the same instant.
    """
    fields: Any = msgspec.to_builtins(prompt_settings)
    try:
        with transaction.atomic():
            template, _ = PromptTemplate.objects.get_or_create(project=project, name=name)
            newest = template.versions.order_by("-number").first()
            if newest and newest.prompt_settings == prompt_settings:
                return newest
            number = newest.number + 1 if newest else 1
            return template.versions.create(
                number=number, prompt_settings_fields=fields, created_by=user
            )
    except IntegrityError as exc:
        raise Refused("Somebody saved under this name just now. Look, then save again.") from exc
