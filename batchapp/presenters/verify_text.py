"""The sentences of what ``manage.py verify`` finds, and what a person can do about it."""

from batchapp.models import AuditEvent
from batchapp.presenters.audit_text import audit_text, who
from batchapp.presenters.sentences import Data, Sentence, make_sentence
from batchapp.services.archive.verify import Difference, DifferenceCode
from batchapp.services.audit.verify_seals import (
    SealDifference,
    SealDifferenceCode,
    SealProgress,
)
from batchapp.services.statements.verify_statements import (
    StatementDifference,
    StatementDifferenceCode,
    StatementProgress,
)
from batchapp.templatetags.words import count, size

AnyDifference = Difference | SealDifference | StatementDifference
AnyCode = DifferenceCode | SealDifferenceCode | StatementDifferenceCode


def difference_text(difference: AnyDifference) -> str:
    if more := difference.data.get("more"):
        if isinstance(difference, SealDifference):
            return f"Seal {difference.data['seal']:,}: {count(more, 'more event')} like this."
        if isinstance(difference, StatementDifference):
            return f"{_statement(difference.data)}: {count(more, 'more line')} like this."
        return f"Batch {difference.data['batch']}: {count(more, 'more row')} like this."
    return make_sentence(SENTENCES, difference.code, difference.data)


def _owner(data: Data) -> str:
    if "batch" in data:
        return f"{data['kind']} of batch {data['batch']}"
    return f"{data['kind']} {data['id']}, “{data['title']}”"


def _file_missing(data: Data) -> str:
    return f"{data['file']} is missing ({_owner(data)})."


def _file_unreadable(data: Data) -> str:
    return f"{data['file']} cannot be read: {data['reason']} ({_owner(data)})."


def _file_changed(data: Data) -> str:
    was, found = data["size"], data["found_size"]
    if was in {None, found}:
        what = "its bytes are not those that were stored"
    else:
        what = f"it has {count(found, 'byte')} instead of {was:,}"
    return f"{data['file']} was changed: {what} ({_owner(data)})."


def _lines_differ(data: Data) -> str:
    return (
        f"{data['file']} has {count(data['found_lines'], 'line')} instead of {data['lines']:,} "
        f"({_owner(data)})."
    )


def _request_differs(data: Data) -> str:
    return (
        f"Batch {data['batch']}, line {data['line']:,}: {data['file']} does not have the request "
        f"{data['custom_id']} at byte {data['at']:,}."
    )


def _answer_differs(data: Data) -> str:
    line = "an unmatched line" if data["line"] is None else f"line {data['line']:,}"
    if data["file"] is None:
        return f"Batch {data['batch']}, {line}: no file has the answer to {data['custom_id']}."
    return (
        f"Batch {data['batch']}, {line}: {data['file']} does not have what the row says of "
        f"{data['custom_id'] or 'the line'} at byte {data['at']:,}."
    )


def _results_differ(data: Data) -> str:
    pairs = data["counts"].items()
    counts = ", ".join(f"{found:,} {name} instead of {was:,}" for name, (was, found) in pairs)
    return f"Batch {data['batch']}, “{data['name']}”: its results say {counts}."


def _event_now(pk: int) -> str:
    """Return what an event of the audit says now, which may not be what it said."""
    event = AuditEvent.objects.filter(pk=pk).first()
    return f" It says now: {_at(event)}, {who(event)}: {audit_text(event)}" if event else ""


def _neighbours(pk: int) -> str:
    """Say when an event that is not there happened, by the events around it."""
    before = AuditEvent.objects.filter(pk__lt=pk).order_by("pk").last()
    after = AuditEvent.objects.filter(pk__gt=pk).order_by("pk").first()
    times = [f"after {_at(before)}"] if before else []
    times += [f"before {_at(after)}"] if after else []
    return f" It happened {' and '.join(times)}." if times else ""


def _at(event: AuditEvent) -> str:
    return f"{event.at:%Y-%m-%d %H:%M:%S} UTC"


def _orphan(data: Data) -> str:
    return f"{data['file']} belongs to no row ({size(data['bytes'])})."


def _statement(data: Data) -> str:
    return f"Statement of {data['name']} ({data['project']}), {data['month']}"


def _statement_sums_differ(data: Data) -> str:
    pairs = data["counts"].items()
    counts = ", ".join(f"{name} {found} instead of {was}" for name, (was, found) in pairs)
    return f"{_statement(data)}: its lines say {counts}."


def _statement_line_differs(data: Data) -> str:
    was, found = data["usd"]
    return (
        f"{_statement(data)}, line {data['line']:,}: the lines up to it add up to {found} USD "
        f"instead of {was} (batch {data['batch']})."
    )


def statements_text(progress: StatementProgress) -> str:
    """Return what was verified of the statements; "" if there are none."""
    if not progress.statements:
        return ""
    lines = count(progress.lines, "line")
    return f"Verified {count(progress.statements, 'closed statement')} with {lines}."


def seals_text(progress: SealProgress) -> str:
    """Return what was verified of the audit; "" if nothing was."""
    if not progress.seals and not progress.unsealed:
        return ""
    events, sealed = count(progress.events, "event"), count(progress.seals, "seal")
    sentences = [f"Verified {events} of the audit under {sealed}."]
    if progress.deleted_events:
        deleted = count(progress.deleted_events, "older event was,older events were")
        sentences.append(f"{deleted} deleted by the rule on keeping.")
    if progress.unsealed:
        sentences.append(f"{count(progress.unsealed, 'event is,events are')} not sealed yet.")
    if progress.newest_digest:
        sentences.append(f"The newest digest is {progress.newest_digest}.")
    return " ".join(sentences)


SENTENCES: dict[AnyCode, Sentence] = {
    DifferenceCode.FILE_MISSING: _file_missing,
    DifferenceCode.FILE_UNREADABLE: _file_unreadable,
    DifferenceCode.FILE_CHANGED: _file_changed,
    DifferenceCode.LINES_DIFFER: _lines_differ,
    DifferenceCode.REQUEST_DIFFERS: _request_differs,
    DifferenceCode.ANSWER_DIFFERS: _answer_differs,
    DifferenceCode.RESULTS_DIFFER: _results_differ,
    DifferenceCode.ORPHAN: _orphan,
    SealDifferenceCode.EVENT_CHANGED: lambda data: (
        f"Audit, seal {data['seal']:,}: the event {data['event']} was changed."
        f"{_event_now(data['event'])}"
    ),
    SealDifferenceCode.EVENT_REMOVED: lambda data: (
        f"Audit, seal {data['seal']:,}: the event {data['event']} was removed."
        f"{_neighbours(data['event'])}"
    ),
    SealDifferenceCode.EVENT_INSERTED: lambda data: (
        f"Audit, seal {data['seal']:,}: the event {data['event']} was added later."
        f"{_event_now(data['event'])}"
    ),
    SealDifferenceCode.SEAL_CHANGED: "Audit: the seal {seal:,} or one before it was changed.",
    SealDifferenceCode.SEAL_REMOVED: "Audit: the seal {seal:,} was removed.",
    SealDifferenceCode.SEAL_EMPTIED: (
        "Audit, seal {seal:,}: {events:count event} were removed, and no rule on keeping did it."
    ),
    SealDifferenceCode.DIGEST_UNKNOWN: "Audit: no seal has the digest {digest}.",
    StatementDifferenceCode.SUMS_DIFFER: _statement_sums_differ,
    StatementDifferenceCode.LINE_DIFFERS: _statement_line_differs,
}

_RESTORE = "Restore these files from a backup, then verify again."
_REBUILD = "Once no file differs, run `manage.py rebuild BATCH` for each batch named."
_AUDIT = (
    "Somebody changed the audit in the database, or restored an older one. Compare it with a "
    "backup, and note the digest of the audit elsewhere from time to time."
)
_STATEMENTS = (
    "The portal never changes a closed statement: somebody changed it in the database. Compare it "
    "with a backup, or with a copy that was printed or downloaded."
)
ADVICE: dict[AnyCode, str] = {
    DifferenceCode.FILE_MISSING: _RESTORE,
    DifferenceCode.FILE_UNREADABLE: _RESTORE,
    DifferenceCode.FILE_CHANGED: _RESTORE,
    DifferenceCode.LINES_DIFFER: _RESTORE,
    DifferenceCode.REQUEST_DIFFERS: _REBUILD,
    DifferenceCode.ANSWER_DIFFERS: _REBUILD,
    DifferenceCode.RESULTS_DIFFER: _REBUILD,
    DifferenceCode.ORPHAN: (
        "Files of no row only take room: a worker was killed, or the database is older than the "
        "files. If the database is the right one, they can be deleted."
    ),
    **dict.fromkeys(SealDifferenceCode, _AUDIT),
    **dict.fromkeys(StatementDifferenceCode, _STATEMENTS),
}


def advice_for(codes: set[AnyCode]) -> list[str]:
    """Return what a person can do about differences of ``codes``, each once."""
    return list(dict.fromkeys(advice for code, advice in ADVICE.items() if code in codes))
