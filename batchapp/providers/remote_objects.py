"""The objects of a provider, as frozen dataclasses.

Only an id is required. Any other field may be missing, new or of an unexpected type, and then
counts as absent: providers differ and grow, and a running batch must not be lost over one field.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, Self, TypeVar

from batchapp.providers import json_values, remote_errors
from batchapp.providers.remote_errors import WholeRefusal
from batchapp.providers.remote_status import OVER, RemoteStatus, read_status

logger = logging.getLogger(__name__)

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list; ``last_id`` is the cursor of the next page.

    ``has_known_end`` is False if the page does not show whether there is another page.
    """

    data: tuple[Row, ...]
    has_more: bool = False
    last_id: str | None = None
    has_known_end: bool = True

    @staticmethod
    def from_json(value: object, read: Callable[[object], Row]) -> "Page[Row]":
        entry, rows = json_values.listing(value, "a list")
        more = entry.get("has_more")
        last_id = json_values.text(entry.get("last_id"))
        if not last_id and rows and isinstance(rows[-1], dict):
            last_id = json_values.text(rows[-1].get("id"))
        return Page(
            data=tuple(map(read, rows)),
            has_more=more is True and bool(rows),
            last_id=last_id or None,
            has_known_end=more is None or more is False or (more is True and bool(rows)),
        )


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at the provider; ``bytes`` is the uploaded size, for result files an estimate."""

    id: str
    name: str = ""
    bytes: int = 0
    purpose: str = ""
    created_at: datetime | None = None

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a file")
        return cls(
            id=json_values.identifier(entry, "a file"),
            name=json_values.text(entry.get("filename")),
            bytes=json_values.count(entry.get("bytes")),
            purpose=json_values.text(entry.get("purpose")),
            created_at=json_values.moment(entry.get("created_at")),
        )


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch at the provider, in its state at the time of the request.

    The end of a batch is not final: after a retry in place the batch runs again, and cancelling a
    completed batch changes its status. Counts may go back for the same reasons. Doubleword names
    both result files from the start, so an ``error_file_id`` does not mean that a request failed.
    """

    id: str
    status: RemoteStatus = RemoteStatus.UNKNOWN
    status_word: str = ""  # that of ``status``, or the provider's own if we do not know the word
    endpoint: str = ""
    input_file_id: str = ""  # "" once the input file was deleted
    output_file_id: str | None = None
    error_file_id: str | None = None
    window: str = ""
    created_at: datetime | None = None
    in_progress_at: datetime | None = None
    cancelling_at: datetime | None = None
    expires_at: datetime | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    metadata: dict[str, str] = field(default_factory=dict)  # the provider adds its own keys
    has_unreadable_metadata: bool = False  # metadata of another type than an object
    errors: tuple[str, ...] = ()
    refusal: WholeRefusal | None = None  # by the words of ``errors`` alone

    @property
    def is_over(self) -> bool:
        """Return True if the provider has stopped working on the batch."""
        return self.status in OVER

    @property
    def is_cancelled_unstarted(self) -> bool:
        """Return True if the batch was cancelled before the provider took up its requests.

        Doubleword leaves such a batch cancelling for ever, and never runs it, not even after a
        retry in place.
        """
        has_started = self.in_progress_at or self.completed or self.failed
        return self.status is RemoteStatus.CANCELLING and not has_started

    @property
    def never_ran(self) -> bool:
        """Return True if it failed before any request ran, as after a create with a 500."""
        return self.status is RemoteStatus.FAILED and not self.completed and not self.failed

    @property
    def whole_refusal(self) -> WholeRefusal | None:
        """Return why nothing of a failed batch was run that would be run later, if that is so."""
        return self.refusal if self.never_ran and not self.output_file_id else None

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a batch")
        identifier = json_values.identifier(entry, "a batch")
        status, word = read_status(entry)
        if status is RemoteStatus.UNKNOWN:
            logger.warning("batch %s: unknown status %r, taken as running", identifier, word)
        errors = remote_errors.read_errors(entry, is_over=status in OVER)
        counts = entry.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        return cls(
            id=identifier,
            status=status,
            status_word=word,
            endpoint=json_values.text(entry.get("endpoint")),
            input_file_id=json_values.text(entry.get("input_file_id")),
            output_file_id=json_values.reference(entry.get("output_file_id")),
            error_file_id=json_values.reference(entry.get("error_file_id")),
            window=json_values.text(entry.get("completion_window")),
            created_at=json_values.moment(entry.get("created_at")),
            in_progress_at=json_values.moment(entry.get("in_progress_at")),
            cancelling_at=json_values.moment(entry.get("cancelling_at")),
            expires_at=json_values.moment(entry.get("expires_at")),
            total=json_values.count(counts.get("total")),
            completed=json_values.count(counts.get("completed")),
            failed=json_values.count(counts.get("failed")),
            metadata=json_values.texts(entry.get("metadata")),
            has_unreadable_metadata=not isinstance(entry.get("metadata"), dict | None),
            errors=tuple(error.sentence for error in errors),
            refusal=remote_errors.whole_refusal(errors),
        )


@dataclass(frozen=True, slots=True)
class Analytics:
    """The usage of a batch so far; eventually consistent, with zeros at first.

    ``requests`` counts executions that ended with a status 2xx: 0 if all failed, and more than the
    requests if the provider crashed and ran some again. ``total_cost`` is the billed amount in
    USD; None means not known yet, never free of charge. ``total_list_cost`` is the amount before
    discounts and surcharges for cached prompts.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_cost: Decimal | None = None
    total_list_cost: Decimal | None = None

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "analytics")
        return cls(
            requests=json_values.count(entry.get("total_requests")),
            input_tokens=json_values.count(entry.get("total_prompt_tokens")),
            output_tokens=json_values.count(entry.get("total_completion_tokens")),
            total_cost=json_values.money(entry.get("total_cost")),
            total_list_cost=json_values.money(entry.get("total_list_cost")),
        )
