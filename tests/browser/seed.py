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

from allauth.account.models import EmailAddress, EmailConfirmationHMAC  # noqa: E402
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret  # noqa: E402
from allauth.usersessions.models import UserSession  # noqa: E402
from django.conf import settings  # noqa: E402  # only a set up Django lets us import models
from django.core.mail import send_mail  # noqa: E402
from django.db import transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from batchapp.access import OPERATOR  # noqa: E402
from batchapp.domain.batch_labels import Labels  # noqa: E402
from batchapp.domain.corrections.correction_rules import (  # noqa: E402
    Choice,
    CorrectionKind,
)
from batchapp.domain.money.budgets import Part  # noqa: E402
from batchapp.domain.money.unit_prices import UnitPrice  # noqa: E402
from batchapp.domain.problem import Problem, ProblemCode  # noqa: E402
from batchapp.domain.request_files.check_file import Limits, check  # noqa: E402
from batchapp.domain.results.retry_selection import Outcome, Selection  # noqa: E402
from batchapp.domain.reuse.reuse_plan import ReuseChoice  # noqa: E402
from batchapp.models import (  # noqa: E402
    REALTIME,
    ApprovalRequest,
    Batch,
    Budget,
    Connection,
    Event,
    EventKind,
    Export,
    Invitation,
    OfferedModel,
    PortalKey,
    Project,
    ProviderBatch,
    ProviderKey,
    Reservation,
    Upload,
    User,
)
from batchapp.models.budgets.month import month_of  # noqa: E402
from batchapp.services.approvals import decisions  # noqa: E402
from batchapp.services.archive import purge, retention  # noqa: E402
from batchapp.services.files import correct_file, upload_intake  # noqa: E402
from batchapp.services.labels import batch_labels  # noqa: E402
from batchapp.services.lifecycle import controls, prepare  # noqa: E402
from batchapp.services.offered_models import model_table  # noqa: E402
from batchapp.services.orders import order_approval  # noqa: E402
from batchapp.services.people import invitations  # noqa: E402
from batchapp.services.portal_keys import portal_keys  # noqa: E402
from batchapp.services.portal_keys.authenticate import authenticate  # noqa: E402
from batchapp.services.prices import price_table  # noqa: E402
from batchapp.services.providers import provider_keys  # noqa: E402
from batchapp.services.results import retry_file  # noqa: E402
from batchapp.services.saved_views import saved_views  # noqa: E402
from tests import make, reuse  # noqa: E402
from tests.answered import answer_table, make_export  # noqa: E402
from tests.browser import compared, months, scripted, tables, told, troubles, webhooks  # noqa: E402
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
    ada = make.make_administrator("ada@example.com", first_name="Ada", last_name="Lovelace")
    grace = make.make_user("grace@example.com", first_name="Grace", last_name="Hopper")
    alan = make.make_user("alan@example.com", first_name="Alan", last_name="Turing")
    newcomer = make.make_user("new@example.com")
    connection = Connection.objects.get(name="Doubleword")
    Connection.objects.update(base_url=UNREACHABLE_URL, reasoning_effort_only=True)
    connection.refresh_from_db()
    for window, factor in [("24h", 1), ("1h", 2), (REALTIME, 4)]:
        make.make_price(connection, window, factor * Decimal("0.05"), factor * Decimal("0.20"))
    support = make.make_project(
        ada, role=make.OWNER, name="Support tickets", slug="support", connection=connection
    )
    make.join(grace, support)
    make.make_project(ada, role=make.OWNER, name="Release notes", slug="empty")
    edith = make.make_user("edith@example.com", first_name="Edith", last_name="Clarke")
    TOTP.activate(edith, generate_totp_secret())
    make.join(
        edith,
        make.make_project(
            ada, role=make.OWNER, name="Translated reviews", slug="shared", connection=connection
        ),
        make.OWNER,
    )
    make.make_project(
        ada,
        role=make.OWNER,
        name="Winter campaign 2024",
        slug="former",
        connection=connection,
        colour=7,
        archived_at=timezone.now() - timedelta(days=40),
    )
    contracts = make.make_project(ada, role=make.VIEWER, name="Contracts", slug="contracts")
    key = make.make_key(ada, connection)
    project_key = make.make_key(support)

    paths = {"key": str(key.pk), "key_of_project": str(project_key.pk)}
    paths |= {"portal_key": str(_portal_keys(support, ada, grace).pk)}
    paths |= {"connection": str(connection.pk), "ada": str(ada.pk)}
    paths |= {"foreign_project": str(contracts.pk)}
    paths |= {"invitation": _invitations(support, ada, grace), "grace_person": str(grace.pk)}
    paths |= {"edith_person": str(edith.pk)} | _addresses(alan)
    paths |= {"foreign": str(make.make_upload(contracts, grace).pk)}
    paths |= {name: str(row.pk) for name, row in _files(support, ada).items()}
    paths |= tables.seed(support, ada)
    paths |= compared.seed(contracts, grace)
    batches = _batches(support, ada, grace)
    _labels(support, ada)
    paths |= {name: str(row.pk) for name, row in _reused(support, ada).items()}
    paths |= {name: str(row.pk) for name, row in _shared_prompts(support).items()}
    paths |= {name: str(row.pk) for name, row in _retries(support, ada).items()}
    paths |= {name: str(row.pk) for name, row in batches.items()}
    split = _split(support, ada)
    paths |= {"split": str(split.pk), "split_file": str(split.upload_id)}
    paths |= {"submission": str(batches["completed"].submission)}
    _imports(batches["errors"])
    paths |= {"export": str(_exports(batches["completed"], ada, grace).pk)}
    _deliveries(key, batches["completed"])
    paths |= webhooks.seed(support, ada, batches["completed"], batches["errors"])
    keyless = make.make_project(
        grace, name="Translations", slug="translations", connection=connection
    )
    paths |= {"keyless": str(make.make_upload(keyless, grace, name="glossary.jsonl").pk)}
    paths |= {"quiet": str(_playground(alan).pk)}
    paths |= {"grace": str(support.memberships.get(user=grace).pk)}
    paths |= _prices(connection, keyless, grace) | _models(support, ada)
    insight = make.make_project(
        ada, role=make.OWNER, name="Customer insight", slug="insight", connection=connection
    )
    make.join(grace, insight)
    paths |= {name: str(row.pk) for name, row in _extremes(insight, ada).items()}
    paths |= {name: str(row.pk) for name, row in _kept(insight, ada).items()}
    paths |= _approvals(connection, ada, grace) | _orders_on_budgets(connection, ada)
    add_history(batches["completed"], [support, insight], [ada, grace])
    paths |= months.seed(batches["completed"])
    paths |= {"budget": str(_budgets(support, insight, grace).pk)}
    used_at = timezone.now() - timedelta(minutes=4)
    ProviderKey.objects.filter(pk=project_key.pk).update(tested_at=used_at, last_used_at=used_at)
    # The page of the project shows only the newest batches, and the running batch polls.
    Batch.objects.filter(pk=batches["running"].pk).update(created_at=timezone.now())
    paths |= scripted.seed(insight, ada)
    paths |= told.seed(support, ada, batches)
    paths |= troubles.seed(ada)
    send_mail("You are invited to Support tickets", "A link", None, ["barbara@example.com"])
    people = {"ada": ada, "grace": grace, "alan": alan, "new": newcomer}
    people |= {"edsger": _broken()}
    return {"paths": paths, "sessions": {name: _session(user) for name, user in people.items()}}


def _prices(connection: Connection, project: Project, user: User) -> dict[str, str]:
    """Create a pattern, an announced, an outcome and an ended price, and a model without one."""
    now = timezone.now()
    pattern = make.make_price(
        connection, "24h", Decimal("0.15"), Decimal("0.60"), model="meta-llama/*"
    )
    higher = UnitPrice(
        input=Decimal("0.18"),
        output=Decimal(0),
        cached_read=Decimal("0.018"),
        write_5m=Decimal("0.225"),
        write_1h=Decimal("0.36"),
        min_prefix_tokens=1024,
    )
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
        "problems": make.finish(order("Tickets of July"), *_problems()),
        "structured": answer_table(project, ada, *_reviews(), key=key, name="Reviews of October"),
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


def _portal_keys(project: Project, owner: User, colleague: User) -> PortalKey:
    """Make keys in every state, and return the key that is being rotated."""
    rotated = make.make_portal_key(owner, project, name="Nightly report")
    authenticate(rotated.secret, "192.0.2.17")
    current = rotated.key.secrets.get().pk
    portal_keys.rotate(rotated.key, owner, hours=24, current=current)
    now = timezone.now()
    make.make_portal_key(owner, project, scope="manage", expires_at=now + timedelta(days=5))
    make.make_portal_key(
        owner,
        project,
        name="Notebook of the migration from the former tool",
        expires_at=now - timedelta(days=5),
        model_names=[make.MODEL],
    )
    make.make_portal_key(colleague, project, scope="submit")
    server = make.make_service_key(project, owner, scope="submit")
    authenticate(server.secret, "2001:db8:85a3:8d3:1319:8a2e:370:7348")
    old = [make.make_portal_key(owner, project, name="Laptop of last year").key]
    old += [make.make_service_key(project, owner, name="Former server").key]
    portal_keys.revoke(old, owner)
    return rotated.key


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


def _exports(batch: Batch, ada: User, grace: User) -> Export:
    """Store an export of ``batch`` in each state, and return the one whose file is there."""
    ready = make_export(batch, ada)
    make_export(batch, grace, "parquet")
    expired = {"status": Export.Status.EXPIRED, **Export.NO_FILE}
    make_export(batch, grace, "xlsx", **expired)
    problem = Problem(ProblemCode.EXPORT_NOT_WRITTEN, {"reason": "No space left"})
    make_export(batch, ada, "raw", **expired | {"status": Export.Status.FAILED}, problem=problem)
    states = {"status": Export.Status.WRITING, "rows": 34_000, "total": 126_000}
    Export.objects.filter(pk=ready.pk).update(created_at=timezone.now() - timedelta(hours=3))
    make_export(batch, ada, "joined", **(expired | states))
    return ready


def _reused(project: Project, user: User) -> dict[str, Batch | Upload]:
    """Create a grown file with an offer, and the batch of what was new in it."""
    key = project.provider_keys.get()
    words = [f"Review {number}: the box was open." for number in range(1, 13)]
    first = reuse.checked_upload(project, reuse.question_file(words))
    reuse.run(first, key=key, name="Reviews, week 48")
    content = reuse.question_file(["Review 0: it was late.", *words, "Thank you!", "Thank you!"])
    grown = reuse.checked_upload(project, content, "reviews-week-49.jsonl")
    choice = ReuseChoice(keep=True, once=True)
    reduced = reuse.reduced_upload(grown, choice, user)
    return {"grown": grown, "reused": reuse.run(reduced, key=key, name="Reviews, week 49")}


def _shared_prompts(project: Project) -> dict[str, Upload]:
    """Create a file whose requests share a prompt, and two with markers of the cache."""
    for price in project.connection.prices.filter(model=make.MODEL):
        tenth, quarter = price.input_usd / 10, price.input_usd / 4
        price.unit_price = msgspec.structs.replace(
            price.unit_price, cached_read=tenth, write_5m=price.input_usd + quarter
        )
        price.save()
    rules = {"type": "text", "text": f"{QUESTIONS} " * 90}
    marker = {"cache_control": {"type": "ephemeral"}}
    uploads = {}
    for name, block, fields in [
        ("shared", rules, {}),
        ("marked", rules | marker, {}),
        ("costly", rules, marker),
    ]:
        content = b"".join(
            reuse.request_line(
                f"ticket-{number}",
                "",
                messages=[
                    {"role": "system", "content": [block]},
                    {"role": "user", "content": f"Ticket {number}: {QUESTIONS}"},
                ],
                **fields,
            )
            for number in range(1, 201)
        )
        upload = reuse.checked_upload(project, content, f"tickets-{name}.jsonl")
        report = check([content], Limits(max_bytes=10**9))  # as for Doubleword's own address
        Upload.objects.filter(pk=upload.pk).update(report_fields=msgspec.to_builtins(report))
        uploads[name] = upload
    return uploads


def _retries(project: Project, user: User) -> dict[str, Batch | Upload]:
    """Create a batch with a retry, and a second retry file that is being written."""
    key = project.provider_keys.get()
    upload = make.make_upload(project, user, name="tickets-august.jsonl", content=_large())
    batch = make.make_batch(project, user, upload=upload, key=key, name="Tickets of August")
    cut = [line.replace(b'"stop"', b'"length"') for line in _answers(281, 290)]
    errors = [make.error_line(n) for n in range(291, 297)]
    batch = make.finish(batch, [*_answers(1, 280), *cut], errors)

    def request(*outcomes: Outcome) -> Upload:
        choice = Selection(frozenset(outcomes), max_tokens_factor=2)
        return retry_file.request_retry_file(batch, user, choice, submission=uuid.uuid4())

    retry_upload, writing = (
        request(Outcome.PROVIDER_ERROR, Outcome.MISSING),
        request(Outcome.TRUNCATED),
    )
    retry_file.write_retry_file(retry_upload)
    upload_intake.check_upload(retry_upload)
    Upload.objects.filter(pk=writing.pk).update(lines_checked=8)
    retry = make.make_batch(
        project, user, upload=retry_upload, key=key, name="Tickets of August, again"
    )
    retry = make.finish(retry, _answers(291, 298), [make.error_line(299)])
    return {"retried": batch, "retry": retry, "retry_file": retry_upload, "retry_begun": writing}


def _budgets(support: Project, insight: Project, person: User) -> Budget:
    """Set budgets that are half used, nearly used and exceeded."""
    used = sum((part.use.total for part in _parts(support)), Decimal(0))
    budget = make.make_budget(support, (used * 2).quantize(Decimal(1)) + 5)
    own = sum((part.use.total for part in _parts(support) if part.person_id == person.pk), used)
    make.make_budget(support, own * Decimal("1.1"), person, when_over=Budget.Over.TELL)
    script = PortalKey.objects.filter(project=support).earliest("created_at")
    make.make_budget(support, 25, script, when_over=Budget.Over.APPROVAL)
    make.make_budget(support, 400, "Qwen/Qwen3-235B-A22B-Instruct-2507", alert_levels=[100])
    used = sum((part.use.total for part in _parts(insight)), Decimal(0))
    make.make_budget(insight, used / 2, when_over=Budget.Over.TELL)
    return budget


def _parts(project: Project) -> list[Part]:
    return Reservation.objects.parts(project, month_of())


def _approvals(connection: Connection, ada: User, grace: User) -> dict[str, str]:
    """Create batches that wait for approval, or waited, in a project that asks for it."""
    project = make.make_project(
        ada,
        role=make.OWNER,
        name="Product research",
        slug="research",
        connection=connection,
        approval_above_usd=Decimal("0.001"),
        approval_if_unbounded=True,
    )
    make.join(grace, project)
    key = make.make_key(project)
    ask = [QUESTION]
    lines = [
        make.request_line(number, body={"model": make.MODEL, "messages": ask})
        for number in range(400)
    ]
    unbounded = make.make_upload(
        project, grace, name="interviews.jsonl", content="\n".join(lines).encode()
    )
    limited = make.make_upload(
        project, grace, name="survey-2026.jsonl", content=make.request_file(900)
    )

    def waiting(user: User, upload: Upload, name: str) -> ApprovalRequest:
        batch = make.make_batch(project, user, upload=upload, key=key, name=name)
        return ApprovalRequest.objects.get(batch=batch)

    asked = waiting(grace, unbounded, "Interviews of November, by topic and tone")
    dearer = waiting(grace, limited, "Survey of 2026")
    ApprovalRequest.objects.filter(pk=dearer.pk).update(
        price_tag="before",
        expected_usd=Decimal("0.0042"),
        most_usd=Decimal("0.01"),
        reasons=[reason | {"amount": "0.0042"} for reason in dearer.reasons],
    )
    own = waiting(ada, limited, "Survey of 2026, in French")
    denied = waiting(grace, limited, "Survey of 2026, twice")
    decisions.deny(denied, ada, note="We have these answers: see Survey of 2026.")
    withdrawn = waiting(grace, limited, 20 * "Long name ")
    controls.request_cancel(withdrawn.batch, grace)
    approved = waiting(grace, limited, "Survey of 2025")
    tag = approved.price_tag
    order_approval.approve(approved, ada, shown_prices=tag, note="For the report of the board.")
    ProviderBatch.objects.filter(batch=approved.batch).update(next_check_at=None)
    expired = waiting(grace, limited, "Survey of 2024")
    with transaction.atomic():
        expired.close(ApprovalRequest.State.EXPIRED)
    used = sum((part.use.total for part in _parts(project)), Decimal(0))
    make.make_budget(project, used * Decimal("0.9"), when_over=Budget.Over.APPROVAL)
    make.make_budget(project, used * 2, grace)
    return {
        "withdrawn": str(withdrawn.pk),
        "approved": str(approved.pk),
        "expired_approval": str(expired.pk),
        "asked": str(asked.pk),
        "dearer": str(dearer.pk),
        "own_asked": str(own.pk),
        "denied": str(denied.pk),
        "research_file": str(limited.pk),
        "research_key": str(key.pk),
    }


def _orders_on_budgets(connection: Connection, owner: User) -> dict[str, str]:
    """Create a project where an order goes over its budget, and one where little is left."""
    paths = {}
    for name, share in (("over", Decimal("0.4")), ("nearly", Decimal("1.03"))):
        project = make.make_project(
            owner,
            role=make.OWNER,
            name=f"Field notes, {name}",
            slug=f"notes-{name}",
            connection=connection,
        )
        key = make.make_key(project)
        upload = make.make_upload(project, owner, content=make.request_file(900))
        batch = make.make_batch(project, owner, upload=upload, key=key)
        reserved = batch.reservations.get().reserved_usd or Decimal(0)
        batch.delete()
        make.make_budget(project, reserved * share)
        make.make_budget(project, reserved * 3, owner, when_over=Budget.Over.APPROVAL)
        make.make_budget(project, reserved * share * 2, make.MODEL, when_over=Budget.Over.TELL)
        paths |= {f"{name}_file": str(upload.pk), f"{name}_key": str(key.pk)}
    return paths


def _kept(project: Project, user: User) -> dict[str, Batch | Upload]:
    """Create batches that are old enough to be deleted: one that was, and one on hold."""
    key = make.make_key(project)
    retention.set_rule(project, user, 30)
    names = {"purged": "Survey of spring", "held": "Survey of summer", "old": "Survey of autumn"}
    batches = {
        name: make.finish(
            make.make_batch(
                project, user, upload=make.make_upload(project, user), key=key, name=title
            ),
            [make.answer_line(1), make.answer_line(2)],
            [make.error_line(3)],
        )
        for name, title in names.items()
    }
    ago = timezone.now() - timedelta(days=20)
    Batch.objects.filter(pk__in=[batch.pk for batch in batches.values()]).update(finished_at=ago)
    purge.purge_now(batches["purged"], user)
    purge.hold(batches["held"], user)
    return batches | {"purged_file": batches["purged"].upload}


def _labels(project: Project, user: User) -> None:
    """Give some batches tags and a cost centre, and save two views of them."""
    labels = [
        Labels(("urgent",), "CC 4711"),
        Labels(("customers", "north", "quarter-4"), "CC 4711"),
        Labels(("a-very-long-tag-of-nearly-forty-letters",), ""),
    ]
    for batch, given in zip(project.batches.order_by("created_at")[:3], labels, strict=True):
        batch_labels.set_labels(batch, user, given)
    late = {"status": "late"}
    saved_views.save_view(user, project, "Late ones", late, is_shared=True)
    saved_views.save_view(user, project, "Urgent", {"tag": "urgent"})


def _playground(user: User) -> Batch:
    """Create a person with one running batch, at a sandbox that has others of the same key."""
    url = os.environ["SANDBOX_URL"]
    sandbox = make.make_connection(name="Sandbox", is_sandbox=True, base_url=url)
    project = make.make_project(user, name="Playground", slug="playground", connection=sandbox)
    batch = make.make_batch(project, user, name="First steps")
    make.set_state(batch, status=ProviderBatch.Status.RUNNING, completed=1)
    portal_key = make.make_portal_key(user, project, scope="submit").key
    name = "batch-with-a-name-that-is-much-longer-than-its-column, 3 requests"
    by_script = make.make_batch(project, user, name=name, portal_key=portal_key)
    make.set_state(
        by_script,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        problem=NO_CREDIT,
        next_check_at=None,
    )
    headers = {"Authorization": f"Bearer {batch.key.secret()}"}
    with httpx.Client(
        base_url=f"{url}/v1", headers=headers, trust_env=False, timeout=60
    ) as provider:
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


def _problems() -> tuple[list[bytes], list[bytes]]:
    """Return the results and errors of a batch with a group of each kind."""
    endings = {"length": range(201, 226), "content_filter": range(226, 228)}
    answers = _answers(1, 200)
    for reason, lines in endings.items():
        marked = f'"{reason}"'.encode()
        found = _answers(lines[0], lines[-1])
        answers += [line.replace(b'"stop"', marked) for line in found]
    errors = [
        *(make.error_line(n, f"Request {n} timed out after {n} s") for n in range(228, 240)),
        *(make.error_line(n, "The model is overloaded") for n in range(240, 246)),
        *(
            _refused_line(
                n, f"Error fetching image https://img.example/{n}.png: HTTP 403 Forbidden"
            )
            for n in range(246, 270)
        ),
        *(
            _refused_line(
                n, f"This model's maximum context length is 8192 tokens, but you sent {8_000 + n}"
            )
            for n in range(270, 290)
        ),
        *(_refused_line(n, "Ein Fehler ist aufgetreten.") for n in range(290, 296)),
    ]
    return answers, errors


def _refused_line(number: int, message: str) -> bytes:
    """Return the error line of a request that the model refused with HTTP 400."""
    details = {"status": 400, "body": json.dumps({"error": {"message": message}})}
    error = json.dumps({"type": "NonRetriableHttpStatus", "details": details})
    return make.error_line(number, error)


def _reviews() -> tuple[str, str, list[str | None]]:
    """Return a table of reviews, a prompt, and answers in JSON of which some are not usable."""
    products, words = ["kettle", "office chair", "rucksack", "lamp"], ["late", "broken", "fine"]
    rows, answers = ["product,stars,review"], list[str | None]()
    for n in range(1, 121):
        product, word = products[n * n % 4], words[n * 7 % 3]
        rows.append(f"{product},{n % 5 + 1},It was {word} and I am not sure what to think. {n}")
        fields = {
            "sentiment": word,
            "score": n * 37 % 100 / 10,
            "reason": f"They say {word}, {n}.",
        }
        text = json.dumps(fields | {"urgent": n % 7 == 0})
        answers.append(
            None if n % 40 == 0 else "I'm sorry, I cannot judge." if n % 17 == 0 else text
        )
    return "\n".join(rows), "Judge this review of a {product}: {review}", answers


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


def _addresses(person: User) -> dict[str, str]:
    """Return the keys of links that prove the address of an account, and another of ``person``."""
    nell = User.objects.create_user(
        "nell@example.com", "a longer secret", is_verified=False, first_name="Nell"
    )
    another = EmailAddress.objects.create(user=person, email="turing@example.com")
    own = EmailAddress.objects.get(user=nell)
    return {
        "unproven": EmailConfirmationHMAC(own).key,
        "another_address": EmailConfirmationHMAC(another).key,
    }


def _invitations(support: Project, ada: User, grace: User) -> str:
    """Invite people in every state; return the token of a link that still counts."""
    mailed, _ = invitations.invite_to_project(
        support, ada, role=make.EDITOR, email="barbara.liskov@example.com", days=7
    )
    invitations.mark_mailed(mailed, ada)
    expired, _ = invitations.invite_to_project(
        support, ada, role=make.VIEWER, email="john@example.com", days=1
    )
    Invitation.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    release_notes = Project.objects.get(slug="empty")
    invitations.invite_to_project(release_notes, ada, role=make.EDITOR, email=grace.email, days=30)
    invitations.invite_to_portal(ada, email="", days=7)
    _, token = invitations.invite_to_project(support, ada, role=make.EDITOR, email="", days=30)
    return token


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    for session_key, user_agent in ((key, FIREFOX), (_other_session(user), PHONE)):
        UserSession.objects.create(
            user=user, session_key=session_key, ip="192.0.2.7", user_agent=user_agent
        )
    return key


def _other_session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


if __name__ == "__main__":
    sys.stdout.write(json.dumps(seed()))
