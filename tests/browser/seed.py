"""Fill an empty database with every state of every page, and print the addresses.

The module runs in its own process, in the environment of the portal that shows the rows.
"""

import json
import os
import sys
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import django
import httpx
import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402  # only a set up Django lets us import models
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from batchapp.access import OPERATOR  # noqa: E402
from batchapp.domain.corrections.correction_rules import (  # noqa: E402
    Choice,
    CorrectionKind,
)
from batchapp.domain.money.unit_prices import UnitPrice  # noqa: E402
from batchapp.domain.problem import Problem, ProblemCode  # noqa: E402
from batchapp.domain.results.retry_selection import Ending, Selection  # noqa: E402
from batchapp.models import (  # noqa: E402
    REALTIME,
    Batch,
    Connection,
    Event,
    EventKind,
    OfferedModel,
    Project,
    ProviderBatch,
    ProviderKey,
    Upload,
    User,
)
from batchapp.services.files import correct_file, upload_intake  # noqa: E402
from batchapp.services.lifecycle import prepare  # noqa: E402
from batchapp.services.offered_models import model_table  # noqa: E402
from batchapp.services.prices import price_table  # noqa: E402
from batchapp.services.providers import provider_keys  # noqa: E402
from batchapp.services.results import retry_file  # noqa: E402
from tests import make  # noqa: E402
from tests.browser import tables  # noqa: E402
from tests.browser.history import add_history  # noqa: E402
from tests.sentences import problem  # noqa: E402

NO_CREDIT = Problem(
    ProblemCode.NO_CREDIT, {"connection": "Doubleword", "is_sent": False, "said": ""}
)
QUESTIONS = "The invoice shows last month's address, and the link in the e-mail ends in an error."
ANSWER = "Billing. The customer asks for a corrected invoice; the broken link is a second matter."
QUESTION = {"role": "user", "content": QUESTIONS}
INVALID_LINES = b"""{"custom_id": "ticket-1"}
nonsense
"""
LARGE = 300
BATCH_FILE = {"purpose": "batch"}
MADE_ELSEWHERE = [
    ("reviews-of-2025.jsonl", 120, "24h"),
    ("a very long name of a file that somebody made by hand and sent once more.jsonl", 7, "1h"),
    ("invoices.jsonl", 40, "24h"),
]
UNREACHABLE_URL = "http://127.0.0.1:9"  # connections are refused at once
LONG_NAME = "tickets of November, copied by hand 🧾 " + 9 * "and once more " + "(1).jsonl"


def seed() -> dict[str, dict[str, str]]:
    """Create the rows; return the parts of their addresses and a session for each person."""
    ada = make.make_user("ada@example.com", first_name="Ada", last_name="Lovelace", is_staff=True)
    grace = make.make_user("grace@example.com", first_name="Grace", last_name="Hopper")
    alan = make.make_user("alan@example.com", first_name="Alan", last_name="Turing")
    newcomer = make.make_user("new@example.com")
    connection = Connection.objects.get(name="Doubleword")
    Connection.objects.update(base_url=UNREACHABLE_URL, reasoning_effort_only=True)
    connection.refresh_from_db()
    for window, factor in [("24h", 1), ("1h", 2), (REALTIME, 4)]:
        make.make_price(connection, window, factor * Decimal("0.05"), factor * Decimal("0.20"))
    support = make.make_project(
        ada, role=make.ADMIN, name="Support tickets", slug="support", connection=connection
    )
    make.join(grace, support)
    make.make_project(ada, role=make.ADMIN, name="Release notes", slug="empty")
    contracts = make.make_project(ada, role=make.VIEWER, name="Contracts", slug="contracts")
    key = make.make_key(ada, connection)
    project_key = make.make_key(support)

    paths = {"key": str(key.pk), "key_of_project": str(project_key.pk)}
    paths |= {"foreign": str(make.make_upload(contracts, grace).pk)}
    paths |= {name: str(row.pk) for name, row in _files(support, ada).items()}
    paths |= tables.seed(support, ada)
    batches = _batches(support, ada, grace)
    paths |= {name: str(row.pk) for name, row in _retries(support, ada).items()}
    paths |= {name: str(row.pk) for name, row in batches.items()}
    split = _split(support, ada)
    paths |= {"split": str(split.pk), "split_file": str(split.upload_id)}
    paths |= {"submission": str(batches["completed"].submission)}
    _imports(batches["errors"])
    _deliveries(key, batches["completed"])
    keyless = make.make_project(
        grace, name="Translations", slug="translations", connection=connection
    )
    paths |= {"keyless": str(make.make_upload(keyless, grace, name="glossary.jsonl").pk)}
    paths |= {"quiet": str(_playground(alan).pk)}
    paths |= {"grace": str(support.memberships.get(user=grace).pk)}
    paths |= _prices(connection, keyless, grace) | _models(support, ada)
    insight = make.make_project(
        ada, role=make.ADMIN, name="Customer insight", slug="insight", connection=connection
    )
    make.join(grace, insight)
    paths |= {name: str(row.pk) for name, row in _extremes(insight, ada).items()}
    add_history(batches["completed"], [support, insight], [ada, grace])
    used_at = timezone.now() - timedelta(minutes=4)
    ProviderKey.objects.filter(pk=project_key.pk).update(tested_at=used_at, last_used_at=used_at)
    # The page of the project shows only the newest batches, and the running batch polls.
    Batch.objects.filter(pk=batches["running"].pk).update(created_at=timezone.now())
    people = {"ada": ada, "grace": grace, "alan": alan, "new": newcomer}
    people |= {"edsger": _broken()}
    return {"paths": paths, "sessions": {name: _session(user) for name, user in people.items()}}


def _prices(connection: Connection, project: Project, user: User) -> dict[str, str]:
    """Create a pattern, an announced, an ending and an ended price, and a model without one."""
    now = timezone.now()
    pattern = make.make_price(
        connection, "24h", Decimal("0.15"), Decimal("0.60"), model="meta-llama/*"
    )
    higher = UnitPrice(input=Decimal("0.18"), output=Decimal(0))
    announced = price_table.correct(pattern, OPERATOR, higher, since=now + timedelta(days=30))
    small = connection.prices.filter(model="Qwen/Qwen3.5-4B")
    price_table.end(small.get(window="1h"), OPERATOR, now + timedelta(days=3))
    price_table.correct(
        small.get(window="24h"), OPERATOR, higher, source="https://example.com/prices"
    )
    unpriced = make.request_file(40, model="mistralai/Mistral-Small-3.2-24B-Instruct-2506")
    make.make_upload(project, user, name="glossary-of-2025.jsonl", content=unpriced)
    return {"price": str(pattern.pk), "announced": str(announced.pk)}


def _models(project: Project, user: User) -> dict[str, str]:
    """Create a model of which nothing is known, and one with every fact and a file for it."""
    connection = project.connection
    model_table.save(
        OfferedModel(connection=connection, model=f"acme/{'très-long-' * 10}模型"), OPERATOR
    )
    row = OfferedModel(
        connection=connection,
        model="acme/Everything-1-Omni",
        kind="chat",
        inputs=["text", "image", "audio", "video"],
        context_tokens=1_048_576,
        max_new_tokens=131_072,
        windows=["24h"],
        source="https://models.example.com/everything-1-omni",
    )
    model_table.save(row, OPERATOR)
    file = make.make_upload(
        project, user, name="omni.jsonl", content=make.request_file(30, model=row.model)
    )
    return {"model": str(row.pk), "closed": str(file.pk)}


def _files(project: Project, user: User) -> dict[str, Upload]:
    files = {
        "ready": make.make_upload(project, user, name="tickets-november.jsonl", content=_large()),
        "checking": make.make_upload(project, user, name="tickets-2025.jsonl", is_checked=False),
        "faulty": make.make_upload(project, user, name="by hand.jsonl", content=INVALID_LINES),
        "failed": make.make_upload(project, user, name="tickets-2024.jsonl", is_checked=False),
        "duplicate": make.make_upload(project, user, name=LONG_NAME, content=_large()),
        "mixed": make.make_upload(project, user, name="tickets-mixed.jsonl", content=_mixed()),
        "unreadable": make.make_upload(project, user, name="tickets-2023.jsonl"),
        "misspelt": make.make_upload(project, user, name="slips.jsonl", content=_misspelt()),
        "many": make.make_upload(project, user, name=255 * "W" + ".jsonl", content=_many()),
    }
    files |= _versions(files["mixed"], user)
    Upload.objects.filter(pk=files["checking"].pk).update(lines_checked=12_400, size=6_000_000)
    Upload.objects.filter(pk=files["failed"].pk).update(
        status=Upload.Status.FAILED,
        problem=Problem(ProblemCode.FILE_UNREADABLE, {"reason": "Input/output error"}),
    )
    Upload.objects.filter(pk=files["unreadable"].pk).update(
        report_fields={"of": "another version"}
    )
    return files


def _extremes(project: Project, user: User) -> dict[str, Upload]:
    """Create files of many models, of a very high and of a very low cost."""
    priced = project.connection.prices.exclude(model__contains="*").order_by("model")
    models = list(priced.values_list("model", flat=True).distinct())
    models += [f"meta-llama/Llama-{n}-Maverick-17B-128E-Instruct-FP8" for n in range(40)]
    lines = [make.request_line(n, model=model) for n, model in enumerate(models[:40])]
    contents = {
        "forty_models": "\n".join(lines).encode(),
        "dear": make.request_file(),
        "cheap": make.request_line(1, body=_ticket(1) | {"max_tokens": 1}).encode(),
        "array": _array(),
        "anthropic": _anthropic(),
        "results": _results(),
        "will_fail": _will_fail(),
    }
    files = {
        name: make.make_upload(project, user, name=f"{name}.jsonl", content=content)
        for name, content in contents.items()
    }
    report = files["dear"].report
    assert report
    facts = msgspec.structs.replace(
        report.models[make.MODEL],
        requests=12_500_000,
        input_tokens=20_000_000_000_000,
        expected_output_tokens=2_700_000_000_000,
        unbounded_requests=12_499_998,
    )
    report = msgspec.structs.replace(report, requests=12_500_000, models={make.MODEL: facts})
    Upload.objects.filter(pk=files["dear"].pk).update(report_fields=msgspec.to_builtins(report))
    return files


def _mixed() -> bytes:
    """Return lines with every error that a correction can repair, and a line to drop."""
    ask = [QUESTION]
    bodies: list[dict[str, Any]] = [
        {"model": make.MODEL, "messages": ask, "max_tokens": 50},
        {"messages": ask, "max_tokens": 50},
        {"model": make.MODEL, "messages": ask, "max_tokens": 50, "stream": True},
        {"model": "Qwen/Qwen3-14B-FP8", "messages": ask},
    ]
    lines = [make.request_line(number % 3, body=body) for number, body in enumerate(bodies)]
    return "\n".join([*lines, "nonsense", ""]).encode()


def _will_fail() -> bytes:
    """Return requests that fail when they run, and some whose reasoning is refused before."""
    ask = {"model": make.MODEL, "messages": [QUESTION], "max_tokens": 50}
    picture = {"type": "image_url", "image_url": {"url": r"C:\scans\page 1.png"}}
    changes: list[dict[str, Any]] = [
        {"temperature": "0.2"},
        {"temperature": 3},
        {"max_output_tokens": 50},
        {"messages": [{"role": "human", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": [picture]}]},
        {"tools": [{"name": "look_up", "input_schema": {"type": "object"}}]},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"thinking": {"type": "enabled", "budget_tokens": 5_000}},
    ]
    lines = [make.request_line(number, body=ask | new) for number, new in enumerate(changes)]
    return "\n".join(lines).encode()


def _misspelt() -> bytes:
    """Return a model without a price, a model without a limit, and a repeated question."""
    ask = [QUESTION]
    bodies: list[dict[str, Any]] = [
        {"model": make.MODEL, "messages": ask},
        {"model": make.MODEL, "messages": ask},
        {"model": f"{make.MODEL}-FP9", "messages": ask, "max_tokens": 50.0},
    ]
    lines = [make.request_line(number, body=body) for number, body in enumerate(bodies)]
    return "\n".join(lines).encode()


def _array() -> bytes:
    """Return a JSON list of requests without method, url and model, as other providers take."""
    rows = [
        {"custom_id": f"ticket-{number}", "body": {"messages": [QUESTION], "max_tokens": 50}}
        for number in range(12)
    ]
    return json.dumps(rows, indent=2).encode()


def _anthropic() -> bytes:
    """Return lines of Anthropic's format, of which one cannot be turned into a request."""
    params = {"model": make.MODEL, "max_tokens": 50, "messages": [QUESTION]}
    lines = [{"custom_id": f"review-{number}", "params": params} for number in range(30)]
    lines[4]["custom_id"] = "x" * 70
    return "\n".join(map(json.dumps, lines)).encode()


def _results() -> bytes:
    """Return a file of results, which somebody took for the requests."""
    response = {"status_code": 200, "body": {"choices": []}}
    lines = [{"custom_id": f"{n}", "response": response, "error": None} for n in range(9)]
    return "\n".join(map(json.dumps, lines)).encode()


def _many() -> bytes:
    """Return 10,000 findings of one kind, 40 models, and identifiers from right to left."""
    lines = []
    for number in range(40):
        body = {"model": f"a-maker-of-models/with-a-long-name-{number}", "messages": [QUESTION]}
        lines.append(make.request_line(number, body=body))
        lines.append(make.request_line(0, custom_id=f"\u05e4\u05e0\u05d9\u05d9\u05d4-{number}"))
    lines += ["nonsense"] * 10_000
    return "\n".join(lines).encode()


def _versions(original: Upload, user: User) -> dict[str, Upload]:
    """Create a corrected file, and one that is being written."""
    corrections = frozenset(
        {CorrectionKind.SET_MODEL, CorrectionKind.SUFFIX_DUPLICATES, CorrectionKind.DROP_BAD_ROWS}
    )
    choice = Choice(corrections, model=make.MODEL)
    corrected, correcting = (
        correct_file.request_correction(original, user, choice, submission=uuid.uuid4())
        for _ in range(2)
    )
    correct_file.write_corrected_file(corrected)
    upload_intake.check_upload(corrected)
    Upload.objects.filter(pk=correcting.pk).update(lines_checked=61_300)
    return {"corrected": corrected, "correcting": correcting}


def _batches(project: Project, ada: User, grace: User) -> dict[str, Batch]:
    key = project.provider_keys.get()
    upload = make.make_upload(project, ada, name="tickets-october.jsonl", content=_large())
    small = make.make_upload(project, grace, name="tickets-today.jsonl")
    now = timezone.now()

    def order(name: str, user: User = ada, upload: Upload = upload, window: str = "24h") -> Batch:
        return make.make_batch(project, user, upload=upload, key=key, name=name, window=window)

    batches = {
        "completed": make.finish(order("Tickets of October"), _answers(1, LARGE)),
        "errors": make.finish(
            order("Tickets of September"),
            _answers(1, 280),
            [make.error_line(n) for n in range(281, 296)],
        ),
        "doubtful": make.finish(order("Tickets of August"), _doubtful()),
        "cancelled": order("Wrong prompt", grace, small, "1h"),
        "queued": order("Tickets of today", grace, small, "1h"),
        "running": order("Tickets of the third quarter"),
        "cancelling": order("Not needed after all", grace),
        "paused": order("Tickets of the first quarter"),
        "stuck": order("Tickets of the second quarter"),
    }
    for name in ("running", "paused"):
        make.answer(batches[name], _answers(1, 8))
    at_provider = {"submitted_at": now, "polled_at": now, "expires_at": now + timedelta(hours=24)}
    at_provider |= {"ended_at": None}
    for name, completed, failed in [("running", 140, 2), ("cancelling", 60, 0)]:
        make.set_state(
            batches[name],
            status=ProviderBatch.Status.RUNNING,
            remote_id=f"batch-of-{name}",
            remote_status="in_progress",
            completed=completed,
            failed=failed,
            **at_provider,
        )
    Batch.objects.filter(pk=batches["cancelling"].pk).update(cancel_requested_at=now)
    make.set_state(
        batches["paused"],
        parked_reason=ProviderBatch.Parked.PAUSED,
        status=ProviderBatch.Status.HARVESTING,
        remote_id="batch-of-paused",
        remote_status="cancelled",
        completed=90,
        next_check_at=None,
        **at_provider,
    )
    Batch.objects.filter(pk=batches["paused"].pk).update(pause_requested_at=now)
    make.set_state(
        batches["stuck"],
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        problem=NO_CREDIT,
        next_check_at=None,
    )
    make.set_state(batches["cancelled"], status=ProviderBatch.Status.CANCELLED)
    Batch.objects.filter(pk=batches["cancelled"].pk).update(
        status=Batch.Status.CANCELLED, cancelled=small.requests, finished_at=now
    )
    batches["cancelled"].model_costs.update(cost_usd=0, realtime_cost_usd=0)
    _age(batches["completed"])
    return batches | _alarming(order("Tickets of 2024"), order("Tickets of 2023"))


def _alarming(stalled: Batch, failing: Batch) -> dict[str, Batch]:
    """Create a batch that stands still and will be late, and one with many failures."""
    now = timezone.now()
    for batch, completed, failed, ago in [(stalled, 120, 0, 52), (failing, 61, 138, 1)]:
        polls = [(180, 0), (90, 60), (ago, completed + failed), (0, completed + failed)]
        make.answer(batch, [], [make.error_line(n, "model is overloaded") for n in (1, 2, 3)])
        make.set_state(
            batch,
            status=ProviderBatch.Status.RUNNING,
            remote_status="in_progress",
            completed=completed,
            failed=failed,
            submitted_at=now - timedelta(hours=3),
            polled_at=now,
            ended_at=None,
            expires_at=now + timedelta(minutes=20),
            marks=[[(now - timedelta(minutes=age)).timestamp(), ended] for age, ended in polls],
        )
    return {"stalled": stalled, "failing": failing}


def _split(project: Project, user: User) -> Batch:
    """Create a batch of five provider batches in different states."""
    connection, now = project.connection, timezone.now()
    max_requests, connection.max_requests = connection.max_requests, 70
    connection.save()
    upload = make.make_upload(project, user, name="tickets-2022.jsonl", content=_large())
    batch = make.make_batch(
        project, user, upload=upload, window="1h", name="Tickets of 2022", fallback_window="24h"
    )
    prepare.prepare(batch.provider_batches.get())
    connection.max_requests = max_requests
    connection.save()
    full = "Waiting for a free slot at Doubleword: 4 of 4 slots are used."
    states: list[dict[str, Any]] = [
        {
            "status": ProviderBatch.Status.DONE,
            "completed": 69,
            "failed": 1,
            "remote_status": "completed",
        },
        {"status": ProviderBatch.Status.RUNNING, "completed": 31, "remote_status": "in_progress"},
        {"status": ProviderBatch.Status.WAITING, "problem": problem(f"{full} It is next.")},
        {
            "status": ProviderBatch.Status.WAITING,
            "problem": problem(f"{full} 1 provider batch is ahead."),
        },
        {"status": ProviderBatch.Status.PREPARING},
    ]
    for number, fields in enumerate(states, start=1):
        if "completed" in fields:
            fields |= {"remote_id": str(uuid.UUID(int=number)), "submitted_at": now}
            fields |= {"polled_at": now, "expires_at": now + timedelta(hours=1)}
        batch.provider_batches.filter(number=number).update(**fields)
    return batch


def _deliveries(key: ProviderKey, batch: Batch) -> None:
    """Enable webhooks for ``key``, with some deliveries."""
    provider_keys.set_webhook_secret(key, OPERATOR, "whsec_" + 32 * "A")
    deliveries = [
        ("batch.completed", f"batch_{batch.provider_batches.get().remote_id}", "polled"),
        ("batch.failed", f"batch_{uuid.UUID(int=7)}", "not_ours"),
        ("user.created", "", "ignored"),
    ]
    for number, (kind, remote_id, effect) in enumerate(deliveries):
        key.deliveries.create(
            message_id=str(number), kind=kind, remote_id=remote_id, effect=effect
        )


def _imports(batch: Batch) -> None:
    """Create an import in each state, and one that waits for its provider."""
    key = batch.key
    silence = (
        "Doubleword gave no usable answer (asking for the batch: could not connect). Nothing is "
        "lost; the portal keeps trying."
    )
    duplicate_ids = (
        "Several of its requests have the same custom_id, and results come back by it, so the "
        "portal cannot account for every request. Download the results there, or correct the copy "
        "of the file here and submit it anew, which is paid again. Line 7: custom_id “ticket-1” "
        "of line 7 is already used on line 1; give each request its own."
    )
    for fields in (
        {},
        {"name": "tickets-by-hand.jsonl", "status": "checking", "upload": batch.upload},
        {"failures": 3, "problem": problem(silence)},
        {
            "name": "duplicates.jsonl",
            "status": "failed",
            "problem": problem(duplicate_ids),
            "upload": batch.upload,
        },
        {"name": "tickets-september.jsonl", "status": "done", "batch": batch},
    ):
        make.make_import(batch.project, batch.created_by, key=key, **fields)


def _retries(project: Project, user: User) -> dict[str, Batch | Upload]:
    """Create a batch with a retry, and a second retry file that is being written."""
    key = project.provider_keys.get()
    upload = make.make_upload(project, user, name="tickets-august.jsonl", content=_large())
    batch = make.make_batch(project, user, upload=upload, key=key, name="Tickets of August")
    cut = [line.replace(b'"stop"', b'"length"') for line in _answers(281, 290)]
    errors = [make.error_line(n) for n in range(291, 297)]
    batch = make.finish(batch, [*_answers(1, 280), *cut], errors)

    def request(*endings: Ending) -> Upload:
        choice = Selection(frozenset(endings), max_tokens_factor=2)
        return retry_file.request_retry_file(batch, user, choice, submission=uuid.uuid4())

    retry_upload, writing = (
        request(Ending.PROVIDER_ERROR, Ending.MISSING),
        request(Ending.TRUNCATED),
    )
    retry_file.write_retry_file(retry_upload)
    upload_intake.check_upload(retry_upload)
    Upload.objects.filter(pk=writing.pk).update(lines_checked=8)
    retry = make.make_batch(
        project, user, upload=retry_upload, key=key, name="Tickets of August, again"
    )
    retry = make.finish(retry, _answers(291, 298), [make.error_line(299)])
    return {"retried": batch, "retry": retry, "retry_file": retry_upload, "retry_begun": writing}


def _playground(user: User) -> Batch:
    """Create a person with one running batch, at a sandbox that has others of the same key."""
    url = os.environ["SANDBOX_URL"]
    sandbox = make.make_connection(name="Sandbox", is_sandbox=True, base_url=url)
    project = make.make_project(user, name="Playground", slug="playground", connection=sandbox)
    batch = make.make_batch(project, user, name="First steps")
    make.set_state(batch, status=ProviderBatch.Status.RUNNING, completed=1)
    headers = {"Authorization": f"Bearer {batch.key.secret()}"}
    with httpx.Client(base_url=f"{url}/v1", headers=headers, trust_env=False) as provider:
        for name, requests, window in MADE_ELSEWHERE:
            content = make.request_file(requests, model=make.SANDBOX_MODEL)
            made = provider.post("/files", files={"file": (name, content)}, data=BATCH_FILE)
            fields = {"endpoint": "/v1/chat/completions", "completion_window": window}
            file_id = made.raise_for_status().json()["id"]
            asked = provider.post("/batches", json=fields | {"input_file_id": file_id})
            asked.raise_for_status()
    return batch


def _broken() -> User:
    """Create a person whose project has invalid windows, so that the page of its batches fails."""
    user = make.make_user("edsger@example.com")
    make.make_project(user, slug="broken", connection=make.make_connection(windows=7))
    return user


def _large() -> bytes:
    lines = [make.request_line(number, body=_ticket(number)) for number in range(1, LARGE + 1)]
    return "\n".join(lines).encode()


def _ticket(number: int) -> dict[str, Any]:
    return {
        "model": make.MODEL,
        "max_tokens": 200,
        "messages": [
            {"role": "system", "content": "Say what the ticket is about, and why."},
            {"role": "user", "content": f"Ticket {number}: {QUESTIONS}"},
        ],
    }


def _answers(first: int, last: int) -> list[bytes]:
    return [make.answer_line(n, text=ANSWER, tokens=(61, 24)) for n in range(first, last + 1)]


def _doubtful() -> list[bytes]:
    """Return results with unmatched lines, and one result of another model."""
    unmatched = [
        b"<html><head><title>502 Bad Gateway</title></head></html>",
        make.answer_line(999),
    ]
    other = make.answer_line(1, text=ANSWER).replace(make.MODEL.encode(), b"Qwen/Qwen3-4B")
    second = make.answer_line(2, text=ANSWER).replace(b"line-2", b"line-2-again")
    return [other, *_answers(2, 297), *unmatched, second]


def _age(batch: Batch) -> None:
    """Give a finished batch a realistic duration and timeline."""
    start = batch.created_at - timedelta(minutes=47)
    Batch.objects.filter(pk=batch.pk).update(created_at=start)
    due = start + timedelta(hours=24)
    make.set_state(batch, submitted_at=start, polled_at=batch.finished_at, expires_at=due)
    events = list(batch.events.all())
    accepted = {"connection": "Doubleword", "remote_id": "batch_7f3a"}
    ended = {"connection": "Doubleword", "remote_status": "completed", "errors": []}
    ended |= {"completed": 300, "failed": 0, "total": 300}
    events[1:1] = [
        Event(batch=batch, kind=EventKind.ACCEPTED, data=accepted),
        Event(batch=batch, kind=EventKind.ENDED_AT_PROVIDER, data=ended),
    ]
    for number, event in enumerate(events):
        event.save()
        at = start + timedelta(minutes=(0, 1, 45, 47)[min(number, 3)])
        Event.objects.filter(pk=event.pk).update(at=at)


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


if __name__ == "__main__":
    sys.stdout.write(json.dumps(seed()))
