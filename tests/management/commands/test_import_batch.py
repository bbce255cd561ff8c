"""Bringing batches in from a script, from a provider that is really there."""

import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from batchapp.management.commands import import_batch
from batchapp.models import (
    Batch,
    BatchImport,
    LeasedRow,
    Project,
    ProviderBatch,
    ProviderKey,
    ResultChunk,
    Upload,
)
from batchapp.sandbox.settings import Settings
from batchapp.services.results import browse
from tests.make import OWNER, make_connection, make_key, make_price, make_project, make_user
from tests.sandbox.api_client import CHAT_MODEL, Api, client, lines
from tests.sandbox.processes import sandbox_thread
from tests.steps import advance, faster_worker, finish_claimed

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with sandbox_thread(Settings(data=tmp_path, speed=200)) as url:
        yield url


@pytest.fixture
def project(url: str) -> Project:
    connection = make_connection(base_url=url, poll_seconds=1)
    make_price(connection, "24h", Decimal(1), Decimal(2), model=CHAT_MODEL)
    return make_project(make_user("ada@example.com"), role=OWNER, connection=connection)


@pytest.fixture
def key(project: Project) -> ProviderKey:
    return make_key(project, secret=f"sk-{uuid.uuid4().hex}")


@pytest.fixture
def api(url: str, key: ProviderKey) -> Iterator[Api]:
    with client(url, key.secret()) as http:
        yield Api(http)


def adopt(project: Project, *ids: str, **options: str) -> list[str]:
    """The addresses that are printed."""
    out = StringIO()
    call_command(
        "import_batch", *ids, project=project.slug, stdout=out, stderr=StringIO(), **options
    )
    return out.getvalue().split()


def follow(batch: Batch) -> Batch:
    deadline = time.monotonic() + 60
    while (
        batch.provider_batches.exclude(status__in=ProviderBatch.OVER)
        and time.monotonic() < deadline
    ):
        provider_batch = batch.provider_batches.get()
        advance(provider_batch)
    advance(batch)
    batch.refresh_from_db()
    return batch


def test_batches_of_a_script_are_followed_to_the_end_and_paid_once(
    project: Project, key: ProviderKey, api: Api
) -> None:
    over = api.finished(lines(4), metadata={"team": "b"})
    begun = api.batch(lines(20))

    addresses = adopt(project, over["id"], begun["id"])
    batches = [follow(each) for each in Batch.objects.order_by("requests")]

    assert [address.split("/batches/")[1] for address in addresses] == [
        f"{batch.pk}/" for batch in batches
    ]
    assert [batch.succeeded for batch in batches] == [4, 20]
    assert all(batch.is_accounted_for and batch.actual_cost_usd for batch in batches)
    stored = browse.download(batches[1], batches[1].created_by, ResultChunk.Kind.OUTPUT)
    assert len(b"".join(stored).splitlines()) == 20
    paid = api.http.get("/_sandbox/ledger").json()
    assert {each["id"] for each in paid["batches"]} == {over["id"], begun["id"]}
    assert paid["total"]["paid"] == 2


@pytest.mark.parametrize("model", [BatchImport, Upload])
def test_an_import_that_a_worker_took_first_is_waited_for(
    project: Project,
    key: ProviderKey,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    model: type[LeasedRow],
) -> None:
    remote = api.finished(lines(2))["id"]
    with faster_worker(model) as claimed:
        monkeypatch.setattr(import_batch, "CHECK_EVERY", 0)
        really_sleep = time.sleep

        def sleep(seconds: float) -> None:
            finish_claimed(claimed) if not seconds else really_sleep(seconds)

        monkeypatch.setattr(time, "sleep", sleep)
        (address,) = adopt(project, remote)

    assert not claimed
    assert address.endswith(Batch.objects.get().get_absolute_url())


def test_what_the_provider_does_not_know_is_told_and_the_others_come_in(
    project: Project, key: ProviderKey, api: Api
) -> None:
    known, unknown = api.finished(lines(1))["id"], str(uuid.uuid4())

    with pytest.raises(CommandError, match=f"{unknown}: .*knows no batch"):
        adopt(project, unknown, known)

    assert Batch.objects.get().provider_batches.get().remote_id == known


def test_a_file_with_twins_is_refused_with_what_can_be_done(
    project: Project, key: ProviderKey, api: Api
) -> None:
    twins = api.finished(f"{lines(1)}\n{lines(1)}")["id"]

    with pytest.raises(CommandError, match=r"same custom_id.*correct the copy"):
        adopt(project, twins)

    assert project.uploads.get().name == "in.jsonl"


def test_what_is_here_already_is_told(project: Project, key: ProviderKey, api: Api) -> None:
    remote = api.finished(lines(1))["id"]
    adopt(project, remote)

    with pytest.raises(CommandError, match="in the portal already"):
        adopt(project, remote)

    assert BatchImport.objects.count() == Batch.objects.count() == 1


def test_a_key_is_named_by_its_name_or_its_end(
    project: Project, key: ProviderKey, api: Api
) -> None:
    make_key(project)
    remote = api.finished(lines(1))["id"]

    with pytest.raises(CommandError, match="has a provider key 'nothing'"):
        adopt(project, remote, key="nothing")
    adopt(project, remote, key=key.last_four)

    assert Batch.objects.get().key == key
