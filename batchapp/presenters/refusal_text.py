"""The sentences of refusals, each with the next step for the person."""

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.windows import spaced
from batchapp.presenters.sentences import Data, Sentence, make_sentence, named
from batchapp.templatetags.words import count

MIB = 1024 * 1024


def refusal_text(refused: Refused) -> str:
    return make_sentence(SENTENCES, refused.code, refused.data)


def _remote_file_too_large(data: Data) -> str:
    return (
        f"Its file is larger than the portal takes: {data['limit_bytes'] / MIB:,.0f} MiB. Ask an "
        "operator to raise the connection's limit, then try again."
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


def _key_in_use(data: Data) -> str:
    batches = data["batches"]
    need = "1 unfinished batch needs" if batches == 1 else f"{batches:,} unfinished batches need"
    return f"{need} this key. Wait for the end, or cancel first."


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


SENTENCES: dict[Refusal, Sentence] = {
    Refusal.FALLBACK_NOT_LONGER: "A fallback window must be longer than {window}.",
    Refusal.FALLBACK_NOT_OFFERED: (
        "{connection} does not offer the {window} window to fall back to. "
        "Choose one of: {windows}."
    ),
    Refusal.FILE_NOT_READY: (
        "This file is not ready: it is still being checked, or it has errors."
    ),
    Refusal.FILE_OF_OTHER_PROJECT: "This file belongs to another project.",
    Refusal.FORM_USED: (
        "This form was used before, or its file or key was removed just now. Start the order "
        "again."
    ),
    Refusal.KEY_REMOVED: "This key was removed. Choose another.",
    Refusal.PRICES_CHANGED: (
        "The prices changed since this page was opened. Check them, then submit."
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
    Refusal.KEY_IN_USE: _key_in_use,
    Refusal.MODEL_INVALID: "{messages}",
    Refusal.MODELS_OF_DOUBLEWORD: (
        "{connection} is not Doubleword, and may serve the same models with other limits. Ask the "
        "provider, import a CSV, or add them one by one."
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
