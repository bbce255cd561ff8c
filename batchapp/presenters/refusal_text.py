"""The sentences of refusals, each with the next step for the person."""

from datetime import datetime

from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.windows import spaced
from batchapp.forms import labels
from batchapp.presenters import approval_text, budget_text
from batchapp.presenters.sentences import Data, Sentence, make_sentence, named
from batchapp.templatetags.words import count

MIB = 1024 * 1024


def refusal_text(refused: Refused) -> str:
    return make_sentence(SENTENCES, refused.code, refused.data)


def _batch_purged(data: Data) -> str:
    why = ""
    if data["days"] is not None:
        why = f", since the project keeps them for {count(data['days'], 'day')}"
    elif data["person"]:
        why = f" by {data['person']}"
    return (
        f"The requests and answers of {data['batch']} were deleted on {_day(data)}{why}. "
        "Its counts, tokens and cost are kept."
    )


def _file_purged(data: Data) -> str:
    return (
        f"The requests of {data['file']} were deleted on {_day(data)}, together with the answers "
        "to them. Upload the file again to use it."
    )


def _export_expired(data: Data) -> str:
    return (
        f"The file of this export was kept until {_day(data)}. Export it again: that writes a "
        f"file of the results that {data['batch']} has now."
    )


def _request_needs_approval(data: Data) -> str:
    return (
        f"This request would need approval in {data['project']}. "
        f"{approval_text.reasons_text(data['reasons'])} Nobody can approve a single request: "
        "order a batch of it, or set a lower max_tokens."
    )


def _day(data: Data) -> str:
    return f"{timezone.localtime(datetime.fromisoformat(data['at'])):%-d %B %Y}"


def _month_before_open(data: Data) -> str:
    if data["month"] is None:
        return "No batch was paid so far, so there is nothing to close."
    return f"{_month(data)} is still open. Close it first: months are closed in their order."


def _month_not_over(data: Data) -> str:
    return f"{_month(data)} is not over. A month can be closed from the first day after it on."


def _month(data: Data) -> str:
    return f"{datetime.fromisoformat(data['month']):%B %Y}"


def _remote_file_too_large(data: Data) -> str:
    return (
        f"Its file is larger than the portal takes: {data['limit_bytes'] / MIB:,.0f} MiB. Ask an "
        "administrator to raise the connection's limit, then try again."
    )


def _not_followable(reason: str, data: Data) -> str:
    lines = " ".join(f"Line {line:,}: {message}" for line, message in data["findings"])
    return (
        f"{reason}, so the portal cannot account for every request. Download the results there, "
        f"or correct the copy of the file here and submit it anew, which is paid again. {lines}"
    )


def _import_ids_repeated(data: Data) -> str:
    return _not_followable(
        "Several of its requests have the same custom_id, and results come back by it", data
    )


def _import_file_faulty(data: Data) -> str:
    return _not_followable(
        f"{data['connection']} took its file, but the check here finds errors in it", data
    )


def _window_not_for_model(data: Data) -> str:
    windows = ", ".join(data["windows"])
    advice = f"Choose one of: {windows}." if windows else "Name another model, or split the file."
    return f"{data['model']} does not run in the {spaced(data['window'])} window. {advice}"


def _model_not_offered(data: Data) -> str:
    models = ", ".join(data["models"])
    hint = f" Is it {data['near']}?" if data["near"] else ""
    return (
        f"{data['connection']} does not offer {models}.{hint} Take the name of a model from "
        "/v1/models, and upload the corrected file."
    )


def _key_in_use(data: Data) -> str:
    batches = data["batches"]
    need = "1 unfinished batch needs" if batches == 1 else f"{batches:,} unfinished batches need"
    return f"{need} this key. Wait for the end, or cancel first."


def _project_on_hold(data: Data) -> str:
    batches = data["batches"]
    are = "1 batch is" if batches == 1 else f"{batches:,} batches are"
    return f"{are} on hold. End the hold first."


def _project_runs(data: Data) -> str:
    batches = data["batches"]
    are = "1 batch is" if batches == 1 else f"{batches:,} batches are"
    return f"{are} under way. Wait for the end, or cancel first."


def _webhook_address_invalid(data: Data) -> str:
    schemes = "https:// or http://" if data["takes_http"] else "https://"
    return (
        f"This is no address that the portal sends to. It begins with {schemes}, names a host, "
        "and has no user, no password, and no port of another service."
    )


def _workbook_sheet_missing(data: Data) -> str:
    return f"The workbook has no sheet {data['sheet']}. It has: {named(data['sheets'], 20)}."


def _workbook_file_too_large(data: Data) -> str:
    return (
        f"The workbook is too large to be read: {data['file']} has "
        f"{data['bytes'] / MIB:,.0f} MiB unpacked. Save the sheet as CSV."
    )


def _and_others(data: Data) -> str:
    others = data["others"]
    if not others:
        return ""
    return " 1 more row is like this." if others == 1 else f" {others:,} more rows are like this."


def _table_cell_unnamed(data: Data) -> str:
    return (
        f"Line {data['line']:,} has text in column {data['column']:,}, which has no name in the "
        f"header (line {data['header']:,}).{_and_others(data)} Name the column there."
    )


def _table_row_too_wide(data: Data) -> str:
    return (
        f"Line {data['line']:,} has {data['cells']:,} cells, but the header (line "
        f"{data['header']:,}) names {count(data['columns'], 'column')}.{_and_others(data)} Put a "
        "text that contains the separator in quotation marks, or choose another separator or "
        "header."
    )


APPROVAL_ENDS = {
    "approved": "approved",
    "denied": "denied",
    "withdrawn": "withdrawn",
    "void": "cancelled",
}


def _approval_decided(data: Data) -> str:
    if end := APPROVAL_ENDS.get(data["state"]):
        by = f" by {data['person']}" if data["person"] else ""
        return f"This batch was {end}{by} before."
    if data["state"] == "expired":
        return "Nobody approved this batch in time: it is being cancelled. Order it again."
    return "Somebody else decides at this very moment. Look again."


SENTENCES: dict[Refusal, Sentence] = {
    **labels.SENTENCES,
    Refusal.BUDGET_COST_UNKNOWN: budget_text.cost_unknown,
    Refusal.BUDGET_EXISTS: "There is such a budget already. Change that one.",
    Refusal.REQUEST_NEEDS_APPROVAL: _request_needs_approval,
    Refusal.OVER_BUDGET: budget_text.over_budget,
    Refusal.VIEW_NAME_TAKEN: "There is a view called {name} already. Choose another name.",
    Refusal.VIEWS_TOO_MANY: (
        "You have {limit:,} views of this list, which is the most. Delete one first."
    ),
    Refusal.BATCH_AT_WORK: (
        "{batch} is under way, or a worker has it at this moment. Try again once it is over."
    ),
    Refusal.BATCH_PURGED: _batch_purged,
    Refusal.FILE_PURGED: _file_purged,
    Refusal.EXPORT_EXPIRED: _export_expired,
    Refusal.EXPORT_LOST: (
        "The file of this export is not in the storage any more. Export it again: the results of "
        "{batch} are still here."
    ),
    Refusal.EXPORT_REPLACED: (
        "This link is to an earlier file: the export of {batch} was written again since. Ask for "
        "a new link, or open its exports."
    ),
    Refusal.FALLBACK_NOT_LONGER: "A fallback window must be longer than {window}.",
    Refusal.FALLBACK_NOT_OFFERED: (
        "{connection} does not offer the {window} window to fall back to. "
        "Choose one of: {windows}."
    ),
    Refusal.ENDPOINT_NOT_IN_FILE: (
        "No request of the file goes to {endpoint}; they go to {urls}. Name one of these as the "
        "endpoint."
    ),
    Refusal.FILE_NOT_READY: (
        "This file is not ready: it is still being checked, or it has errors."
    ),
    Refusal.FILE_OF_OTHER_PROJECT: "This file belongs to another project.",
    Refusal.APPROVAL_DECIDED: _approval_decided,
    Refusal.APPROVAL_FILE_CHANGED: (
        "The file is not the one that was ordered. Deny the batch, and order it again."
    ),
    Refusal.APPROVAL_PRICES_CHANGED: (
        "The prices changed since this page was opened. Check the new cost, then approve."
    ),
    Refusal.IDEMPOTENCY_KEY_USED: (
        "This Idempotency-Key came with another request before. Send the same request again to "
        "get what it made, or another key to make something new."
    ),
    Refusal.FORM_USED: (
        "This form was used before, or its file or key was removed just now. Start the order "
        "again."
    ),
    Refusal.NO_PROVIDER_KEY: (
        "Neither {project} nor {person} has a provider key for {connection}. An owner of the "
        "project adds one under Settings, Keys."
    ),
    Refusal.KEY_REMOVED: "This key was removed. Choose another.",
    Refusal.PRICES_CHANGED: (
        "The prices changed since this page was opened. Check them, then submit."
    ),
    Refusal.KEPT_ANSWERS_DELETED: (
        "Answers that this file keeps were deleted with {batches}. Choose again from "
        "{original} what is new."
    ),
    Refusal.RETRIED_IN_PLACE: (
        "The failed requests of {batch} were retried in place after this file was created. "
        "Once that has ended, retry the requests that still failed."
    ),
    Refusal.SAME_FILE_ORDERED: (
        "The same requests were submitted on the {window:window} window after this page was "
        "opened. Check that batch first. To get the answers once more, submit again."
    ),
    Refusal.WINDOW_NOT_FOR_MODEL: _window_not_for_model,
    Refusal.WINDOW_NOT_OFFERED: (
        "{connection} does not offer the {window} window. Choose one of: {windows}."
    ),
    Refusal.IMPORT_FILE_DELETED: (
        "The file was deleted here before its check had ended. Try again."
    ),
    Refusal.IMPORT_FILE_FAULTY: _import_file_faulty,
    # A row that keeps this refusal says more: see ``problem_text``.
    Refusal.IMPORT_FILE_UNCHECKED: "Its file could not be checked. Try again.",
    Refusal.IMPORT_IDS_REPEATED: _import_ids_repeated,
    Refusal.IMPORT_KEY_REMOVED: "The provider key was removed. Import the batch with another key.",
    Refusal.IMPORT_ROWS_REMOVED: "Its file or its key was removed from the portal. Try again.",
    Refusal.IN_PORTAL_ALREADY: "This batch is in the portal already. Dismiss this import.",
    Refusal.PROJECT_ARCHIVED: (
        "The project was archived before the batch was here. Restore the project, then try again."
    ),
    Refusal.PROJECT_ON_HOLD: _project_on_hold,
    Refusal.PROJECT_RUNS: _project_runs,
    Refusal.REMOTE_BATCH_RENAMED: (
        "{connection} calls this batch {remote_id}. Dismiss this import, and import that id."
    ),
    Refusal.REMOTE_BATCH_UNKNOWN: (
        "{connection} knows no batch {remote_id} under the key {key}: the id is mistyped, the "
        "batch was deleted there, or it was created with a key of another account. Dismiss this "
        "import, and choose that key."
    ),
    Refusal.REMOTE_FILE_DELETED: (
        "The input file of this batch was deleted at {connection}, so nobody can say which answer "
        "belongs to which request. Download its results there."
    ),
    Refusal.REMOTE_FILE_INCOMPLETE: (
        "{connection} counts {requests:,} requests in this batch, but sent {lines:,}. Try again; "
        "if it happens again, the batch cannot be imported."
    ),
    Refusal.REMOTE_FILE_TOO_LARGE: _remote_file_too_large,
    Refusal.REQUESTER_LEFT: (
        "{person}, who asked for this import, works in the project no more. Dismiss it, and "
        "import the batch again."
    ),
    Refusal.CONNECTION_ARCHIVED: (
        "{connection} is archived: nothing new begins there. Use a project of another connection, "
        "or ask an administrator to restore it."
    ),
    Refusal.CONNECTION_USED: (
        "A project, a key or a batch uses {connection}, so it was not removed. Archive it instead."
    ),
    Refusal.RETRY_IN_USE: (
        "There is {batches:count paused batch,paused batches}, and to resume needs the retry in "
        "place. Switch it off when none is paused."
    ),
    Refusal.WINDOWS_IN_USE: (
        "Under way: {batches:count batch,batches}, which may run in {windows:window}. Keep this "
        "window until they have ended."
    ),
    Refusal.KEY_IN_USE: _key_in_use,
    Refusal.KEY_NAME_TAKEN: "Another of these keys is called “{name}”. Choose another name.",
    Refusal.PORTAL_KEY_CHANGED: (
        "The key was rotated or revoked meanwhile, or has expired. Nothing was changed now."
    ),
    Refusal.PORTAL_KEY_NAME_TAKEN: (
        "Another portal key in this project is called “{name}”. Choose another name, or revoke "
        "that key first."
    ),
    Refusal.SERVICE_KEY_MANAGES: (
        "A service key reads and submits. What owners decide is for people."
    ),
    Refusal.WEBHOOK_ADDRESS_INVALID: _webhook_address_invalid,
    Refusal.WEBHOOK_CHANGED: (
        "The secret was changed a moment ago, so this form did nothing. Begin again."
    ),
    Refusal.WEBHOOK_DISABLED: "{name} is disabled. Enable it first.",
    Refusal.WEBHOOK_NAME_TAKEN: ("There is a webhook called {name} already. Choose another name."),
    Refusal.WEBHOOK_TEST_WAITS: "A test is on its way already. Look at the log.",
    Refusal.WEBHOOKS_TOO_MANY: (
        "The project has {limit:,} webhooks, which is the most. Delete one first."
    ),
    Refusal.ADDRESS_NOT_CONFIRMED: (
        "First open the link that was sent to {email}: it proves that the address is yours."
    ),
    Refusal.LAST_ADMINISTRATOR: (
        "The portal needs an administrator. Make somebody else one first."
    ),
    Refusal.OWN_ACCOUNT: "This is your own account. Ask another administrator to deactivate it.",
    Refusal.OWN_SECOND_FACTOR: (
        "This is your own account. Remove your second factors in your profile."
    ),
    Refusal.MONTH_BEFORE_OPEN: _month_before_open,
    Refusal.MONTH_NOT_OVER: _month_not_over,
    Refusal.RECIPIENT_EXISTS: "{email} is in the list already. Remove it first to ask once more.",
    Refusal.RECIPIENTS_NEED_MAIL_SERVER: (
        "The portal has no mail server, so it cannot mail statements. Ask an administrator."
    ),
    Refusal.RECIPIENTS_TOO_MANY: (
        "The list has {limit:,} addresses, which is the most. Remove one first."
    ),
    Refusal.MODEL_INVALID: "{messages}",
    Refusal.MODEL_NOT_ALLOWED: (
        "This portal key does not allow {models}. Use a key that does, or ask for the model to be "
        "added to the key."
    ),
    Refusal.MODEL_NOT_OFFERED: _model_not_offered,
    Refusal.MODELS_OF_DOUBLEWORD: (
        "{connection} is not Doubleword, and may serve the same models with other limits. Ask the "
        "provider, import a CSV, or add them one by one."
    ),
    Refusal.PRICES_OF_DOUBLEWORD: (
        "{connection} is not Doubleword, and has prices of its own. Ask the provider, import a "
        "CSV, or add them one by one."
    ),
    Refusal.COMPARISON_OUTDATED: (
        "The prices changed since this comparison was made, so nothing was written. Compare again."
    ),
    Refusal.PRICE_CHANGED: "Somebody changed this price meanwhile. Check it again.",
    Refusal.PRICE_IN_FORCE: "This price is in force by now, so it stays on record. End it.",
    Refusal.PRICE_INVALID: "{messages}",
    Refusal.PRICE_LINES_BAD: "Some lines are bad, so nothing was written. Correct them first.",
    Refusal.PRICE_NOT_IN_FORCE: "This price is not in force yet. Withdraw it instead.",
    Refusal.PRICE_NOT_IN_FORCE_THEN: (
        "This price is not in force yet by then. Choose a later date."
    ),
    Refusal.PRICE_OVER_THEN: "This price is over by then. Add a new one instead.",
    Refusal.PRICE_TIME_PAST: (
        "The time from which the prices apply is past. Choose now or a later time."
    ),
    Refusal.PRICE_WITHDRAWN: "This price was withdrawn meanwhile.",
    Refusal.PRICES_PAST: "Past prices cannot be changed: choose now or a later date.",
    Refusal.TABLE_CELL_TOO_LONG: (
        "The table cannot be read from line {line:,} on: a cell is longer than {limit:,} "
        "characters. Most often a quotation mark is never closed."
    ),
    Refusal.TABLE_CELL_UNNAMED: _table_cell_unnamed,
    Refusal.TABLE_COLUMNS_TOO_MANY: (
        "The table has more than {limit:,} columns. Leave out those that no prompt needs."
    ),
    Refusal.TABLE_EMPTY: "The table is empty. Its first row must name the columns.",
    Refusal.TABLE_ENCODING_UNKNOWN: "There is no encoding called {encoding}.",
    Refusal.TABLE_HEADER_BLANK: "The header is blank. It must name the columns.",
    Refusal.TABLE_HEADER_MISSING: (
        "There is no row {row:,} that could name the columns. Choose the row of the header."
    ),
    Refusal.TABLE_IS_ARCHIVE: (
        "This is an archive, but not an Excel workbook that can be read. Save the table as .xlsx "
        "or CSV, and upload that."
    ),
    Refusal.TABLE_IS_BINARY: (
        "This is not a table but a binary file. Save the table as CSV or .xlsx."
    ),
    Refusal.TABLE_IS_GZIP: "This is a gzip archive. Unpack it first.",
    Refusal.TABLE_IS_OLD_EXCEL: (
        "This is an old Excel file (.xls), a binary one (.xlsb), or one with a password. Save it "
        "as .xlsx without a password, or as CSV."
    ),
    Refusal.TABLE_IS_ONE_OBJECT: (
        "This JSON is one object with a table inside. A table is a list of objects, one for each "
        "row. Save that list alone; from pandas with to_json(orient='records')."
    ),
    Refusal.TABLE_IS_PARQUET: "This is a Parquet file. Save the table as CSV or JSONL.",
    Refusal.TABLE_IS_PDF: "This is a PDF. Save the table as CSV or .xlsx.",
    Refusal.TABLE_IS_PICTURE: "This is a picture. Save the table as CSV or .xlsx.",
    Refusal.TABLE_IS_REQUESTS: (
        "This looks like a file of requests (JSONL), not a table. Upload it under Files."
    ),
    Refusal.TABLE_IS_WEB_PAGE: (
        "This is a web page, whatever its name ends in. Open it in your spreadsheet program and "
        "save it as .xlsx."
    ),
    Refusal.TABLE_IS_XML: (
        "This is XML, whatever its name ends in. Open it in your spreadsheet program and save it "
        "as .xlsx."
    ),
    Refusal.TABLE_LINE_TOO_LONG: (
        "Line {line:,} is longer than {limit:,} characters, too long to be read. Put each row on "
        "a line of its own."
    ),
    Refusal.TABLE_NEEDS_MEMORY: (
        "This table unpacks to more than the portal has memory for. Save only the sheet with the "
        "rows as CSV, and upload that."
    ),
    Refusal.TABLE_NOT_JSON: "The JSON cannot be read at line {line:,}: {reason}.",
    Refusal.TABLE_NOT_TEXT: (
        "This is not {encoding} text ({reason}). Save it as UTF-8, or name its encoding."
    ),
    Refusal.TABLE_QUOTE_OPEN: (
        "The cell that a quotation mark opens in line {line:,} is never closed. Close it where "
        "the cell ends, and write a quotation mark within it twice."
    ),
    Refusal.TABLE_QUOTE_SWALLOWS: (
        "The cell that a quotation mark opens in line {line:,} takes all up to line {last:,} into "
        "it. Close it where the cell ends, and write a quotation mark within it twice."
    ),
    Refusal.TABLE_QUOTE_UNCLEAR: (
        "Line {line:,} cannot be read: a quotation mark ends a cell, and more text follows. Write "
        "a quotation mark within a cell twice, or choose how quotation marks are written."
    ),
    Refusal.TABLE_ROW_TOO_WIDE: _table_row_too_wide,
    Refusal.TABLE_ROWS_BLANK: "The table has more than {limit:,} blank rows. Remove them.",
    Refusal.TABLE_ROWS_TOO_MANY: (
        "The table has more than {limit:,} rows. Split it into smaller ones."
    ),
    Refusal.TABLE_TEXT_TOO_MUCH: (
        "This table unpacks to more than {limit_mib:,} MiB of text. Split it, or remove columns "
        "that no prompt needs."
    ),
    Refusal.TABLE_TOOK_TOO_LONG: (
        "This table took too long to read: it was stopped after {seconds:,} seconds. Save only "
        "the sheet with the rows as CSV, and upload that."
    ),
    Refusal.TABLE_TOO_LARGE: (
        "A table may have {limit_mib:,} MiB at most. Split it, or remove columns that no prompt "
        "needs."
    ),
    Refusal.TABLE_WITHOUT_OBJECTS: (
        "This JSON is no table. A table is a list of objects, one for each row: "
        '{{"id": 1, "text": "…"}}.'
    ),
    Refusal.TEMPLATE_SAVED_MEANWHILE: (
        "Another person saved under this name just now. Check, then save."
    ),
    Refusal.WORKBOOK_CELL_TOO_LONG: (
        "A cell of the workbook has more than {limit:,} characters, more than a sheet can show. "
        "Save the sheet as CSV."
    ),
    Refusal.WORKBOOK_FILE_TOO_LARGE: _workbook_file_too_large,
    Refusal.WORKBOOK_SHEET_DAMAGED: (
        "The sheet {sheet} is damaged and cannot be read to its end. Save it anew in your "
        "spreadsheet program, or as CSV."
    ),
    Refusal.WORKBOOK_SHEET_MISSING: _workbook_sheet_missing,
    Refusal.WORKBOOK_SHEETS_TOO_MANY: (
        "The workbook has more than {limit:,} sheets. Save the one with the table on its own."
    ),
    Refusal.WORKBOOK_WITHOUT_SHEETS: "The workbook has no sheet with cells.",
}
