"""From a table to a file that passes the preflight."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from batchapp.domain.jsonl import Limits, check


def make(tmp_path: Path, table: str | bytes, prompt: str = "Say {text}", **options: Any) -> Path:
    source, target = tmp_path / "table.csv", tmp_path / "out.jsonl"
    source.write_bytes(table if isinstance(table, bytes) else table.encode())
    asked = {"prompt": prompt, "model": "Qwen/Qwen3-14B-FP8", "output": target}
    call_command("make_batch", source, **(asked | options))
    return target


def bodies(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["body"] for line in path.read_text().splitlines()]


def test_every_row_becomes_a_request_that_passes(tmp_path: Path) -> None:
    table = '\ufeffname,text\nana,"two\nlines, {braces}"\nbob,ünï\n'

    path = make(tmp_path, table, system="You are {name}.", max_tokens=50, id_column="name")

    report = check([path.read_bytes()], Limits(max_bytes=10**9))
    assert report.is_valid
    assert report.requests == 2
    assert bodies(path)[0]["messages"] == [
        {"role": "system", "content": "You are ana."},
        {"role": "user", "content": "Say two\nlines, {braces}"},
    ]
    assert json.loads(path.read_text().splitlines()[1])["custom_id"] == "bob"


def test_semicolons_and_other_encodings_are_read(tmp_path: Path) -> None:
    path = make(tmp_path, "id;text\n1;größer\n".encode("cp1252"), encoding="cp1252")

    assert bodies(path)[0]["messages"][0]["content"] == "Say größer"


@pytest.mark.parametrize(
    ("table", "options", "complaint"),
    [
        ("text\na\n", {"prompt": "Say {txt}"}, "no column txt. It has: text"),
        ("text\na\n", {"prompt": "Say {text"}, "has no partner"),
        ("text\na\n", {"id_column": "id"}, "no column id"),
        ("text\n", {}, "no rows"),
        ("id,text\n1,a\n1,b\n", {"id_column": "id"}, "row 2: custom_id 1 is that of row 1 too"),
        ("id,text\nÄ,a\n", {"id_column": "id"}, "row 1"),
        ("größer\n".encode("cp1252"), {}, "Save it as UTF-8"),
    ],
)
def test_faults_are_named_and_nothing_is_written(
    tmp_path: Path, table: str | bytes, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        make(tmp_path, table, **options)

    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_sample_table_works(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "batchapp/data/samples/requests.csv"

    path = make(tmp_path, sample.read_bytes(), prompt="{name}: {meaning}", id_column="name")

    assert len(bodies(path)) == 25
