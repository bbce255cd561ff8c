"""The way of a batch that needs approval, from the order to its cost."""

import json
import threading
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from batchapp.models import Batch, Project, User
from batchapp.sandbox.settings import Settings
from batchapp.services.approvals import decisions
from batchapp.services.orders import order_approval
from tests.html import page_of
from tests.make import (
    EDITOR,
    OWNER,
    SANDBOX_MODEL,
    ask_approval,
    join,
    make_connection,
    make_key,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_file,
)
from tests.ordering import order_form, step, submit
from tests.sandbox.processes import sandbox_thread
from tests.steps import run_steps

REQUESTS = 5


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project at a sandbox in which each batch that costs anything needs approval."""
    with sandbox_thread(Settings(data=tmp_path, speed=100.0)) as url:
        provider = make_connection(base_url=url, poll_seconds=1, create_grace_seconds=0)
        for window in ("24h", "1h"):
            make_price(provider, window, 1000, 2000, model=SANDBOX_MODEL)
        yield make_project(connection=provider, approval_above_usd=0)


@pytest.mark.django_db
def test_an_editor_orders_above_the_amount_an_owner_approves_and_it_is_paid_once(
    client: Client, project: Project
) -> None:
    editor, owner = join(make_user(), project, EDITOR), join(make_user(), project, OWNER)
    upload = make_upload(project, editor, content=request_file(REQUESTS, model=SANDBOX_MODEL))
    key = make_key(project, secret="sk-approved-000001")

    client.force_login(editor)
    review = page_of(client, step(upload, "review", window="24h", key=key.pk))
    submit(client, upload, order_form(review))
    batch = Batch.objects.get()
    assert batch.status == Batch.Status.AWAITING_APPROVAL

    client.force_login(owner)
    url = reverse("batch_approval", args=[batch.pk])
    form = page_of(client, url).one("form.card").values | {"decision": "approve"}
    client.post(url, form)
    client.post(url, form)

    batch = finished(batch)
    assert batch.status == Batch.Status.COMPLETED
    assert batch.succeeded == REQUESTS
    assert batch.provider_batches.count() == 1
    cost = batch.model_costs.get()
    assert batch.actual_cost_usd == cost.cost_usd
    assert cost.unit_price
    assert cost.unit_price.input == 1000
    kinds = list(batch.events.values_list("kind", flat=True))
    assert kinds.index("approval_asked") < kinds.index("approved") < kinds.index("accepted")
    assert kinds.count("accepted") == 1


def finished(batch: Batch) -> Batch:
    """Let workers run the batch to its end."""
    deadline = time.monotonic() + 60
    while not Batch.objects.get(pk=batch.pk).is_over:
        run_steps(batch.provider_batches.get())
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return Batch.objects.get(pk=batch.pk)


@pytest.mark.django_db
def test_a_script_is_told_what_it_waits_for_and_by_whom_it_can_be_approved(
    project: Project, tmp_path: Path
) -> None:
    join(make_user("editor@example.com"), project, EDITOR)
    join(make_user("owner@example.com"), project, OWNER)
    make_key(project)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file(model=SANDBOX_MODEL))
    out, err = StringIO(), StringIO()

    call_command(
        "run",
        str(path),
        project=project.slug,
        user="editor@example.com",
        json=True,
        stdout=out,
        stderr=err,
    )

    facts = json.loads(out.getvalue())
    assert facts["state"] == facts["status"] == "awaiting_approval"
    approval = facts["approval"]
    assert approval["state"] == "pending"
    assert [row["reason"] for row in approval["reasons"]] == ["above_amount"]
    assert approval["approvers"] == ["owner@example.com"]
    assert approval["url"].endswith(f"/batches/{facts['batch']}/approval/")
    assert "waits for approval until" in err.getvalue()
    assert "owner@example.com may approve it" in err.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_script_that_waits_ends_with_the_note_of_a_denial(
    project: Project, tmp_path: Path
) -> None:
    editor = join(make_user("editor@example.com"), project, EDITOR)
    owner = join(make_user(), project, OWNER)
    make_key(project)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(request_file(model=SANDBOX_MODEL))
    worker = threading.Thread(target=deny_first, args=[owner])
    worker.start()
    options: dict[str, Any] = {"project": project.slug, "user": editor.email, "wait": True}

    with pytest.raises(CommandError, match=r"Denied by .*: Too dear"):
        call_command(
            "run",
            str(path),
            output_dir=tmp_path / "out",
            stdout=StringIO(),
            stderr=StringIO(),
            **options,
        )
    worker.join()


def deny_first(owner: User) -> None:
    """Deny the batch as soon as it waits, and let workers end it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        batch = Batch.objects.filter(status=Batch.Status.AWAITING_APPROVAL).first()
        if batch:
            decisions.deny(batch.approval, owner, note="Too dear.")
            finished(batch)
            break
        time.sleep(0.05)
    connection.close()


@pytest.mark.django_db
def test_a_denied_batch_can_be_retried_which_asks_again(client: Client, project: Project) -> None:
    editor, owner = join(make_user(), project, EDITOR), join(make_user(), project, OWNER)
    upload = make_upload(project, editor, content=request_file(REQUESTS, model=SANDBOX_MODEL))
    request = ask_approval(project, editor, upload=upload)
    decisions.deny(request, owner, note="Later.")
    batch = finished(request.batch)

    client.force_login(editor)
    page = page_of(client, batch.get_absolute_url())

    assert batch.cancelled == REQUESTS
    assert page.all("#retry")


@pytest.mark.django_db
def test_a_script_that_was_ended_while_its_batch_waited_goes_on_with_it(
    client: Client, project: Project, tmp_path: Path
) -> None:
    editor, owner = join(make_user(), project, EDITOR), join(make_user(), project, OWNER)
    upload = make_upload(project, editor, content=request_file(REQUESTS, model=SANDBOX_MODEL))
    key = make_key(project, secret="sk-approved-000002")
    request = ask_approval(project, editor, upload=upload, key=key)
    order_approval.approve(request, owner, shown_prices=request.price_tag)
    finished(Batch.objects.get())
    out, options = StringIO(), {"project": project.slug, "user": editor.email, "json": True}

    call_command(
        "run",
        batch=str(request.pk),
        wait=True,
        output_dir=tmp_path / "out",
        stdout=out,
        stderr=StringIO(),
        **options,
    )

    facts = json.loads(out.getvalue())
    assert facts["batch"] == str(request.pk)
    assert facts["approval"]["state"] == "approved"
    assert facts["approval"]["decided_by"] == owner.email
    assert Batch.objects.count() == 1
    assert (tmp_path / "out/output.jsonl").read_bytes().count(b"\n") == REQUESTS
    for wrong in ({}, {"file": "a.jsonl", "batch": str(request.pk)}):
        with pytest.raises(CommandError, match="either FILE or --batch"):
            call_command("run", stderr=StringIO(), **options, **wrong)
