"""The measurements still run: most are taken here with tiny numbers, the others imported."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.bench import (
    check_file,
    floor,
    hostile_files,
    interactions,
    pages,
    request_files,
    tell_many,
    watch_many,
    write_results,
)
from tests.browser.pages import PAGE_STATES
from tests.make import TABLE, request_file

ROOT = Path(__file__).parent.parent
ON_ONE_STACK = pytest.mark.skipif(
    "DATABASE_URL" in os.environ, reason="these measure a portal on SQLite, as `make bench` does"
)
MODULES = sorted(path.stem for path in (ROOT / "tests" / "bench").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_what_every_measurement_imports_exists(name: str) -> None:
    assert import_module(f"tests.bench.{name}")


def test_the_requests_of_every_kind_of_large_file_have_the_same_length() -> None:
    for kind in request_files.KINDS:
        lines = request_files.make_lines(kind)
        requests = [next(lines) for _ in range(3)]

        assert {json.loads(line)["custom_id"] for line in requests} == {"r-0", "r-1", "r-2"}
        assert all(len(line) > request_files.LINE_BYTES * 0.9 for line in requests)


def test_the_check_and_the_least_it_must_do_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(next(request_files.make_lines("one program")))

    check_file.main("check", str(path), "1")
    check_file.main("check", str(path), "2")
    floor.main(str(path))

    assert len(capsys.readouterr().out.split()) == 3


def test_hostile_files_are_read_as_the_portal_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(request_file(2))
    checked = hostile_files.measure(hostile_files.check_requests, path)
    path.write_text(TABLE)
    read = hostile_files.measure(hostile_files.read_table, path)

    assert "error" in str(checked["answer"])
    assert read["answer"] == "2 rows"


def test_the_pages_that_are_measured_in_a_browser_exist() -> None:
    names = {page_state.name for page_state in PAGE_STATES}

    assert {name for _, name, _ in interactions.STEPS} <= names


@ON_ONE_STACK
@pytest.mark.processes
def test_the_way_of_an_upload_is_measured() -> None:
    command = [sys.executable, "-m", "tests.bench.upload", request_files.MODEL, "20", "1"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "last byte to page" in done.stdout
    assert "POST /v1/files" in done.stdout


@ON_ONE_STACK
@pytest.mark.processes
def test_the_api_is_measured_beside_a_bare_view() -> None:
    command = [sys.executable, "-m", "tests.bench.portal_api", "--rounds", "2"]
    options = ["--seconds", "1", "--clients", "2", "--only", "ratio", "rates"]
    env = {name: value for name, value in os.environ.items() if name != "LITELLM"}

    done = subprocess.run(
        [*command, *options], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )

    assert "GET batch, unchanged (304)" in done.stdout
    assert "LiteLLM: not measured" in done.stdout
    assert "not all answered" not in done.stdout


@ON_ONE_STACK
@pytest.mark.processes
def test_streams_that_the_portal_passes_on_are_measured() -> None:
    command = [sys.executable, "-m", "tests.bench.portal_streams", "--rounds", "2"]

    done = subprocess.run(
        [*command, "--streams", "2", "--seconds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "through the portal" in done.stdout
    assert "{'200 held': 2}" in done.stdout


@pytest.mark.django_db
def test_the_polls_of_many_batches_are_measured() -> None:
    assert "1 list requests a round (target 1)" in watch_many.measure(100, 1)


@pytest.mark.django_db
def test_it_is_measured_how_many_people_and_programs_are_told() -> None:
    assert "One notice to 2 people" in tell_many.tell_people(2)
    assert "2 notices to a webhook" in tell_many.tell_programs(2)


@pytest.mark.django_db
def test_the_writing_of_results_is_measured_beside_the_least(tmp_path: Path) -> None:
    measured = write_results.measure(3, 1, tmp_path)

    assert measured.peak > 0
    assert len(measured.rounds) == 1
    assert measured.rounds[0].ratio > 1


@pytest.mark.django_db
def test_the_pages_of_a_portal_are_measured_one_by_one() -> None:
    portal = pages.Portal(results=50, batches=2)

    times = portal.times(only=["result_list, failed", "result_list, middle"])

    assert {*times} == {"result_list, failed", "result_list, middle"}
    assert portal.batch.results.count() == 50
