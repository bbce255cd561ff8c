"""The sample files are what their README says, and pass our own preflight."""

import csv
import json
from pathlib import Path

import pytest

import batchapp
from batchapp.domain.request_files import check_file

SAMPLES = Path(batchapp.__file__).parent / "data" / "samples"
CHAT = "/v1/chat/completions"
ROWS = {"chat": 300, "structured": 20, "tools": 20, "embeddings": 30}


def rows_of(name: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLES / f"{name}.jsonl").read_bytes().splitlines()]


def table() -> list[dict]:
    with (SAMPLES / "requests.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_samples_stay_small():
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 600_000


def test_the_readme_names_every_file_and_its_rows():
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")

    assert {path.name for path in SAMPLES.iterdir()} == {
        "README.md",
        "requests.csv",
        *(f"{name}.jsonl" for name in ROWS),
    }
    for name, count in ROWS.items():
        assert f"| `{name}.jsonl` | {count} |" in readme


@pytest.mark.parametrize(("name", "count"), ROWS.items())
def test_every_line_is_a_request_ready_to_be_sent(name, count):
    rows = rows_of(name)

    assert len({row["custom_id"] for row in rows}) == len(rows) == count
    assert {tuple(row) for row in rows} == {("custom_id", "method", "url", "body")}
    assert {row["method"] for row in rows} == {"POST"}
    assert {row["url"] for row in rows} == {"/v1/embeddings" if name == "embeddings" else CHAT}


@pytest.mark.parametrize("name", ROWS)
def test_preflight_finds_nothing_at_all(name):
    content = (SAMPLES / f"{name}.jsonl").read_bytes()

    report = check_file.check([content], check_file.Limits(max_bytes=200 * 1024 * 1024))

    assert report.findings == []
    assert report.requests == ROWS[name]


@pytest.mark.parametrize("name", ["chat", "structured", "tools"])
def test_chats_say_how_long_an_answer_may_be(name):
    for row in rows_of(name):
        assert 0 < row["body"]["max_tokens"] <= 300
        assert [message["role"] for message in row["body"]["messages"]] == ["system", "user"]
        assert all(message["content"].strip() for message in row["body"]["messages"])


def test_every_request_is_about_something_else():
    texts = [
        row["body"]["messages"][1]["content"]
        for name in ["chat", "structured", "tools"]
        for row in rows_of(name)
    ]
    texts += [row["body"]["input"] for row in rows_of("embeddings")]

    assert len(set(texts)) == len(texts)


def test_tools_and_schema_are_in_the_requests_named_after_them():
    assert all(len(row["body"]["tools"]) == 2 for row in rows_of("tools"))
    for row in rows_of("structured"):
        schema = row["body"]["response_format"]["json_schema"]["schema"]
        assert set(schema["required"]) == set(schema["properties"])


def test_the_table_has_ids_quotes_and_lines_within_cells():
    rows = table()

    assert len({row["name"] for row in rows}) == len(rows) == 25
    assert all(all(row.values()) for row in rows)
    assert any("\n" in row["meaning"] for row in rows)
