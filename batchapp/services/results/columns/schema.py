"""The tables of a columns file, and how a file is opened."""

from pathlib import Path

import duckdb
from django.conf import settings

from batchapp.domain.results.outcome import Outcome

VERSION = 4  # of these tables; a file of another version is built again

# One row per request, in the order of the file. ``attempt`` is the batch that gave the answer, ""
# for this batch. ``problem`` is the key of the kind of problem, "" for a result that no retry can
# mend. ``question`` is what the user said last and ``answer`` the whole text; both are cut after
# MAX_TEXT. ``searched`` has id, question, answer and error in lower case, each cut after
# MAX_SEARCHED. ``source_row`` is the number of the row in table ``source``. Further columns, f0,
# f1 and so on, have the fields of answers that are JSON objects; ``results_fields`` names them.
RESULT_COLUMNS = {
    "line": "INTEGER",
    "custom_id": "VARCHAR",
    "attempt": "VARCHAR",
    "model": "VARCHAR",
    "problem": "VARCHAR",
    "outcome": f"ENUM ({', '.join(repr(outcome.value) for outcome in Outcome)})",
    "status_code": "SMALLINT",
    "finish_reason": "VARCHAR",
    "answer_model": "VARCHAR",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "cached_tokens": "BIGINT",
    "cost_usd": "DECIMAL(38, 18)",
    "error_code": "VARCHAR",
    "error_message": "VARCHAR",
    "question": "VARCHAR",
    "question_length": "INTEGER",
    "answer": "VARCHAR",
    "answer_length": "INTEGER",
    "searched": "VARCHAR",
    "source_row": "INTEGER",
}
NUMBERS = {"INTEGER", "BIGINT", "SMALLINT", "DECIMAL(38, 18)"}
MAX_TEXT = 1_000_000  # characters of a question or an answer
MAX_SEARCHED = 20_000  # characters of a question, an answer or an error that can be searched
MAX_FIELDS = 40  # fields of answers that get a column: the first ones that occur

MERGED, OWN = "results", "own_results"  # with the answers of retries, and without

# A small fixed part of the memory of a web or worker process, whatever the size of the batch.
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "256MB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "preserve_insertion_order": True,
    "python_enable_replacements": False,  # a table that is not there is no variable of ours
}


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the columns file at ``path``.

    Raises:
        duckdb.Error: there is no such file, or it is damaged.
    """
    connection = duckdb.connect(str(path), read_only=read_only, config=CONFIG)
    # Sorting more than fits in memory goes here.
    connection.execute("SET temp_directory = ?", [str(settings.FILE_UPLOAD_TEMP_DIR)])
    return connection


def has_table(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    query = "SELECT 1 FROM information_schema.tables WHERE table_name = ?"
    return connection.execute(query, [table]).fetchone() is not None


def create_results(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in RESULT_COLUMNS.items())
    connection.execute(f"CREATE TABLE {table} ({columns})")
