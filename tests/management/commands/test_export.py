"""``manage.py export``: results as a file, from a script."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from batchapp.models import Batch
from tests.make import (
    OWNER,
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_project,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch() -> Batch:
    """Return a batch of three requests: an answer, an error, and one without a result."""
    user = make_user()
    project = make_project(user, role=OWNER)
    made = make_batch(project, user, upload=make_upload(project, user))
    answer = answer_line(1, text='{"label": "late"}')
    return finish(made, [answer], [error_line(2)])


def export(batch: object, *options: str) -> str:
    said = StringIO()
    call_command("export", str(batch), *options, stderr=said)
    return said.getvalue()


def test_the_results_are_written_to_standard_output(
    batch: Batch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    said = export(batch.pk)
    lines = capfdbinary.readouterr().out.splitlines()

    assert lines[0] == b"custom_id,question,answer,label,outcome,error"
    assert lines[1] == b'row-1,Question 1?,"{""label"": ""late""}",late,ok,'
    assert len(lines) == 4
    assert "Wrote 3 rows." in said


def test_chosen_results_and_columns_are_written_to_a_file(batch: Batch, tmp_path: Path) -> None:
    path = tmp_path / "failed.csv"

    export(
        batch.pk, "-o", str(path), "--outcome", "failed", "--columns", "error_message", "custom_id"
    )

    assert path.read_bytes() == b"error,custom_id\r\nThe model broke down.,row-2\r\n"
    assert [each.name for each in tmp_path.iterdir()] == ["failed.csv"]


def test_a_search_chooses_the_lines(batch: Batch, tmp_path: Path) -> None:
    path = tmp_path / "late.jsonl"

    export(batch.pk, "--format", "joined", "--output", str(path), "--search", "LATE")

    assert json.loads(path.read_bytes())["custom_id"] == "row-1"


def test_a_viewer_may_export_and_an_outsider_may_not(batch: Batch, tmp_path: Path) -> None:
    viewer, outsider = join(make_user(), batch.project, VIEWER), make_user()
    output = ("-o", str(tmp_path / "x.csv"))

    assert "Wrote 3 rows" in export(batch.pk, *output, "--person", viewer.email)
    with pytest.raises(CommandError, match="may not see the project"):
        export(batch.pk, *output, "--person", outsider.email)


def test_what_cannot_be_written_leaves_no_file(batch: Batch, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="have no column 'prise'"):
        export(batch.pk, "-o", str(tmp_path / "x.csv"), "--columns", "prise")
    with pytest.raises(CommandError, match="could not be written"):
        export(batch.pk, "-o", str(tmp_path / "none/x.csv"))
    with pytest.raises(CommandError, match="no batch 'nothing'"):
        export("nothing")

    assert list(tmp_path.iterdir()) == []
