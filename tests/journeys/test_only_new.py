"""A table that grew runs what is new in it alone, at a provider that charges for every answer."""

import json
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Project, ProviderBatch, SourceTable, Upload, User
from batchapp.sandbox.settings import Settings
from batchapp.services.results import merge
from batchapp.services.tables import requests_from_table
from batchapp.templatetags.words import usd
from tests.html import page_of
from tests.make import (
    SANDBOX_MODEL,
    make_batch,
    make_connection,
    make_key,
    make_price,
    make_project,
    make_table,
)
from tests.sandbox.processes import sandbox_thread
from tests.steps import advance

pytestmark = pytest.mark.django_db

SECRET = "sk-only-new-000001"
FIRST = [("a-1", "The kettle is late"), ("a-2", "Broken on arrival"), ("a-3", "Great colour")]
GROWN = [FIRST[0], ("a-2", "Broken, and no refund"), FIRST[2], ("a-4", "Too loud"), ("a-5", "Ok")]
PROMPT = PromptSettings(
    model=SANDBOX_MODEL, prompt="Judge: {text}", id_column="id", max_tokens=4_000, temperature=0
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with sandbox_thread(Settings(data=tmp_path, speed=200.0)) as url:
        yield url


@pytest.fixture
def project(url: str, user: User) -> Project:
    connection = make_connection(base_url=url, poll_seconds=1, create_grace_seconds=0)
    make_price(connection, "24h", Decimal(1), Decimal(2), SANDBOX_MODEL)
    return make_project(user, connection=connection)


def file_of(project: Project, user: User, rows: list[tuple[str, str]]) -> Upload:
    """Upload a table, and let a worker make a file of requests of it and check that."""
    content = "id,text\n" + "".join(f'{name},"{text}"\n' for name, text in rows)
    table = make_table(project, user, content=content, prompt_settings=PROMPT)
    requests_from_table.request_file(table, user)
    advance(SourceTable.objects.get(pk=table.pk))
    upload = SourceTable.objects.get(pk=table.pk).uploads.get()
    advance(upload)
    return Upload.objects.get(pk=upload.pk)


def run(upload: Upload, user: User) -> Batch:
    key = make_key(upload.project, secret=SECRET)
    batch = make_batch(upload.project, user, upload=upload, key=key)
    deadline = time.monotonic() + 60
    while unfinished := batch.provider_batches.exclude(status__in=ProviderBatch.OVER).first():
        assert time.monotonic() < deadline, unfinished.status
        ProviderBatch.objects.filter(pk=unfinished.pk).update(next_check_at=timezone.now())
        advance(unfinished)
        time.sleep(0.02)
    advance(batch)
    return Batch.objects.get(pk=batch.pk)


def answers(batch: Batch, user: User) -> dict[str, Any]:
    lines = map(json.loads, b"".join(merge.download(batch, user)).splitlines())
    return {line["custom_id"]: line["response"]["body"]["choices"] for line in lines}


def answered_at(url: str) -> int:
    headers = {"Authorization": f"Bearer {SECRET}"}
    ledger = httpx.get(f"{url}/_sandbox/ledger", headers=headers, timeout=60).json()
    return int(ledger["total"]["completed"])


def test_only_what_is_new_is_sent_and_paid_and_the_result_is_that_of_running_everything(
    browser: Client, project: Project, user: User, url: str
) -> None:
    first = run(file_of(project, user, FIRST), user)
    assert (first.status, answered_at(url)) == (Batch.Status.COMPLETED, 3)

    grown = file_of(project, user, GROWN)
    card = page_of(browser, grown.get_absolute_url()).one("#reuse")
    assert "Keep 2 answers, and run 3 new or changed requests" in card.text
    assert browser.post(
        reverse("file_reuse", args=[grown.pk]), {"submission": uuid.uuid4(), "keep": "on"}
    )
    reduced = Upload.objects.get(made_from=grown)
    advance(reduced)
    batch = run(Upload.objects.get(pk=reduced.pk), user)
    assert (batch.status, batch.requests, batch.reused) == (Batch.Status.COMPLETED, 3, 2)
    assert answered_at(url) == 6

    whole = run(grown, user)

    assert answered_at(url) == 11
    assert list(answers(batch, user)) == [name for name, _ in GROWN]
    assert answers(batch, user) == answers(whole, user)
    kept = batch.results.filter(outcome="reused").values_list("custom_id", flat=True)
    kept_results = whole.results.filter(custom_id__in=list(kept))
    tokens = kept_results.aggregate(input=Sum("input_tokens"), output=Sum("output_tokens"))
    assert batch.input_tokens == whole.input_tokens - tokens["input"]
    assert batch.output_tokens == whole.output_tokens - tokens["output"]
    paid = Decimal(batch.input_tokens + 2 * batch.output_tokens) / 1_000_000
    assert batch.actual_cost_usd == paid
    page = page_of(browser, batch.get_absolute_url())
    assert "2 answers are kept." in page.one("#reused").text
    assert usd(paid) in page.text
