"""Harvest unusual result lines: each is stored once, and nothing breaks."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Connection, KeyPoll, ProviderBatch, ResultChunk, UnmatchedLine
from batchapp.presenters.accounting_text import discrepancy_of
from batchapp.presenters.problem_text import problem_text
from batchapp.providers import result_stream
from batchapp.services.lifecycle.harvest import fetch_results, unmatched_lines
from batchapp.services.results import browse
from tests.fixtures import Clock
from tests.make import (
    answer,
    answer_line,
    error_line,
    make_batch,
    make_upload,
    request_line,
    set_state,
)
from tests.provider import Provider
from tests.sentences import told
from tests.steps import advance, exhaust_patience, make_due, run_steps

pytestmark = pytest.mark.django_db
Status = ProviderBatch.Status

ALL = [answer_line(n) for n in (1, 2, 3)]


def stored(batch: Batch) -> list[bytes]:
    """All lines that are kept, sorted."""
    files = [b"".join(browse.download(batch, batch.created_by, kind)) for kind in ResultChunk.Kind]
    return sorted(b"".join(files).splitlines())


def set_aside(batch: Batch) -> list[tuple[str, str]]:
    return list(
        UnmatchedLine.objects.filter(provider_batch__batch=batch).values_list(
            "reason", "custom_id"
        )
    )


def changed(line: bytes, **changes: Any) -> bytes:
    return json.dumps(json.loads(line) | changes).encode()


def with_body(body: Any, number: int = 1, status: Any = 200) -> bytes:
    return changed(answer_line(number), response={"status_code": status, "body": body})


def test_a_line_that_is_no_answer_is_kept_and_listed_with_its_reason(
    provider: Provider, running: ProviderBatch
) -> None:
    odd = [b"<html>", answer_line(99), changed(answer_line(1), id="another")]
    provider.finish([*ALL, *odd])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert set_aside(batch) == [("unreadable", ""), ("unknown", "row-99"), ("second", "row-1")]
    assert stored(batch) == sorted([*ALL, *odd])
    assert b"".join(browse.download_unmatched(batch, batch.created_by)) == b"\n".join([*odd, b""])
    assert len(told(batch, "3 unmatched lines")) == 1


def test_a_plain_repeat_is_nothing_to_speak_of(provider: Provider, running: ProviderBatch) -> None:
    provider.finish([*ALL, *ALL])

    batch = run_steps(running)

    assert stored(batch) == ALL
    assert set_aside(batch) == []


def test_lines_without_an_id_are_told_apart_by_their_bytes(
    provider: Provider, running: ProviderBatch
) -> None:
    nameless = [changed(line, id=None) for line in ALL]
    other = changed(answer_line(1, text="Something else."), id=None)
    provider.finish([*nameless, nameless[0], other, other])

    batch = run_steps(running)

    assert stored(batch) == sorted([*nameless, other])
    assert set_aside(batch) == [("second", "row-1")]


def test_a_stranger_that_only_turns_up_when_all_is_read_again_is_kept(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1), b"garbage"])
    advance(running)
    advance(make_due(running))
    assert make_due(running).rereads == 1

    provider.finish([answer_line(1), b"garbage", answer_line(99), *ALL[1:]])
    batch = run_steps(running)

    assert batch.succeeded == 3
    assert set_aside(batch) == [("unreadable", ""), ("unknown", "row-99")]
    assert stored(batch) == sorted([*ALL, b"garbage", answer_line(99)])


def test_an_error_that_became_an_answer_stays_in_storage_and_is_not_set_aside(
    provider: Provider, running: ProviderBatch
) -> None:
    failed = changed(error_line(1), id="first-try")
    lines = [failed, answer_line(1), failed, *ALL[1:]]
    provider.finish(lines)

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert stored(batch) == sorted([failed, *ALL])
    assert set_aside(batch) == []


def test_an_error_says_more_than_that_nobody_tried(
    provider: Provider, running: ProviderBatch
) -> None:
    untried = changed(error_line(1), id="x", error={"code": "batch_expired", "message": "Late."})
    provider.finish(ALL[1:], [untried, error_line(1), untried])

    batch = run_steps(running)

    assert batch.results.get(custom_id="row-1").outcome == Outcome.PROVIDER_ERROR
    assert (batch.succeeded, batch.failed) == (2, 1)


def test_a_limited_number_of_unmatched_lines_is_listed_and_all_are_stored(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unmatched_lines, "MAX_LISTED", 5)
    monkeypatch.setattr(fetch_results, "LINES_PER_CHUNK", 4)
    strangers = [answer_line(n) for n in range(100, 120)]
    provider.finish([*strangers, *ALL])

    batch = run_steps(running)

    assert len(set_aside(batch)) == 5
    assert stored(batch) == sorted([*strangers, *ALL])
    assert len(told(batch, "20 unmatched lines")) == 1
    assert len(told(batch, "Only 5 of a provider batch are listed")) == 1


def test_what_came_before_a_break_is_kept_and_not_fetched_again(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL)
    advance(running)

    def break_off() -> Iterator[bytes]:
        yield ALL[0] + b"\n" + ALL[1][:20]
        raise httpx.RemoteProtocolError("peer closed connection")

    provider.after = lambda *_: httpx.Response(200, content=break_off())
    advance(make_due(running))

    provider_batch = make_due(running)
    assert (provider_batch.status, provider_batch.output_lines, provider_batch.failures) == (
        Status.HARVESTING,
        1,
        1,
    )
    provider.after = lambda *_: None
    assert run_steps(running).succeeded == 3


def test_a_file_that_always_ends_within_a_line_is_taken_as_it_is(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([])
    torn = b"\n".join([*ALL[:2], ALL[2][:50]])
    advance(running)
    output_id = make_due(running).output_file_id
    provider.before = lambda call, request: (
        httpx.Response(200, content=torn) if output_id in request.url.path else None
    )

    batch = run_steps(running)

    assert (batch.succeeded, batch.missing) == (2, 1)
    assert set_aside(batch) == [("unreadable", "")]
    assert stored(batch) == sorted([*ALL[:2], ALL[2][:50]])


def test_a_line_of_ten_megabytes_is_an_answer_like_any_other(
    provider: Provider, running: ProviderBatch
) -> None:
    huge = answer_line(1, text="x" * 10_000_000)
    provider.finish([huge, *ALL[1:]])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert stored(batch) == sorted([huge, *ALL[1:]])


def test_a_line_too_long_to_read_is_cut_and_does_not_hold_up_the_others(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_stream, "MAX_LINE_BYTES", 5_000)
    endless = answer_line(1, text="x" * 20_000)
    provider.finish([endless, *ALL[1:]])

    batch = run_steps(running)

    assert (batch.succeeded, batch.missing) == (2, 1)
    assert set_aside(batch) == [("unreadable", "")]
    assert stored(batch) == sorted([endless[:5_000], *ALL[1:]])
    assert "counts 3 completed and 0 failed; its results hold 2 answers" in discrepancy_of(batch)


def test_a_provider_that_ignores_skip_gives_each_line_once(
    provider: Provider, running: ProviderBatch
) -> None:
    def whole(call: str, request: httpx.Request) -> httpx.Response | None:
        if call != "GET /v1/files/ID/content":
            return None
        lines = provider.contents.get(request.url.path.split("/")[3], [])
        return httpx.Response(200, content=b"".join(line + b"\n" for line in lines))

    provider.before = whole
    for numbers in ([1], [1, 2]):
        provider.finish([answer_line(n) for n in numbers], status="in_progress")
        advance(running)
        advance(make_due(running))
    provider.finish([*ALL, b"garbage"])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert stored(batch) == sorted([*ALL, b"garbage"])
    assert set_aside(batch) == [("unreadable", "")]


def test_a_missed_line_is_looked_for_even_if_the_counts_do_not_know_of_it(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL[1:], status="in_progress")
    advance(running)
    advance(make_due(running))
    provider.finish([ALL[1], ALL[0], ALL[2]])  # committed out of order, behind the cursor
    next(iter(provider.batches.values()))["request_counts"] = {"completed": 2, "failed": 0}

    assert run_steps(running).succeeded == 3


@pytest.mark.parametrize(
    "instead",
    [
        lambda: httpx.Response(200, html="<!doctype html><p>Sign in"),
        lambda: httpx.Response(502, text="Bad gateway"),
        lambda: httpx.Response(302, headers={"Location": "https://elsewhere.test"}),
    ],
)
def test_what_is_no_result_file_is_asked_for_again(
    provider: Provider, running: ProviderBatch, instead: Callable[[], httpx.Response]
) -> None:
    provider.finish(ALL)
    advance(running)
    provider.before = lambda *_: instead()
    advance(make_due(running))

    provider_batch = make_due(running)
    assert (provider_batch.status, provider_batch.failures) == (Status.HARVESTING, 1)
    assert "Nothing is lost" in problem_text(provider_batch.problem)
    provider.before = lambda *_: None
    assert run_steps(running).succeeded == 3


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_result_file_that_vanished_waits_for_a_person_and_keeps_what_is_here(
    provider: Provider, running: ProviderBatch, status: int
) -> None:
    provider.finish(ALL[:1], status="in_progress")
    advance(running)
    advance(make_due(running))
    provider.finish(ALL)
    set_state(running.batch, create_attempted_at=None)
    provider.before = lambda call, _: (
        httpx.Response(status, text="No such file") if call.endswith("/content") else None
    )
    advance(make_due(running))
    exhaust_patience()
    advance(make_due(running))

    provider_batch = make_due(running)
    assert (provider_batch.parked_reason, provider_batch.status) == (
        "needs_attention",
        "harvesting",
    )
    assert "cancel" in problem_text(provider_batch.problem).lower()
    assert "Correct the model" not in problem_text(provider_batch.problem), "it has ended"
    assert stored(provider_batch.batch) == ALL[:1]


@pytest.mark.parametrize("is_watched", [True, False])
def test_results_that_lag_behind_their_counts_are_waited_for(
    provider: Provider,
    running: ProviderBatch,
    clock: Clock,
    *,
    is_watched: bool,
) -> None:
    """The results get the same grace period as a create, however often we poll."""
    provider.finish(ALL)
    late = {name: provider.contents.pop(name) for name in list(provider.contents)}
    clock.stop()
    ahead = timedelta()
    times = []
    while ProviderBatch.objects.get().status != Status.DONE:
        if ahead == timedelta(seconds=40):
            provider.contents |= late
        if is_watched:
            KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
            tasks.advance("keypoll", str(running.batch.key_id))
        row = ProviderBatch.objects.get()
        if row.next_check_at and row.next_check_at <= timezone.now():
            before = provider.calls.count("GET /v1/files/ID/content")
            advance(row)
            if provider.calls.count("GET /v1/files/ID/content") > before:
                times.append(ahead.total_seconds())
        else:
            ahead += timedelta(seconds=1)
            clock.advance(seconds=1)

    assert run_steps(running).succeeded == 3
    first, *rereads = times
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == sorted(waits)
    assert len(rereads) == fetch_results.MAX_REREADS
    assert rereads[-1] - first >= running.batch.connection.create_grace_seconds


def test_an_empty_file_of_a_batch_that_claims_answers_is_told(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL)
    provider.contents.clear()

    batch = run_steps(running)

    assert (batch.status, batch.missing) == (Batch.Status.FAILED, 3)
    assert "counts 3 completed and 0 failed; its results hold 0 answers" in discrepancy_of(batch)
    assert provider.calls.count("GET /v1/files/ID/content") > 2


def test_a_file_id_that_is_taken_back_is_still_read(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL[:1], status="in_progress")
    advance(running)
    provider.finish(ALL)
    next(iter(provider.batches.values())).update(output_file_id=None, error_file_id=None)

    assert run_steps(running).succeeded == 3


def test_a_status_nobody_knows_is_shown_as_it_is(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([], status="pondering\0")

    advance(running)

    provider_batch = make_due(running)
    assert (provider_batch.status, provider_batch.remote_status) == (Status.RUNNING, "pondering")


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 5, "request_counts": ["three"], "expires_at": "soon", "errors": "none"},
        {"status": None, "request_counts": {"completed": "3", "failed": -1, "total": True}},
        {"output_file_id": {"id": "x"}, "error_file_id": 0, "metadata": [1], "created_at": "x"},
    ],
)
def test_a_batch_object_of_wrong_types_is_followed_to_its_end(
    provider: Provider, running: ProviderBatch, wrong: dict[str, Any]
) -> None:
    provider.finish(ALL)
    (remote,) = provider.batches.values()
    right = {name: remote.get(name) for name in wrong}
    remote.update(wrong)
    advance(running)
    remote.update(right)

    assert run_steps(running).succeeded == 3


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (with_body(None), Outcome.EMPTY),
        (with_body([]), Outcome.EMPTY),
        (with_body([1, "two"]), Outcome.OK),
        (with_body("Plain words."), Outcome.OK),
        (with_body({"choices": "none"}), Outcome.EMPTY),
        (with_body({"choices": [{"message": {"content": "\ud800 and \0"}}]}), Outcome.OK),
        (with_body({"choices": []}, status=0), Outcome.EMPTY),
        (with_body(None, status=0), Outcome.PROVIDER_ERROR),
        (with_body({"choices": []}, status="200"), Outcome.EMPTY),
        (with_body({"choices": []}, status=True), Outcome.EMPTY),
        (with_body({"choices": []}, status=10**30), Outcome.EMPTY),
        (changed(answer_line(1), id={"of": "another type"}), Outcome.OK),
        (changed(answer_line(1), id="\0" * 300), Outcome.OK),
        (changed(answer_line(1), response="none", error=None), Outcome.OK),
        (answer_line(1).replace(b'"id"', b'"custom_id": "row-77", "id"'), Outcome.OK),
        (answer_line(1)[:-1] + b', "x": ' + 500 * b"[" + 500 * b"]" + b"}", Outcome.OK),
        (answer_line(1)[:-1] + b', "x": NaN}', Outcome.OK),
    ],
)
def test_an_odd_answer_is_an_answer_or_a_failure_and_never_a_crash(
    provider: Provider, running: ProviderBatch, line: bytes, outcome: Outcome
) -> None:
    provider.finish([line, *ALL[1:]])

    batch = run_steps(running)

    assert batch.is_accounted_for
    assert batch.results.get(custom_id="row-1").outcome == outcome
    assert set_aside(batch) == []
    assert stored(batch) == sorted([line, *ALL[1:]])


@pytest.mark.parametrize(
    "line",
    [
        answer_line(1).replace(b"Answer", b"\xff\xfe"),
        answer_line(1)[:-1] + b', "x": ' + 100_000 * b"[",
        b"\0\0\0",
        b"[]",
        b"null",
        b'"row-1"',
        changed(answer_line(1), custom_id=None),
        changed(answer_line(1), custom_id=["row-1"]),
    ],
)
def test_a_line_that_names_no_request_is_unmatched(
    provider: Provider, running: ProviderBatch, line: bytes
) -> None:
    provider.finish([line, *ALL[1:]])

    batch = run_steps(running)

    assert (batch.succeeded, batch.missing) == (2, 1)
    assert set_aside(batch) == [("unreadable", "")]
    assert b"".join(browse.download_unmatched(batch, batch.created_by)) == line + b"\n"


@pytest.mark.parametrize("custom_id", ["\0", "\ud800", "x" * 100_000, ""])
def test_no_custom_id_is_too_odd_to_be_listed(
    provider: Provider, running: ProviderBatch, custom_id: str
) -> None:
    provider.finish([changed(answer_line(9), custom_id=custom_id), *ALL])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert UnmatchedLine.objects.get().reason == UnmatchedLine.Reason.UNKNOWN


@pytest.mark.parametrize("tokens", [-1, 2**64, 10**400, 1.5, 1e300, "50", True, [5], None])
def test_a_count_of_tokens_that_is_none_is_not_counted(
    provider: Provider, running: ProviderBatch, tokens: Any
) -> None:
    body = json.loads(answer_line(1))["response"]["body"]
    body["usage"] = {"prompt_tokens": tokens, "completion_tokens": tokens}
    provider.finish([with_body(body), *ALL[1:]])

    batch = run_steps(running)

    assert batch.succeeded == 3
    assert (batch.input_tokens, batch.output_tokens) == (200, 100)
    assert batch.model_costs.get().answers_without_usage == 1


SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


def asking(number: int, schema: Any = SCHEMA) -> str:
    request = json.loads(request_line(number))
    holder = {"name": "place", "schema": schema}
    request["body"]["response_format"] = {"type": "json_schema", "json_schema": holder}
    return json.dumps(request)


def outcomes(batch: Batch) -> list[str]:
    return list(batch.results.order_by("line").values_list("outcome", flat=True))


def test_an_answer_that_is_not_as_the_schema_asks_is_paid_and_told() -> None:
    lines = [asking(1), asking(2), asking(3), request_line(4)]
    batch = make_batch(upload=make_upload(content="\n".join(lines).encode()))
    truncated = answer_line(3, text='{"city": ').replace(b'"stop"', b'"length"')

    answer(
        batch,
        [
            answer_line(1, text='{"city": "Oslo"}'),
            answer_line(2, text='{"town": "Oslo"}'),
            truncated,
            answer_line(4, text="Oslo"),
        ],
    )

    assert outcomes(batch) == ["ok", "invalid_schema", "truncated", "ok"]
    second = batch.results.get(line=2)
    assert second.error_message == '"city" is a required property'
    assert second.output_tokens == 50
    assert Outcome(second.outcome).is_answer


def test_a_schema_that_is_none_judges_nobody() -> None:
    lines = [asking(1, {"type": "nonsense"}), asking(2, {"$ref": "https://provider.test/x"})]
    batch = make_batch(upload=make_upload(content="\n".join(lines).encode()))

    answer(batch, [answer_line(1, text="{}"), answer_line(2, text="{}")])

    assert outcomes(batch) == ["ok", "ok"]


def test_a_plain_provider_that_breaks_off_gives_each_line_once(
    provider: Provider, running: ProviderBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_results, "LINES_PER_CHUNK", 1)
    Connection.objects.update(has_partial_results=False)
    lines = [b"garbage", ALL[0], changed(ALL[0], id="again"), *ALL[1:]]
    provider.finish(lines)
    advance(running)
    for cut in (2, 4):
        body = b"\n".join(lines[:cut]) + b"\n{"
        provider.after = lambda *_, body=body: httpx.Response(200, content=body)  # type: ignore[misc]
        advance(make_due(running))
    provider.after = lambda *_: None

    batch = run_steps(running)

    assert stored(batch) == sorted(lines)
    assert set_aside(batch) == [("unreadable", ""), ("second", "row-1")]
