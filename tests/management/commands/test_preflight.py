"""The check of a file from a terminal: what it prints, and how it ends."""

import gzip
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from batchapp.management.commands import preflight
from batchapp.models import Connection
from tests.make import MODEL, finish, make_batch, make_connection, request_line

pytestmark = pytest.mark.django_db

GOOD = (request_line(1) + "\n" + request_line(2) + "\n").encode()


@pytest.fixture(autouse=True)
def _no_connections() -> None:
    Connection.objects.all().delete()


def run(capsys: Any, file: Path | str, *options: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    try:
        call_command("preflight", str(file), *options)
    except SystemExit as end:
        return int(end.code or 0), capsys.readouterr().out
    return 0, capsys.readouterr().out


def write(folder: Path, content: bytes) -> Path:
    path = folder / "requests.jsonl"
    path.write_bytes(content)
    return path


def test_a_good_file_is_one_json_object_with_what_it_costs(tmp_path, capsys):
    make_connection(name="Doubleword", base_url="https://api.doubleword.ai")

    status, out = run(capsys, write(tmp_path, GOOD), "--json")

    told = json.loads(out)
    assert (status, told["requests"], told["valid"]) == (0, 2, True)
    assert (told["findings"], told["finding_totals"]) == ([], {})
    assert list(told["models"]) == [MODEL]
    assert told["models"][MODEL]["requests"] == 2
    assert told["models"][MODEL]["exact"] in {True, False}
    assert told["models"][MODEL]["shared_prompts"]["is_partial"] is False
    sent = told["models"][MODEL]["input_tokens"]
    # Answers may end at a quarter of their limit.
    assert told["estimate"]["24h"]["low_usd"] == f"{(sent + 2 * 50) / 1_000_000:.6f}"
    assert told["estimate"]["24h"]["ceiling_usd"] == f"{(sent + 2 * 200) / 1_000_000:.6f}"
    assert list(told["estimate"]) == ["24h", "1h", "realtime"]
    assert told["estimate"]["realtime"]["low_usd"] == (f"{(2 * sent + 4 * 50) / 1_000_000:.6f}")
    assert (told["estimated_requests"], told["unpriced"]) == (2, [])


def test_a_file_with_errors_ends_with_one_and_lists_them(tmp_path, capsys):
    path = write(tmp_path, GOOD + b"\n{\n" + request_line(1).encode())

    status, out = run(capsys, path, "--json")

    told = json.loads(out)
    assert (status, told["valid"]) == (1, False)
    assert told["finding_totals"] == {"invalid_json": 1, "duplicate_custom_id": 1}
    assert [(finding["line"], finding["code"]) for finding in told["findings"]] == [
        (4, "invalid_json"),
        (5, "duplicate_custom_id"),
    ]
    assert told["findings"][1]["custom_id"] == "row-1"
    assert told["findings"][1]["severity"] == "error"
    assert told["findings"][1]["other_line"] == 1
    assert told["findings"][1]["portal_only"] is True


def test_a_model_without_a_price_has_null_for_every_amount(tmp_path, capsys):
    make_connection()
    path = write(tmp_path, GOOD + request_line(3, model="nobody/knows").encode())

    told = json.loads(run(capsys, path, "--json")[1])

    amounts = {"low_usd": None, "expected_usd": None, "ceiling_usd": None}
    assert told["estimate"] == {"24h": amounts, "1h": amounts, "realtime": amounts}
    assert told["unpriced"] == ["nobody/knows"]
    assert "no price for nobody/knows" in run(capsys, path)[1]


def test_without_a_connection_there_is_no_estimate(tmp_path, capsys):
    told = json.loads(run(capsys, write(tmp_path, GOOD), "--json")[1])

    assert told["valid"] is True
    assert (told["estimate"], told["unpriced"]) == ({}, None)


def test_an_estimate_of_a_file_with_errors_says_what_it_is_of(tmp_path, capsys):
    make_connection()
    path = write(tmp_path, GOOD + b"{\n" * 8)

    told = json.loads(run(capsys, path, "--json")[1])
    lines = run(capsys, path)[1].splitlines()

    assert (told["requests"], told["estimated_requests"]) == (10, 2)
    assert told["estimate"]["24h"]["expected_usd"]
    place = lines.index("for the 2 requests without errors:")
    assert lines[place + 1].startswith("24h: about $")


def test_the_limits_of_the_connection_named_are_kept(tmp_path, capsys):
    make_connection(name="small", max_upload_bytes=len(GOOD) - 1)
    make_connection(name="large")
    path = write(tmp_path, GOOD)

    assert run(capsys, path, "--connection", "small")[0] == 1
    assert run(capsys, path, "--connection", "large")[0] == 0


def test_a_file_that_the_provider_wants_divided_by_model_is_told_with_its_costs(tmp_path, capsys):
    make_connection(name="one model", kind="openai")
    make_connection(name="all models", kind="doubleword")
    lines = [request_line(n, model=MODEL if n else "m-2") for n in range(3)]
    path = write(tmp_path, "\n".join(lines).encode())

    out = run(capsys, path, "--connection", "one model")[1]
    as_json = json.loads(run(capsys, path, "--connection", "one model", "--json")[1])

    assert "divided by model into 2 provider batches; they stay one batch here." in out
    assert f"  {MODEL}: 1 provider batch, 2 requests, ~$0.0" in out
    assert as_json["provider_batches"] == 2
    assert as_json["models"]["m-2"]["provider_batches"] == 1
    assert "divided" not in run(capsys, path, "--connection", "all models")[1]


def test_a_file_of_more_requests_than_one_may_have_can_be_sent_in_parts(tmp_path, capsys):
    make_connection(name="small", max_requests=1)
    path = write(tmp_path, GOOD)

    status, out = run(capsys, path, "--connection", "small")
    as_json = json.loads(run(capsys, path, "--connection", "small", "--json")[1])

    assert status == 0
    assert "It is sent as 2 provider batches, since small takes 1 request a file." in out
    assert (as_json["valid"], as_json["provider_batches"]) == (True, 2)


def test_a_project_is_estimated_by_what_its_earlier_batches_answered(tmp_path, capsys):
    finish(batch := make_batch(requests=3))
    path = write(tmp_path, GOOD)

    assert run(capsys, path, "--connection", str(batch.connection))[0] == 0
    status, out = run(capsys, path, "--project", batch.project.slug)
    as_json = json.loads(run(capsys, path, "--project", batch.project.slug, "--json")[1])

    assert status == 0
    assert f"output tokens of {MODEL}: about 100, from 1 past run" in out  # 50 a request
    sent = as_json["models"][MODEL]["input_tokens"]
    assert as_json["estimate"]["24h"]["expected_usd"] == f"{(sent + 2 * 100) / 1_000_000:.6f}"


def test_standard_input_and_gzip_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(GOOD))))

    status, out = run(capsys, "-", "--json")

    assert (status, json.loads(out)["requests"]) == (0, 2)


def test_a_terminal_gets_lines_to_read(tmp_path, capsys):
    make_connection()
    bad = b"".join(b"{%d\n" % number for number in range(9))

    status, out = run(capsys, write(tmp_path, GOOD + bad))

    assert status == 1
    assert out.startswith("11 requests, ")
    assert f"{MODEL}: 2 requests" in out
    assert "error: invalid_json, 9 in all" in out
    assert "  lines 3, 4, 5, 6, 7: The line is not JSON" in out
    assert "… and 4 more" in out
    assert "24h: about $0.0" in out
    assert out.strip().endswith("errors to correct: 9.")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl cannot be read: No such file"),
        (["."], ". cannot be read: Is a directory"),
        (["-", "--project", "nowhere"], "There is no project with the slug nowhere."),
        (["-", "--connection", "Nobody"], "There is no connection named Nobody. There is: none"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence_and_ends_with_two(arguments, says):
    with pytest.raises(CommandError, match=says) as refusal:
        call_command("preflight", *arguments)

    assert refusal.value.returncode == 2


def test_wrong_arguments_end_with_two(capsys):
    command: BaseCommand = preflight.Command()

    with pytest.raises(SystemExit) as end:
        command.run_from_argv(["manage.py", "preflight"])

    assert end.value.code == 2
    assert "FILE" in capsys.readouterr().err


ANTHROPIC = b"".join(
    b'{"custom_id": "%d", "params": {"messages": [{"role": "user", "content": "%d?"}]}}\n'
    % (number, number)
    for number in range(7)
)


def test_a_format_is_named_once_with_its_correction(tmp_path, capsys):
    status, out = run(capsys, write(tmp_path, ANTHROPIC))

    assert status == 1
    assert out.count("Anthropic") == 1
    assert "  … and 6 more" in out
    assert "  corrected by: convert_format, drop_bad_rows" in out

    (finding,) = json.loads(run(capsys, write(tmp_path, ANTHROPIC), "--json")[1])["findings"]
    assert finding["corrections"] == ["convert_format", "drop_bad_rows"]


def test_the_same_sentence_is_printed_once_with_its_lines(tmp_path, capsys):
    wrong = GOOD.replace(b'"url": "/v1/', b'"url": "/')

    _, out = run(capsys, write(tmp_path, wrong))

    assert "  lines 1, 2: url “/chat/completions” is not offered" in out


def test_a_corrected_file_is_written_and_checked(tmp_path, capsys):
    old, new = write(tmp_path, gzip.compress(ANTHROPIC)), tmp_path / "new.jsonl"

    status, out = run(capsys, old, "-o", str(new), "--model", MODEL)

    assert (status, out.splitlines()[-1]) == (0, "The file can be sent.")
    assert [json.loads(line)["body"]["model"] for line in new.read_text().splitlines()] == (
        [MODEL] * 7
    )
    assert gzip.decompress(old.read_bytes()) == ANTHROPIC
    assert {path.name for path in tmp_path.iterdir()} == {"requests.jsonl", "new.jsonl"}


def test_without_a_model_what_can_be_corrected_is_and_the_rest_is_said(tmp_path, capsys):
    content = json.dumps([json.loads(line) for line in ANTHROPIC.splitlines()], indent=1)
    new = tmp_path / "new.jsonl"

    status, out = run(capsys, write(tmp_path, content.encode("utf-16")), "-o", str(new))

    assert status == 1
    assert "error: missing_model, 7 in all" in out


def test_only_the_named_corrections_are_made(tmp_path, capsys):
    new = tmp_path / "new.jsonl"
    content = GOOD + b"nonsense\n# comment\n"

    status, _ = run(capsys, write(tmp_path, content), "-o", str(new), "--correct", "drop_bad_rows")
    kept, _ = run(capsys, write(tmp_path, content), "-o", f"{new}2")

    assert (status, new.read_bytes()) == (0, GOOD)
    assert (kept, Path(f"{new}2").read_bytes()) == (1, GOOD + b"nonsense\n")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("-", ["-o", "new"], "standard input can be read only once"),
        ("requests.jsonl", ["-o", "requests.jsonl"], "exists already"),
        ("requests.jsonl", ["-o", "nowhere/new"], "cannot be written"),
        ("requests.jsonl", ["-o", "new", "--correct", "set_model"], "Say --model"),
    ],
)
def test_a_correction_that_cannot_be_made_is_said(tmp_path, monkeypatch, name, options, says):
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(GOOD)))

    with pytest.raises(CommandError, match=says) as refusal:
        call_command("preflight", name, *options)

    assert refusal.value.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["requests.jsonl"]
