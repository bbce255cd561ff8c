"""Tables are read in a process with limits, and a table beyond them is refused in words."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables import read_process
from batchapp.domain.tables.read_options import ReadOptions
from batchapp.services.tables import open_table as module
from batchapp.services.tables.open_table import ReadingEnded, open_table
from tests import bombs
from tests.sentences import refused
from tests.variables import ROOT


def csv_of(rows: int) -> io.BytesIO:
    return io.BytesIO(b"id,text\n" + b"".join(b"%d,x\n" % number for number in range(rows)))


def workbook_of(files: dict[str, Any]) -> io.BytesIO:
    content = io.BytesIO()
    bombs.workbook(content, files)
    return content


def test_a_table_arrives_row_by_row_with_what_is_known_of_it() -> None:
    with open_table(csv_of(3), ReadOptions(separator=",")) as table:
        rows = list(table)

    assert (table.head.columns, table.head.read_as.encoding) == (["id", "text"], "utf-8-sig")
    assert rows == [["0", "x"], ["1", "x"], ["2", "x"]]
    assert table.totals.rows == 3


def test_a_file_of_the_system_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(csv_of(2).getvalue())

    with path.open("rb") as source:
        source.read(5)
        with open_table(source) as table:
            assert [json.loads(row) for row in table.json_rows()] == [["0", "x"], ["1", "x"]]


def test_a_refusal_comes_with_its_facts() -> None:
    with pytest.raises(Refused) as caught, open_table(csv_of(1), ReadOptions(encoding="klingon")):
        pass

    assert (caught.value.code, caught.value.data) == (
        Refusal.TABLE_ENCODING_UNKNOWN,
        {"encoding": "klingon"},
    )


def test_a_table_that_needs_more_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_BYTES", 32 * bombs.MIB)
    texts = workbook_of(bombs.texts(bombs.random_texts(400_000)))

    with refused("more than the portal has memory for"), open_table(texts) as table:
        list(table)


def test_a_table_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 1)
    rows = workbook_of(bombs.sheet(bombs.times(b"<row><c/></row>", 10_000_000)))

    with (
        refused("took too long to read: it was stopped after 2 seconds"),
        open_table(rows) as table,
    ):
        list(table)


def test_rows_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_process, "MAX_ROWS_BYTES", 10)
    target = io.BytesIO()
    monkeypatch.setattr(read_process, "_limit", lambda limits: None)

    read_process.main(["[]", '{"memory_bytes": 1, "seconds": 1}'], csv_of(5), target)

    assert target.getvalue().splitlines()[-1].startswith(b'{"refusal":"table_text_too_much"')


def test_a_process_that_is_ended_from_outside_is_no_fault_of_the_table() -> None:
    with open_table(csv_of(1_000_000)) as table:
        rows = iter(table)
        next(rows)
        os.kill(table._process._process.pid, signal.SIGTERM)

        with pytest.raises(ReadingEnded):
            list(rows)


def test_the_process_ends_with_the_context() -> None:
    with open_table(csv_of(1_000_000)) as table:
        next(iter(table))
        pid = table._process._process.pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_knows_no_secret_and_not_django(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "sesame")
    with open_table(csv_of(1_000_000)) as table:
        process = Path(f"/proc/{table._process._process.pid}")
        variables = (process / "environ").read_bytes()
        libraries = (process / "maps").read_text()

    assert b"PATH=" in variables
    assert b"sesame" not in variables
    assert "msgspec" in libraries
    assert not any(name in libraries for name in ("psycopg", "cryptography", "quicktok"))


HOSTILE_SECONDS = "2"
HOSTILE = [*bombs.TABLES, *bombs.REQUESTS]


@pytest.fixture(scope="module")
def measurements() -> dict[str, dict[str, Any]]:
    """Read every hostile file once, in processes that are measured."""
    command = [sys.executable, "-m", "tests.bench.hostile_files"]
    done = subprocess.run(
        [*command, "--json", "--seconds", HOSTILE_SECONDS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return {facts["name"]: facts for facts in map(json.loads, done.stdout.splitlines())}


@pytest.mark.processes
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="reading a file needs no database")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_answered_within_the_memory(
    name: str, measurements: dict[str, dict[str, Any]]
) -> None:
    assert measurements[name]["answer"]
    assert measurements[name]["mib"] <= 300


def test_there_are_hostile_files_of_many_kinds() -> None:
    assert len(HOSTILE) >= 30
