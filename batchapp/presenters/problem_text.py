"""The sentences of problems: what happened, and the next step for the person."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refusal
from batchapp.presenters import refusal_text
from batchapp.presenters.sentences import (
    Data,
    Sentence,
    format_template,
    make_sentence,
    make_stored_sentence,
    split_cause,
    with_quote,
)
from batchapp.templatetags.words import count

register = template.Library()

KEEPS_TRYING = "Nothing is lost; the portal keeps trying."
AGAIN = "Try again; if it happens again, the portal's log says why."
TELL_OPERATOR = "if it happens again, tell whoever runs this portal."


@register.filter
def problem_text(problem: Problem | None) -> str:
    """Return "" for None."""
    if problem is None:
        return ""
    return make_stored_sentence(SENTENCES, problem.code, problem.data)


register.filter(split_cause)

MAX_REASONS = 3  # of a batch that failed as a whole; the timeline has all


def problem_facts(problem: Problem | None) -> dict[str, Any] | None:
    """Return what JSON says of a problem: code and data, and the sentence beside them."""
    if problem is None:
        return None
    return {"code": problem.code, "data": problem.data, "text": problem_text(problem)}


def _rejected(advice: str, once_sent: str = "") -> Callable[[Data], str]:
    """Give the advice, ``once_sent`` if the provider has the batch, and the provider's words."""

    def sentence(data: Data) -> str:
        text = (data["is_sent"] and once_sent) or advice
        return with_quote(text.format(connection=data["connection"]), data)

    return sentence


def _unanswered(
    ends: str, begins: str = "{connection} gave no usable answer"
) -> Callable[[Data], str]:
    """Quote between the two templates what the portal did and what came back."""

    def sentence(data: Data) -> str:
        quoted = {**data, "error": data["error"].rstrip(".")}
        return format_template(f"{begins} ({{error}}). {ends}", quoted).strip()

    return sentence


def _refused_for_now(data: Data) -> str:
    left = datetime.fromisoformat(data["until"]) - timezone.now()
    minutes = max(1, math.ceil(left / timedelta(minutes=1)))
    ends = (
        f"{KEEPS_TRYING} If this lasts {count(minutes, 'more minute')}, you are asked what to do."
    )
    return _unanswered(ends, begins="{connection} refuses this for now")(data)


def _key_test_unclear(data: Data) -> str:
    """Explain a rejected test; the usual advice is about files and batches, not about tests."""
    said = f": {data['said']}" if data["said"] else ""
    return (
        f"{data['connection']} answered{_asked_at(data)}, but neither accepted nor rejected the "
        "key. Batches may work with it; if not, ask an administrator to check the connection. "
        f"(HTTP {data['status']}{said})"
    )


def _key_test_unanswered(data: Data) -> str:
    return (
        f"{data['connection']} gave no usable answer{_asked_at(data)}, which says nothing about "
        "the key. Try again in a minute, or ask an administrator to check the connection. "
        f"({data['error']})"
    )


def _asked_at(data: Data) -> str:
    return f" at {data['address']}" if data.get("address") else ""


def _key_pays_no_more(data: Data) -> str:
    why = f"is no longer a member of {data['project']}"
    if data["is_deactivated"]:
        why = "has no active account any more"
    text = f"The batch uses a key of {data['owner']}, who {why}, so "
    if not data["is_sent"]:
        return f"{text}nothing more is sent on it. Try again with another key, or cancel."
    first = "Retry its" if data["is_over"] else "Cancel it, then retry its"
    return (
        f"{text}requests that were stopped or not sent yet cannot run on it. {first} requests as "
        "a new batch on another key."
    )


def _no_capacity(data: Data) -> str:
    return with_quote(f"{data['connection']} has no room for it just now. {KEEPS_TRYING}", data)


def _no_slot(data: Data) -> str:
    used, slots, ahead = data["used"], data["slots"], data["ahead"]
    are_used = "slot is used" if slots == 1 else "slots are used"
    are_ahead = f"{ahead:,} {'provider batch is' if ahead == 1 else 'provider batches are'} ahead."
    return (
        f"Waiting for a free slot at {data['connection']}: {used:,} of {slots:,} {are_used}. "
        f"{are_ahead if ahead else 'It is next.'}"
    )


def _unconfirmed(data: Data) -> str:
    text = (
        f"{data['connection']} may have created the batch although no confirmation came. The "
        "portal looks for it"
    )
    minutes = data["minutes"]
    if minutes is None:
        return f"{text}; nothing is lost."
    return f"{text} for {count(minutes, 'minute')}, to stop it as soon as it is found."


def _import_file_unchecked(data: Data) -> str:
    """Say why the file of an import could not be checked, if the file keeps its own problem."""
    if data["problem"]:
        return problem_text(Problem(**data["problem"]))
    return make_sentence(refusal_text.SENTENCES, Refusal.IMPORT_FILE_UNCHECKED, data)


def _failed_as_a_whole(data: Data) -> str:
    errors = data["errors"]
    more = len(errors) - MAX_REASONS
    text = f"{data['connection']} ran nothing of it. It said: {' '.join(errors[:MAX_REASONS])}"
    return f"{text} And {count(more, 'more reason')}, in the timeline." if more > 0 else text


def _file_unready(data: Data) -> str:
    return f"{data['connection']} cannot use the file yet ({data['error']}). {KEEPS_TRYING}"


SENTENCES: dict[Any, Sentence] = refusal_text.SENTENCES | {
    Refusal.IMPORT_FILE_UNCHECKED: _import_file_unchecked,
    ProblemCode.TEXT: "{text}",
    ProblemCode.CHECK_BROKE_OFF: f"The check broke off several times. {AGAIN}",
    ProblemCode.CORRECTION_NOT_WRITTEN: (
        "The corrected file could not be written: {file} could not be read, or the disk is full "
        f"({{reason}}). Try again; {TELL_OPERATOR}"
    ),
    ProblemCode.EXPORT_BROKE_OFF: f"Writing the file broke off several times. {AGAIN}",
    ProblemCode.EXPORT_COLUMN_GONE: (
        "The results have no column “{column}” any more. Choose the columns anew."
    ),
    ProblemCode.EXPORT_NOT_WRITTEN: (
        "The file could not be written: a stored file could not be read, or the disk is full "
        f"({{reason}}). Try again; {TELL_OPERATOR}"
    ),
    ProblemCode.EXPORT_REQUESTER_LEFT: (
        "{person} may not see this project any more. Export again to have the file yourself."
    ),
    ProblemCode.EXPORT_WITHOUT_COLUMNS: (
        f"The results could not be prepared. Download them as JSONL; {TELL_OPERATOR}"
    ),
    ProblemCode.FILE_UNREADABLE: (
        "The stored file could not be read ({reason}). Try again; if it happens again, upload the "
        "file anew and tell whoever runs this portal."
    ),
    ProblemCode.NOTHING_LEFT_TO_RETRY: (
        "No request of {batch} is left to retry: each of those selected has an answer now. "
        "Check its results, and delete this entry."
    ),
    ProblemCode.NOTHING_NEW: (
        "Every request of {file} has an answer already, so there is nothing to send. Delete this "
        "entry."
    ),
    ProblemCode.ORIGINAL_DELETED: (
        "The file to be corrected was deleted. Delete this entry, and upload the file again."
    ),
    ProblemCode.RETRIED_BATCH_DELETED: "The batch to be retried was deleted. Delete this entry.",
    ProblemCode.RETRY_NOT_WRITTEN: (
        "The requests of {batch} could not be written: {file} could not be read, or the disk is "
        f"full ({{reason}}). Try again; {TELL_OPERATOR}"
    ),
    ProblemCode.ANSWERS_DELETED: (
        "The answers of the batch were deleted: no table can be made of them. Delete this one."
    ),
    ProblemCode.ANSWERS_NOT_READABLE: (
        "The results of the batch could not be read. Delete this table, and make it anew from the "
        f"results; {TELL_OPERATOR}"
    ),
    ProblemCode.NO_SUCH_ANSWERS: (
        "The batch has no such results, so there are no rows. Go back to its results and choose "
        "others."
    ),
    ProblemCode.ALL_ROWS_SKIPPED: "Every row was skipped: no request was created.",
    ProblemCode.TABLE_BROKE_OFF: (
        "This broke off several times. Try again with a smaller table; if it happens again, the "
        "portal's log says why."
    ),
    ProblemCode.TABLE_REQUESTER_LEFT: (
        "{person}, who asked for these requests, works in the project no more. Create them again."
    ),
    ProblemCode.TABLE_WITHOUT_ROWS: (
        "The table has a header and no rows. Add a row for each request."
    ),
    ProblemCode.IMPORT_BROKE_OFF: f"The import broke off several times. {AGAIN}",
    ProblemCode.CANCEL_REFUSED: (
        "{connection} did not cancel it ({said}). The portal keeps asking."
    ),
    ProblemCode.NO_ANSWER_AND_CLOSED: _unanswered(""),  # the event says that it is closed
    ProblemCode.NO_ANSWER_FOR_LONG: _unanswered(
        f"{KEEPS_TRYING} If it stays like this: Cancel to close it here."
    ),
    ProblemCode.NO_ANSWER_TO_CANCEL: _unanswered(
        f"{KEEPS_TRYING} If no answer comes for {{minutes:count minute}}, the batch is closed "
        "here."
    ),
    ProblemCode.FAILED_AS_A_WHOLE: _failed_as_a_whole,
    ProblemCode.FILE_UNREADY: _file_unready,
    ProblemCode.NO_CAPACITY: _no_capacity,
    ProblemCode.NO_SLOT: _no_slot,
    ProblemCode.PAUSE_REFUSED: "{connection} did not stop it ({said}). The portal keeps asking.",
    ProblemCode.PROVIDER_SILENT: "{connection} has not answered for a long time.",
    ProblemCode.REFUSED_FOR_NOW: _refused_for_now,
    ProblemCode.STATUS_UNKNOWN: (
        "{connection} calls the batch “{word}”, a word that this portal does not know: it cannot "
        "tell whether the batch is over, and keeps asking. If {connection} shows it as ended, "
        "tell whoever runs this portal."
    ),
    ProblemCode.STEP_BROKE_OFF: f"This step broke off several times. {AGAIN}",
    ProblemCode.UNCONFIRMED: _unconfirmed,
    ProblemCode.WAITS_FOR_FIRST: (
        "Waiting for the answer to {requests:count request} sent first, to read the shared prompt "
        "from the cache."
    ),
    ProblemCode.FORBIDDEN: _rejected(
        "{connection} does not offer this to the key. Correct the model in the file and upload it "
        "again, or choose a key that may use it and try again.",
        once_sent="{connection} does not let the key read or change this batch. Give the key that "
        "right there, then try again; or cancel, and what was fetched so far is kept.",
    ),
    ProblemCode.GONE: _rejected(
        "{connection} has deleted this for good. Cancel to close the batch; what was fetched so "
        "far is kept."
    ),
    ProblemCode.UNREADABLE: _rejected(
        "{connection} was asked to run this, but no answer names a batch that can be followed. "
        "The batch may run there: look at the provider before you try again, or cancel."
    ),
    ProblemCode.INVALID: _rejected(
        "{connection} did not accept the request. Correct the file and upload it again, or "
        "cancel.",
        # Its file cannot be corrected any more.
        once_sent="{connection} did not accept the request about this batch. Try again; or "
        "cancel, and what was fetched so far is kept.",
    ),
    ProblemCode.KEY_REFUSED: _rejected(
        "{connection} refused the key: it is wrong, revoked, or of the wrong kind. "
        "Replace the key or choose another, then try again."
    ),
    ProblemCode.NO_CREDIT: _rejected(
        "The account at {connection} has no credits left, or the key reached its spending cap. "
        "Add credits there, then try again. Nothing was submitted twice."
    ),
    ProblemCode.NOT_FOUND: _rejected(
        "{connection} no longer knows this batch or its file, or never did under this key. "
        "Check that the key is the one it was created with, then try again; or cancel, and what "
        "was fetched so far is kept."
    ),
    ProblemCode.TOO_LARGE: _rejected(
        "The file is larger than {connection} accepts. Split it and upload the pieces."
    ),
    ProblemCode.WINDOW_UNSUPPORTED: _rejected(
        "{connection} does not run this file in the completion window that was chosen. Cancel, "
        "and submit the file in another one."
    ),
    ProblemCode.LINE_REFUSED: _rejected(
        "{connection} keeps refusing one line of the file. Correct the line and upload the file "
        "again, or try again if what the line names can be reached now."
    ),
    ProblemCode.FILE_STAYS_UNREADY: _rejected(
        "{connection} has had the file for 20 minutes, and still cannot use it. Try again to send "
        "the file anew, or ask the provider."
    ),
    ProblemCode.OVER_ACCOUNT_LIMIT: _rejected(
        "The file is larger than the account at {connection} may send. Have the limit raised "
        "there and try again, or split the file into smaller ones."
    ),
    ProblemCode.KEY_MOVED: (
        "The address of {connection} was changed, and the provider key is sent to no address that "
        "it was not entered for. If the new address is right, enter the key again, then try "
        "again; if not, tell an administrator."
    ),
    ProblemCode.KEY_PAYS_NO_MORE: _key_pays_no_more,
    ProblemCode.KEY_TEST_UNANSWERED: _key_test_unanswered,
    ProblemCode.KEY_TEST_UNCLEAR: _key_test_unclear,
    ProblemCode.KEY_UNREADABLE: (
        "The provider key cannot be read any more: it was removed, or the portal's encryption key "
        "changed. Enter the key again, then try again."
    ),
    ProblemCode.NO_ANSWER: _unanswered(KEEPS_TRYING),
}
