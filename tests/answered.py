"""Batches made from a table, with answers, as an analyst has them."""

import json
import uuid
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Export, Project, SourceTable, Upload, User
from batchapp.pipeline import steps
from batchapp.services.files import upload_intake
from batchapp.services.results.exports import export_files
from batchapp.services.results.exports.write_export import write_export
from batchapp.services.tables import requests_from_table
from tests.make import MODEL, answer_line, build_columns, finish, make_batch, make_table


def answer_table(
    project: Project,
    user: User,
    table: str,
    prompt: str,
    answers: Sequence[str | None],
    **fields: Any,
) -> Batch:
    """Return a finished batch of the rows of ``table``, a CSV, with these answers in order.

    Rows with an empty cell in the prompt have no request; None leaves a request without a result.
    The batch has ``fields``.
    """
    made = make_table(
        project,
        user,
        content=table,
        prompt_settings=PromptSettings(model=MODEL, prompt=prompt, empty="skip"),
    )
    batch = make_batch(upload=_upload_of(made, user), **fields)
    ids = [json.loads(line)["custom_id"] for line in _lines(batch)]
    lines = []
    for custom_id, text in zip(ids, answers, strict=True):
        if text is not None:
            line = json.loads(answer_line(1, text=text)) | {"custom_id": custom_id}
            lines.append(json.dumps(line).encode())
    return finish(batch, lines)


def export(batch: Batch, user: User, code: str, **settings: Any) -> bytes:
    """Return the file of an export of ``batch``."""
    file = BytesIO()
    write_export(build_columns(batch), user, code, ExportSettings(**settings), file)
    return file.getvalue()


def make_export(
    batch: Batch, user: User | None = None, code: str = "csv", **fields: Any
) -> Export:
    """Return an export of ``batch`` whose file is written, then overwrite ``fields``."""
    user = user or batch.created_by
    export = export_files.request_export(
        batch, user, code, ExportSettings(), submission=uuid.uuid4()
    )
    write(export)
    if fields:
        Export.objects.filter(pk=export.pk).update(**fields)
    return Export.objects.get(pk=export.pk)


def write(export: Export) -> Export:
    """Write the file of ``export`` as a worker does."""
    columns = build_columns(export.batch)
    claimed = Export.objects.claim(export.pk, Export.Status.WRITING)
    assert claimed
    export_files.write_file(claimed, columns)
    return claimed


def _upload_of(table: SourceTable, user: User) -> Upload:
    requests_from_table.request_file(table, user)
    claimed = SourceTable.objects.claim(table.pk, SourceTable.Status.MAKING)
    assert claimed
    (upload,) = steps.make_requests_from_table(claimed) or ()
    row = Upload.objects.claim(upload.pk, Upload.Status.CHECKING)
    assert row
    upload_intake.check_upload(row)
    return Upload.objects.get(pk=upload.pk)


def _lines(batch: Batch) -> list[bytes]:
    return b"".join(batch.upload.chunks()).splitlines()
