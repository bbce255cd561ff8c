"""Batches: order, follow, stop and go on, over the same services as the pages."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router

from batchapp.api.batch_list import BatchFilters
from batchapp.api.batch_lookup import find_batch
from batchapp.api.batch_object import (
    RESERVED,
    analytics,
    batch_object,
    batch_objects,
    with_api_details,
)
from batchapp.api.errors import ApiError, invalid, not_found
from batchapp.api.idempotency import idempotency_key
from batchapp.api.ids import batch_id as id_of_batch
from batchapp.api.ids import parse_batch_id, parse_file_id
from batchapp.api.model_check import require_offered_models
from batchapp.api.pages import list_object, page_size
from batchapp.api.responses import json_response, unchanged_or_json
from batchapp.api.schemas.batches import (
    Analytics,
    BatchCreate,
    BatchList,
    BatchObject,
    RequestLine,
    ResultPart,
)
from batchapp.api.scopes import Scope, key_of, needs
from batchapp.api.upload_lookup import find_upload
from batchapp.domain.results.outcome import storable_text
from batchapp.http import Request
from batchapp.models import Batch, ProviderBatch, Upload
from batchapp.pipeline import states
from batchapp.pipeline.states import state_of
from batchapp.services.audit.downloads import record_part
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.orders.script_order import ScriptOrder, place_script_order
from batchapp.services.results.request_lines import read_request_lines
from batchapp.tasks import wake

router = Router(tags=["Batches"])

MAX_METADATA, MAX_NAME, MAX_TEXT = 16, 64, 512  # entries, characters. Source: OpenAI's reference
PERSON_DECIDES = {states.AWAITING_APPROVAL, states.PAUSED, states.ATTENTION}
PERSON_SECONDS = 60  # between two polls of a batch that waits for a person
REPEATED = "Idempotent-Replayed"  # Stripe's name of the header


@router.post("/batches", response={200: BatchObject}, **needs(Scope.SUBMIT))
def batch_create(request: Request, order: BatchCreate) -> HttpResponse:
    """Order a batch of an uploaded file on the provider key of the project.

    The same order again within 15 minutes, or with the same Idempotency-Key within a day, answers
    the first batch with the header Idempotent-Replayed. A batch that needs approval stays
    validating, and its metadata say so.
    """
    _check_metadata(order.metadata or {})
    upload = _upload_of(request, order.input_file_id)
    require_offered_models(upload, request.user)
    further: dict[str, Any] = dict(order.model_extra or {})
    if order.output_expires_after:
        further["output_expires_after"] = order.output_expires_after.model_dump()
    batch = place_script_order(
        request.user,
        ScriptOrder(upload, order.endpoint, order.completion_window, order.metadata, further),
        idempotency_key=idempotency_key(request),
    )
    response = _changed(request, batch)
    if batch.was_ordered_before:
        response[REPEATED] = "true"
    return response


@router.get("/batches", response={200: BatchList}, **needs(Scope.READ))
def batch_list(request: Request, filters: Query[BatchFilters]) -> HttpResponse:
    """List the batches of the project, the newest first."""
    among = _batches(request)
    page = filters.page(with_api_details(filters.narrow(among)), among)
    has_analytics = "analytics" in filters.include.split(",")
    objects = batch_objects(page, has_analytics=has_analytics)
    return unchanged_or_json(request, list_object(objects, limit=filters.limit))


@router.get("/batches/{batch_id}", response={200: BatchObject}, **needs(Scope.READ))
def batch_detail(request: Request, batch_id: str) -> HttpResponse:
    """Describe a batch from the rows of the portal; no provider is asked.

    Retry-After says in how many seconds a batch that is not over may have changed.
    """
    batch, provider_batches = _found(request, batch_id)
    response = unchanged_or_json(request, batch_object(batch, provider_batches))
    if not batch.is_over:
        seconds = key_of(request).project.connection.poll_seconds
        if state_of(batch, provider_batches) in PERSON_DECIDES:
            seconds = max(seconds, PERSON_SECONDS)
        response["Retry-After"] = str(seconds)
        response["OpenAI-Poll-After-Ms"] = str(1_000 * seconds)  # which OpenAI's clients read
    return response


@router.post("/batches/{batch_id}/cancel", response={200: BatchObject}, **needs(Scope.SUBMIT))
def batch_cancel(request: Request, batch_id: str) -> HttpResponse:
    """Cancel a batch; answers that are there are kept. A batch that is over stays as it is."""
    batch = _batch_of(_batches(request), batch_id)
    controls.request_cancel(batch, request.user)
    return _changed(request, batch)


@router.post("/batches/{batch_id}/pause", response={200: BatchObject}, **needs(Scope.SUBMIT))
def batch_pause(request: Request, batch_id: str) -> HttpResponse:
    """Stop a batch that is under way, to go on later."""
    batch = _batch_of(_batches(request), batch_id)
    if not controls.request_pause(batch, request.user) and not batch.pause_requested_at:
        raise invalid("This batch cannot be paused now.", None, "not_pausable")
    return _changed(request, batch)


@router.post("/batches/{batch_id}/resume", response={200: BatchObject}, **needs(Scope.SUBMIT))
def batch_resume(request: Request, batch_id: str) -> HttpResponse:
    """Let a paused batch go on."""
    batch = _batch_of(_batches(request), batch_id)
    if not controls.resume(batch, request.user):
        raise invalid("This batch is not paused.", None, "not_paused")
    return _changed(request, batch)


@router.post("/batches/{batch_id}/retry", response={200: BatchObject}, **needs(Scope.SUBMIT))
def batch_retry(request: Request, batch_id: str) -> HttpResponse:
    """Run the failed and cancelled requests of a batch that is over again, in the same batch."""
    batch = _batch_of(_batches(request), batch_id)
    if not retry_in_place.request_retry_in_place(batch, request.user):
        raise invalid(
            "Nothing to retry here: no failed or cancelled requests that the provider can run "
            "again in the same batch.",
            None,
            "nothing_to_retry",
        )
    return _changed(request, batch)


@router.get("/batches/{batch_id}/analytics", response={200: Analytics}, **needs(Scope.READ))
def batch_analytics(request: Request, batch_id: str) -> HttpResponse:
    """Tell the tokens and the cost of a batch: 0 and no cost until it is over."""
    batch = _batch_of(_batches(request), batch_id)
    return unchanged_or_json(request, analytics(batch))


@router.get("/batches/{batch_id}/results", response={200: RequestLine}, **needs(Scope.READ))
def batch_results(request: Request, batch_id: str, part: Query[ResultPart]) -> HttpResponseBase:
    """Read the requests with their answers in the order of the file, one JSON object a line.

    X-Last-Line is the ``skip`` with which the next part begins. X-Incomplete is false once that
    was the last part, and the batch is over.
    """
    batch = _batch_of(_batches(request).select_related("project", "upload"), batch_id)
    read = read_request_lines(
        batch,
        request.user,
        skip=part.skip,
        limit=part.limit and page_size(part.limit),
        search=storable_text(part.search),
        status=part.status or "",
    )
    if read.end > part.skip:
        record_part(request.user, "results", batch, request.GET.urlencode())
    is_incomplete = read.has_more or not batch.is_over
    return StreamingHttpResponse(
        read.lines,
        content_type="application/x-ndjson",
        headers={
            "X-Last-Line": str(read.end),
            "X-Incomplete": str(is_incomplete).lower(),
            "Cache-Control": "private, no-store",
        },
    )


def _batches(request: Request) -> QuerySet[Batch]:
    return Batch.objects.visible_to(request.user)


def _batch_of(rows: QuerySet[Batch], batch_id: str) -> Batch:
    pk = parse_batch_id(batch_id)
    batch = rows.filter(pk=pk).first() if pk else None
    if batch is None:
        raise _no_batch(batch_id)
    return batch


def _found(request: Request, batch_id: str) -> tuple[Batch, Sequence[ProviderBatch]]:
    """Return a batch with its provider batches, as ``batch_object`` reads them."""
    pk = parse_batch_id(batch_id)
    found = find_batch(request.user, key_of(request), pk) if pk else None
    if found is None:
        raise _no_batch(batch_id)
    return found


def _no_batch(batch_id: str) -> ApiError:
    return not_found(f"There is no batch {batch_id!r} here.", "batch_not_found")


def _upload_of(request: Request, file_id: str) -> Upload:
    named = parse_file_id(file_id)
    upload = None
    if named and not named.kind:
        upload = find_upload(request.user, key_of(request), named.pk)
    if upload is None:
        message = f"There is no file {file_id!r} of requests here."
        raise not_found(message, "file_not_found", param="input_file_id")
    if upload.status == Upload.Status.CHECKING:
        raise ApiError(
            HTTPStatus.CONFLICT,
            "file_not_checked",
            "The file is being checked. Send the request again in a moment.",
            param="input_file_id",
            headers={"Retry-After": "1"},
        )
    return upload


def _changed(request: Request, batch: Batch) -> HttpResponse:
    """Wake the workers for ``batch``, and answer it as it is stored now."""
    for provider_batch in batch.provider_batches.all():
        wake(provider_batch)
    return json_response(batch_object(*_found(request, id_of_batch(batch.pk))))


def _check_metadata(metadata: Mapping[str, str]) -> None:
    problem = ""
    if len(metadata) > MAX_METADATA:
        problem = f"Metadata has {MAX_METADATA} entries at most, and here are {len(metadata):,}."
    elif any(len(name) > MAX_NAME or len(text) > MAX_TEXT for name, text in metadata.items()):
        problem = f"In metadata, a name has {MAX_NAME} characters at most, and a text {MAX_TEXT}."
    elif any(text != storable_text(text) for row in metadata.items() for text in row):
        problem = "In metadata, names and texts have no NUL character."
    elif any(name.lower().startswith(RESERVED) for name in metadata):
        problem = f"Names of metadata that begin with {RESERVED} are the portal's own."
    if problem:
        raise invalid(problem, "metadata", "invalid_metadata")
