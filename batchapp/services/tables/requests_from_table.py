"""Create a file of requests from a table, and save prompt settings as a template."""

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

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.row_requests import PromptSettings, RowRequest
from batchapp.models import (
    AuditEvent,
    AuditKind,
    FileOrigin,
    Project,
    PromptTemplate,
    PromptTemplateVersion,
    SourceTable,
    Upload,
    User,
)
from batchapp.models.files.source_table import PROGRESS_ROWS
from batchapp.models.files.upload import ENDING, NAME_LENGTH

QUICK_ROWS = 2_000  # largest table whose file is created while the person waits
MAX_FINDINGS = 100  # findings that are stored; the total counts all of them

# The fields of a table whose findings are cleared before the next run.
NO_FINDINGS: dict[str, Any] = {"findings": [], "finding_total": 0, "problem": None}


@dataclass(slots=True)
class RowTotals:
    """The outcome of the rows of a table so far; ``replaced`` has (custom_id, id in the table)."""

    requests: int = 0
    skipped: int = 0
    finding_total: int = 0
    findings: list[tuple[int, str]] = field(default_factory=list)
    replaced: list[tuple[str, str]] = field(default_factory=list)

    def add(self, row: RowRequest) -> None:
        if row.line:
            self.requests += 1
            if row.original:
                self.replaced.append((row.custom_id, row.original))
        elif row.error:
            self.finding_total += 1
            if len(self.findings) < MAX_FINDINGS:
                self.findings.append((row.number, row.error))
        else:
            self.skipped += 1


def save_settings(
    table: SourceTable,
    user: User,
    prompt_settings: PromptSettings,
    version: PromptTemplateVersion | None,
) -> None:
    """Save the prompt settings of ``table``, and the template version they were loaded from.

    Raises:
        NotAllowed: nothing was saved.
        StaleRow: the file of the table is being created at this instant; nothing was saved.
    """
    access.require_write(user, table.project)
    table.record(
        prompt_settings_fields=msgspec.to_builtins(prompt_settings),
        template_version=version,
        **NO_FINDINGS,
        **SourceTable.restart_retention(),
    )


def request_file(table: SourceTable, user: User) -> None:
    """Queue ``table`` for a worker, which creates the file of requests for ``user``.

    Raises:
        NotAllowed: nothing was written.
        StaleRow: another person or worker changed the row first.
    """
    access.require_write(user, table.project)
    table.move_to(SourceTable.Status.MAKING, requested_by=user, upload=None, **NO_FINDINGS)


@contextmanager
def build_file(
    table: SourceTable, prompt_settings: PromptSettings
) -> Iterator[tuple[RowTotals, "File[bytes]"]]:
    """Yield the totals of the rows of ``table`` and a temporary file of their requests.

    The file holds every request only if there are no findings.
    """
    renew_lease = table.lease_renewer()
    totals = RowTotals()
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
        for row in row_requests.build_requests(table.open_rows(), prompt_settings):
            totals.add(row)
            if row.line and not totals.finding_total:
                content.write(row.line + b"\n")
            if row.number % PROGRESS_ROWS == 0:
                renew_lease(row.number)
        content.seek(0)
        yield totals, File(content, name=file_name(table))


def return_with_findings(table: SourceTable, totals: RowTotals) -> None:
    """End the run without a file, and store the findings for the person."""
    table.move_to(
        SourceTable.Status.KEPT,
        **SourceTable.restart_retention(),
        findings=totals.findings,
        finding_total=totals.finding_total,
        problem=None if totals.finding_total else Problem(ProblemCode.ALL_ROWS_SKIPPED),
    )


def return_without_right(table: SourceTable, user: User) -> None:
    """End the run without a file, because ``user`` may not write in the project any more."""
    problem = Problem(ProblemCode.TABLE_REQUESTER_LEFT, {"person": str(user)})
    table.move_to(SourceTable.Status.KEPT, **SourceTable.restart_retention(), problem=problem)


def record_file(
    table: SourceTable, prompt_settings: PromptSettings, totals: RowTotals, upload: Upload
) -> None:
    """End the run: store in one transaction from what ``upload`` was created."""
    version = table.template_version
    if version and version.prompt_settings != prompt_settings:
        version = None
    with transaction.atomic():
        Upload.objects.filter(pk=upload.pk).update(table=table)
        FileOrigin.objects.update_or_create(
            upload=upload,
            defaults={
                "table_name": table.name,
                "rows": table.rows,
                "skipped": totals.skipped,
                "prompt_settings_fields": msgspec.to_builtins(prompt_settings),
                "version": version,
                "replaced": len(totals.replaced),
                "ids": zlib.compress(_id_map_csv(totals.replaced)) if totals.replaced else b"",
            },
        )
        table.move_to(SourceTable.Status.KEPT, **SourceTable.restart_retention(), upload=upload)


def id_map_csv(origin: FileOrigin) -> bytes:
    """Return a CSV of every custom_id that replaces an id of the table, with that id."""
    return zlib.decompress(origin.ids) if origin.ids else _id_map_csv([])


def _id_map_csv(replaced: list[tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(row_requests.id_map_rows(replaced))
    return text.getvalue().encode("utf-8-sig", errors="replace")


def file_name(table: SourceTable) -> str:
    stem = table.name.rpartition(".")[0] or table.name
    return f"{stem[: NAME_LENGTH - len(ENDING)]}{ENDING}"


def first_rows(table: SourceTable, number: int) -> list[dict[str, str]]:
    return list(islice(table.open_rows(), number))


def save_template(
    project: Project, user: User, name: str, prompt_settings: PromptSettings
) -> PromptTemplateVersion:
    """Save the settings as the next version of the template ``name``, and return the version.

    Settings that equal the newest version are not saved again.

    Raises:
        NotAllowed: nothing was saved.
        Refused: another person saved under this name at the same instant; nothing was saved.
    """
    access.require_write(user, project)
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
        raise Refused(Refusal.TEMPLATE_SAVED_MEANWHILE) from exc


def delete_template(template: PromptTemplate, user: User) -> None:
    """Delete a template with its versions; files keep a copy of the settings that made them.

    Raises:
        NotAllowed: nothing was deleted.
    """
    access.require_write(user, template.project)
    with transaction.atomic():
        AuditEvent.objects.record(
            AuditKind.PROMPT_TEMPLATE_DELETED,
            user,
            template.project,
            name=template.name,
            versions=template.versions.count(),
        )
        template.delete()
