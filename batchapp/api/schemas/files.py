"""Files, with the members that OpenAI's and Doubleword's clients read."""

from typing import Literal

from ninja import Schema


class FileObject(Schema):
    """A file of requests, or of the answers or errors of a batch; moments are Unix seconds."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["batch", "batch_output", "batch_error"]
    status: Literal["uploaded", "processed", "error"]
    created_by_email: str
    context_name: str
    context_type: Literal["organization"]


class FileWarning(Schema):
    """A warning about a request of a file that was taken."""

    code: str
    line: int | None
    custom_id: str | None
    message: str


class CheckedFile(FileObject):
    """A file that was checked and stored; if it has warnings, up to 100 of them."""

    warnings: list[FileWarning] | None = None
    warning_total: int | None = None


class FileList(Schema):
    object: Literal["list"]
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFile(Schema):
    id: str
    object: Literal["file"]
    deleted: Literal[True]


class ModelCostEstimate(Schema):
    """The estimate of one model; the cost is null if the portal has no price of it."""

    model: str
    request_count: int
    estimated_input_tokens: int
    estimated_output_tokens: int
    estimated_cost: str | None


class CostEstimate(Schema):
    """The expected cost in US dollars, exact as text; null if a model has no price.

    Between ``low_cost`` and ``high_cost`` it is expected; ``ceiling_cost`` is the most that the
    limits of the requests allow, null if a request sets no limit.
    """

    file_id: str
    completion_window: str
    total_requests: int
    total_estimated_input_tokens: int
    total_estimated_output_tokens: int
    total_estimated_cost: str | None
    low_cost: str | None
    high_cost: str | None
    ceiling_cost: str | None
    models: list[ModelCostEstimate]
