"""Files: send, list, read and delete them, over the same services as the pages."""

from http import HTTPStatus
from typing import Any

import msgspec
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Field, File, Form, Query, Router, Schema
from ninja import UploadedFile as NinjaFile

from batchapp import access
from batchapp.api.content import content_response, errors_response
from batchapp.api.errors import ApiError, invalid, invalid_key, not_found
from batchapp.api.file_list import FileFilters, file_page, result_file
from batchapp.api.file_object import error_findings, estimate_object, upload_object, warnings_of
from batchapp.api.idempotency import idempotency_key
from batchapp.api.ids import FileId, parse_file_id
from batchapp.api.pages import LARGEST_SKIP, list_object
from batchapp.api.responses import json_response, unchanged_or_json
from batchapp.api.schemas.files import CheckedFile, CostEstimate, DeletedFile, FileList, FileObject
from batchapp.api.scopes import Scope, key_of, needs
from batchapp.api.upload_lookup import find_described, find_upload
from batchapp.http import MIB, Request
from batchapp.models import Batch, IdempotencyKey, PortalKey, ResultChunk, Upload
from batchapp.services.audit.downloads import record_download, record_part
from batchapp.services.files import upload_intake
from batchapp.services.files.checked_upload import FaultyFile, receive_checked_file
from batchapp.services.orders import price_quotes
from batchapp.services.results.result_files import read_result_lines
from batchapp.services.reuse.offers import offer_fields
from batchapp.storage.pieces import Piece, byte_range, end_of_lines

router = Router(tags=["Files"])

CONTENT = {"application/x-ndjson": {"schema": {"type": "string"}}}


class Lines(Schema):
    """The lines of a file to send; ``offset`` is an older name of ``skip``."""

    skip: int = Field(0, ge=0, le=LARGEST_SKIP)
    offset: int = Field(0, ge=0, le=LARGEST_SKIP)
    limit: int | None = Field(None, ge=1, le=LARGEST_SKIP)


def require_submitter(request: Request, **_: Any) -> None:
    """Let only keys send a large body that may submit in their project."""
    access.require_write(request.user, key_of(request).project)


@router.post("/files", response={200: CheckedFile}, **needs(Scope.SUBMIT))
def file_create(
    request: Request, file: File[NinjaFile], purpose: Form[str] = "batch"
) -> HttpResponse:
    """Check a file of requests and store it; a file with errors is refused, and not stored.

    The first error is in ``message``, and up to 100 of them in ``findings``. A file that is
    stored may have ``warnings``. The same content and name again within 15 minutes, or with the
    same Idempotency-Key within a day, is the same file.
    """
    if purpose.lower() != "batch":
        raise invalid(f"Invalid purpose {purpose!r}. Only 'batch' is supported.", "purpose")
    key = key_of(request)
    if not PortalKey.objects.opening(timezone.now()).filter(pk=key.pk).exists():
        return invalid_key()  # the body may have come for hours
    limit = min(key.project.connection.max_upload_bytes, settings.MAX_UPLOAD_MIB * MIB)
    if (file.size or 0) > limit:
        message = f"The file is larger than {limit:,} bytes, which {key.project} takes at most."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message, param="file")
    try:
        upload = receive_checked_file(
            key.project,
            request.user,
            file,
            name=file.name or "requests.jsonl",
            submission=_submission(request, file),
            further_fields=offer_fields,
        )
    except FaultyFile as exc:
        message, findings = error_findings(exc.report)
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "invalid_file", message, param="file", further=findings
        ) from exc
    warnings = warnings_of(upload.report) if upload.report else {}
    return json_response(upload_object(upload) | warnings)


@router.get("/files", response={200: FileList}, **needs(Scope.READ))
def file_list(request: Request, filters: Query[FileFilters]) -> HttpResponse:
    """List files, the newest first; without ``purpose`` also the results of batches."""
    return unchanged_or_json(
        request, list_object(file_page(request, filters), limit=filters.limit)
    )


@router.get("/files/{file_id}", response={200: FileObject}, **needs(Scope.READ))
def file_detail(request: Request, file_id: str) -> HttpResponse:
    """Describe a file."""
    file = _parse(file_id)
    if file.kind:
        batch = _batch_of(request, file)
        return unchanged_or_json(request, result_file(batch, file.kind))
    return unchanged_or_json(request, upload_object(_described(request, file)))


@router.get(
    "/files/{file_id}/content",
    response={200: None, 206: None},
    **needs(
        Scope.READ,
        responses={
            200: {"description": "Lines of JSON", "content": CONTENT},
            206: {"description": "The range of bytes", "content": CONTENT},
            410: {"description": "The content was deleted."},
            416: {"description": "The range begins behind the end."},
        },
    ),
)
def file_content(request: Request, file_id: str, lines: Query[Lines]) -> HttpResponseBase:
    """Send the content, from the line after ``skip`` on; also of a batch that runs.

    Answers are sent byte for byte as the provider gave them, and errors in the form of OpenAI's.
    ``X-Last-Line`` says which ``skip`` the next request takes, and ``X-Incomplete`` is "true" as
    long as lines may follow.
    """
    file, skip = _parse(file_id), lines.skip or lines.offset
    if file.kind:
        batch = _batch_of(request, file)
        part = read_result_lines(batch, request.user, file.kind, skip=skip, limit=lines.limit)
        if part.pieces:
            record_part(request.user, file.kind.value, batch, request.GET.urlencode())
        is_incomplete, last = part.has_more or not batch.is_over, part.last_line
        if file.kind is ResultChunk.Kind.ERROR:
            return errors_response(part.pieces, is_incomplete=is_incomplete, last_line=last)
        return content_response(request, part.pieces, is_incomplete=is_incomplete, last_line=last)
    upload = _upload_of(request, file)
    upload.require_content()
    if upload.lacks_content:
        raise invalid("The portal is still writing this file.", "file_id", "file_not_ready")
    record_download(request.user, "file", upload.project, name=upload.name)
    return _upload_content(request, upload, skip, lines.limit)


@router.delete("/files/{file_id}", response={200: DeletedFile}, **needs(Scope.SUBMIT))
def file_delete(request: Request, file_id: str) -> HttpResponse:
    """Delete a file that no batch uses; results are deleted with their batch."""
    file = _parse(file_id)
    if file.kind:
        _batch_of(request, file)
        raise invalid("The results of a batch are kept with it.", "file_id", "file_of_batch")
    upload = _upload_of(request, file)
    try:
        is_deleted = upload_intake.remove(upload, request.user)
    except IntegrityError:  # a batch of this file was ordered at this very moment
        is_deleted = False
    if not is_deleted:
        message = "The file stays: a batch uses it, and its results refer to it."
        raise invalid(message, "file_id", "file_in_use")
    return json_response({"id": file_id, "object": "file", "deleted": True})


@router.get("/files/{file_id}/cost-estimate", response={200: CostEstimate}, **needs(Scope.READ))
def file_cost_estimate(
    request: Request, file_id: str, completion_window: str = ""
) -> HttpResponse:
    """Estimate what a batch of the file would cost, at the prices of now."""
    file = _parse(file_id)
    if file.kind:
        _batch_of(request, file)
        raise invalid("Only a file of requests has an estimate.", "file_id")
    upload = _upload_of(request, file)
    upload.require_content()
    connection, at = upload.project.connection, timezone.now()
    names = connection.window_names
    window = completion_window or next(iter(names), "")
    if window not in names:
        allowed = ", ".join(names)
        raise invalid(f"Unsupported window. Allowed values: {allowed}", "completion_window")
    try:
        report = upload.report
    except msgspec.ValidationError:  # written by another version of the portal
        report = None
    if report is None or not report.is_valid:
        raise invalid("The file is not ready to be ordered.", "file_id", "file_not_ready")
    histories = price_quotes.histories_for(report, upload.project, request.user, at)
    quotes = price_quotes.quote(
        report, connection, [window], at, histories, project=upload.project
    )
    return unchanged_or_json(request, estimate_object(upload, report, quotes[window]))


def _submission(request: Request, file: "UploadedFile[bytes]") -> Any:
    """Return the id of this call, which is that of the same call before."""
    value = idempotency_key(request)
    fingerprint = upload_intake.fingerprint(file, file.name or "")
    call = IdempotencyKey.Call.CREATE_FILE
    return IdempotencyKey.objects.remember(
        key_of(request), call, fingerprint, value=value
    ).submission


def _parse(file_id: str) -> FileId:
    file = parse_file_id(file_id)
    if file is None:
        raise _no_file(file_id)
    return file


def _no_file(file_id: str) -> ApiError:
    return not_found(f"There is no file {file_id!r} for this portal key.", param="file_id")


def _upload_of(request: Request, file: FileId) -> Upload:
    if upload := find_upload(request.user, key_of(request), file.pk):
        return upload
    raise _no_file(str(file))


def _described(request: Request, file: FileId) -> Upload:
    if upload := find_described(request.user, key_of(request), file.pk):
        return upload
    raise _no_file(str(file))


def _batch_of(request: Request, file: FileId) -> Batch:
    rows = Batch.objects.visible_to(request.user).select_related("project", "created_by")
    if batch := rows.filter(pk=file.pk).first():
        return batch
    raise _no_file(str(file))


def _upload_content(
    request: Request, upload: Upload, skip: int, limit: int | None
) -> HttpResponseBase:
    pieces = [Piece(upload.blob, 0, upload.size)]
    start, skipped = end_of_lines(pieces, skip)
    pieces = byte_range(pieces, start, upload.size)
    if limit is None:
        return content_response(request, pieces)
    end, lines = end_of_lines(pieces, limit)
    return content_response(
        request,
        byte_range(pieces, 0, end),
        is_incomplete=start + end < upload.size,
        last_line=skipped + lines,
    )
