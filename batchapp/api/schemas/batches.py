"""Batches, with the fields of OpenAI's API and those that Doubleword adds."""

from typing import Any, Literal

from ninja import Field, Schema
from pydantic import BaseModel, ConfigDict

from batchapp.api.pages import LARGEST_SKIP

Status = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
LineStatus = Literal["pending", "completed", "failed", "cancelled"]
LONGEST_SEARCH = 200  # characters


class ExpiresAfter(Schema):
    anchor: Literal["created_at"]
    seconds: int = Field(ge=3_600, le=2_592_000)


class BatchCreate(BaseModel):
    """A batch to order; members that the portal does not know only tell one order from another.

    ``Schema`` of django-ninja would drop them, also with ``extra``.
    """

    model_config = ConfigDict(extra="allow")

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: ExpiresAfter | None = Field(
        None, description="Is checked; the rule of the project says how long results are kept."
    )


class RequestCounts(Schema):
    total: int
    completed: int
    failed: int


class InputTokensDetails(Schema):
    cached_tokens: int


class Usage(Schema):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    total_tokens: int


class BatchError(Schema):
    code: str
    message: str
    line: int | None
    param: str | None


class BatchErrors(Schema):
    object: Literal["list"]
    data: list[BatchError]


class Analytics(Schema):
    """Sums of the answers; a cost is exact, and absent as long as it is not known."""

    total_requests: int
    total_prompt_tokens: int
    total_completion_tokens: int
    total_tokens: int
    total_cost: str | None = None
    total_list_cost: str | None = None


class PortalFacts(Schema):
    """Facts of the portal about a batch: ``state`` as its pages show it, ``url`` of its page."""

    state: str
    url: str
    name: str
    estimated_cost_usd: str | None
    cost_usd: str | None


class BatchObject(Schema):
    """A batch; times are Unix seconds, and ``usage`` is null until the batch is over."""

    id: str
    object: Literal["batch"]
    endpoint: str
    model: str | None
    errors: BatchErrors | None
    input_file_id: str
    completion_window: str
    status: Status
    output_file_id: str
    error_file_id: str
    created_at: int
    in_progress_at: int | None
    expires_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    usage: Usage | None
    metadata: dict[str, str] | None
    portal: PortalFacts
    analytics: Analytics | None = None


class BatchList(Schema):
    object: Literal["list"]
    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ResultPart(Schema):
    """The parameters that choose a part of the results."""

    skip: int = Field(0, ge=0, le=LARGEST_SKIP)
    limit: int | None = Field(None, ge=1)
    search: str = Field("", max_length=LONGEST_SEARCH, description="A part of the custom_id.")
    status: LineStatus | None = None


class RequestLine(Schema):
    """A line of the results: a request as it was sent, with its answer."""

    id: str
    custom_id: str
    model: str
    input_body: Any
    response_body: Any
    error: str | None
    status: LineStatus
