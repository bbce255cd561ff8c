"""Read the state of a batch, by whatever word a provider calls it.

Source of the words: the references of OpenAI, Azure OpenAI, Anthropic, Bedrock, Fireworks, Gemini,
Groq, Mistral, Together, Vertex and Voyage, and of open-source servers of their APIs.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from batchapp.providers import json_values

MAX_WORD = 50  # characters, which a column holds


class RemoteStatus(StrEnum):
    """OpenAI's eight statuses, and UNKNOWN for any other, which counts as still running."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"  # never from Doubleword, whose overdue batches keep running
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


OVER = frozenset(
    {RemoteStatus.COMPLETED, RemoteStatus.FAILED, RemoteStatus.EXPIRED, RemoteStatus.CANCELLED}
)

# Words of other providers without case, spaces and punctuation -> the status that they mean.
WORDS = {
    **dict.fromkeys(
        (
            *("validating", "validated", "queued", "pending", "created", "creating", "submitted"),
            *("scheduled", "notstarted", "waiting", "accepted", "received", "new"),
        ),
        RemoteStatus.VALIDATING,
    ),
    **dict.fromkeys(
        ("inprogress", "running", "processing", "started", "active", "executing", "working"),
        RemoteStatus.IN_PROGRESS,
    ),
    **dict.fromkeys(("finalizing", "finalising", "finishing"), RemoteStatus.FINALIZING),
    **dict.fromkeys(
        (
            *("completed", "complete", "succeeded", "success", "successful", "ended", "done"),
            *("finished", "completedwitherrors", "partiallycompleted", "partiallysucceeded"),
            "partialsuccess",
        ),
        RemoteStatus.COMPLETED,
    ),
    **dict.fromkeys(
        ("failed", "failure", "error", "errored", "rejected", "invalid", "validationfailed"),
        RemoteStatus.FAILED,
    ),
    **dict.fromkeys(("expired", "timeout", "timedout", "timeoutexceeded"), RemoteStatus.EXPIRED),
    **dict.fromkeys(
        (
            *("cancelling", "canceling", "cancelrequested", "cancellationrequested"),
            *("stopping", "terminating"),
        ),
        RemoteStatus.CANCELLING,
    ),
    **dict.fromkeys(
        ("cancelled", "canceled", "aborted", "stopped", "terminated"), RemoteStatus.CANCELLED
    ),
}
_PREFIX = re.compile(r"^(?:job|batch)?(?:state|status)")  # as in JOB_STATE_SUCCEEDED

# What a provider stamps when a batch ends. Only of a batch whose word is not known: Doubleword
# stamps ``expired_at`` also on batches that run on.
STAMPS = {
    "cancelled_at": RemoteStatus.CANCELLED,
    "canceled_at": RemoteStatus.CANCELLED,
    "failed_at": RemoteStatus.FAILED,
    "expired_at": RemoteStatus.EXPIRED,
    "completed_at": RemoteStatus.COMPLETED,
    "finished_at": RemoteStatus.COMPLETED,
    "ended_at": RemoteStatus.COMPLETED,
}


def read_status(batch: Mapping[str, Any]) -> tuple[RemoteStatus, str]:
    """Return the status of a batch, and the word for it: ours, or one that is not known."""
    word = json_values.text(batch.get("status") or batch.get("state"))[:MAX_WORD]
    letters = re.sub(r"[^a-z]", "", word.lower())
    status = WORDS.get(letters) or WORDS.get(_PREFIX.sub("", letters))
    if status is None:
        moment = json_values.moment
        stamped = (status for name, status in STAMPS.items() if moment(batch.get(name)))
        return next(stamped, RemoteStatus.UNKNOWN), word
    return status, status.value
