"""Results that a provider spoils on the way, at a sandbox that does so on purpose."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from batchapp.models import Batch, Connection, ResultChunk, UnmatchedLine
from batchapp.pipeline import provider_access
from batchapp.presenters.accounting_text import discrepancy_of
from batchapp.presenters.problem_text import problem_text
from batchapp.providers import network
from batchapp.sandbox.settings import Settings
from batchapp.services.results import browse
from tests.make import order_at_sandbox
from tests.sandbox.processes import sandbox_thread
from tests.sentences import told
from tests.steps import advance, make_due, run_steps

pytestmark = pytest.mark.django_db
REQUESTS = 20


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A sandbox that answers a small batch in a fraction of a second."""
    data: Path = tmp_path_factory.mktemp("sandbox")
    with sandbox_thread(Settings(data=data, speed=40.0)) as url:
        yield url


def run(url: str, *findings: str) -> Batch:
    """A batch at an account with these faults, followed to its end."""
    provider_batch = order_at_sandbox(url, REQUESTS, *findings)
    deadline = time.monotonic() + 60
    while (provider_batch := make_due(provider_batch)).next_check_at:
        assert time.monotonic() < deadline, problem_text(provider_batch.problem)
        Connection.objects.update(backoff_until=None)
        advance(provider_batch)
        time.sleep(0.02)
    return run_steps(provider_batch)


def stored_lines(batch: Batch) -> list[bytes]:
    return b"".join(browse.download(batch, batch.created_by, ResultChunk.Kind.OUTPUT)).splitlines()


def reasons(batch: Batch) -> Counter[str]:
    return Counter(
        UnmatchedLine.objects.filter(provider_batch__batch=batch).values_list("reason", flat=True)
    )


@pytest.mark.parametrize(
    "findings",
    [
        ["swap"],
        ["shuffle"],
        ["repeat=50", "shuffle"],
        ["x-incomplete"],
        ["cut=2000/content#1-2"],
        ["cut-announced=2000/content#1-2"],
        ["cut-clean=2000/content#1-2"],
        ["huge=10000000"],
        ["html=200/content#1-2"],
        ["empty/content#1-2"],
        ["gzip-bomb=20000000/content#1-2"],
        ["gzip-bomb=20000000/batch#1-2"],
        ["counts-back/batch#1"],
        ["unknown-status=pondering/batch#1-3"],
        ["wrong-types/batch#2"],
    ],
    ids=" ".join,
)
def test_spoilt_reads_cost_no_answer(url: str, findings: list[str]) -> None:
    batch = run(url, *findings)

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, REQUESTS)
    assert len(stored_lines(batch)) == REQUESTS
    assert reasons(batch) == {}
    assert batch.discrepancy == []


def test_lines_of_strangers_are_set_aside_once(url: str) -> None:
    batch = run(url, "stranger=3")

    aside = b"".join(browse.download_unmatched(batch, batch.created_by)).splitlines()
    strangers = UnmatchedLine.objects.filter(
        provider_batch__batch=batch, reason=UnmatchedLine.Reason.UNKNOWN
    )
    assert batch.succeeded == REQUESTS
    assert set(strangers.values_list("custom_id", flat=True)) == {
        "stranger-1",
        "stranger-2",
        "stranger-3",
    }
    assert len(aside) == len(set(aside)) == strangers.count()
    assert len(stored_lines(batch)) == len(set(stored_lines(batch))) == REQUESTS + len(aside)


@pytest.mark.parametrize("finding", ["invalid-utf8", "torn"])
def test_a_spoilt_line_is_set_aside_and_its_request_goes_missing(url: str, finding: str) -> None:
    batch = run(url, finding)

    assert (batch.succeeded, batch.missing) == (REQUESTS - 1, 1)
    assert reasons(batch)["unreadable"] >= 1
    assert f"counts {REQUESTS} completed and 0 failed; its results" in discrepancy_of(batch)


def test_lines_that_are_left_out_are_missing_and_told(url: str) -> None:
    batch = run(url, "missing=30")

    assert 0 < batch.missing < REQUESTS
    assert batch.succeeded + batch.missing == REQUESTS
    assert batch.discrepancy


def test_counts_that_cannot_be_are_told(url: str) -> None:
    batch = run(url, "counts-odd")

    assert batch.succeeded == REQUESTS
    assert f"more than the {REQUESTS} that were sent" in discrepancy_of(batch)


def test_a_file_that_drips_is_given_up_and_read_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "WINDOW_SECONDS", 0.3)

    batch = run(url, "drip=0.05/content#1-2")

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, REQUESTS)


def test_a_call_that_drips_ends_with_its_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_access, "CALL_TIMEOUT", timedelta(seconds=1))

    batch = run(url, "drip=0.05/batch#1-2")

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, REQUESTS)


def test_a_file_without_end_is_read_up_to_its_limit(url: str) -> None:
    batch = run(url, "endless-content")

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, REQUESTS)
    assert len(stored_lines(batch)) == REQUESTS
    assert told(batch, "than 20 requests can have")
