"""CSV files and workbooks as LibreOffice opens them, where it is installed."""

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from batchapp.models import Project, User
from tests.answered import answer_table, export

pytestmark = pytest.mark.django_db

SOFFICE = shutil.which("soffice") or ""
# Writes UTF-8 with commas and quotes.
AS_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"
ROWS = [
    ["007", "12345678901234567890", "=1+1", 'Fünf "Sterne"'],
    ["-5", "@SUM(A1)", "\u202edesrever", "two\nlines, or more"],
    ["+49 30", "=cmd|' /C calc'!A0", "<b>x</b>", "\U0001f600"],
]
ANSWERS = ["=HYPERLINK(1)", "no", "- a list"]


@pytest.mark.skipif(not SOFFICE, reason="LibreOffice is not installed: soffice is not on the PATH")
@pytest.mark.parametrize("code", ["csv", "xlsx"])
def test_libreoffice_shows_every_cell_as_the_text_it_is(
    project: Project, user: User, tmp_path: Path, code: str
) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([["a", "b", "c", "d"], *ROWS])
    batch = answer_table(project, user, table.getvalue(), "{c}", ANSWERS)
    columns = ("source:a", "source:b", "source:c", "source:d", "answer", "outcome")
    path = tmp_path / f"export.{code}"
    path.write_bytes(export(batch, user, code, columns=columns))

    converted = [
        *(SOFFICE, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless"),
        *(["--infilter=Text - txt - csv (StarCalc):44,34,76,1"] if code == "csv" else []),
        *("--convert-to", AS_CSV, "--outdir", str(tmp_path / "read"), str(path)),
    ]
    subprocess.run(converted, check=True, capture_output=True, timeout=300)
    with (tmp_path / "read/export.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)

    assert header == ["a", "b", "c", "d", "answer", "outcome"]
    assert rows == EXPECTED[code]


def guarded(text: str) -> str:
    return f"'{text}" if text[0] in "=+-@" and text != "-5" else text


SEEN = [[*row, answer, "ok"] for row, answer in zip(ROWS, ANSWERS, strict=True)]
# Of a CSV, LibreOffice reads what looks like a number as one, as any spreadsheet does.
AS_NUMBERS = {"007": "7", "12345678901234567890": "1.23456789012346E+019"}
EXPECTED = {
    "xlsx": SEEN,
    "csv": [[AS_NUMBERS.get(cell, guarded(cell)) for cell in row] for row in SEEN],
}
