"""What a kind of provider lacks is not asked of it, and what it promises is used; over HTTP."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from batchapp.models import Batch, KeyPoll, ProviderBatch
from batchapp.presenters.problem_text import problem_text
from batchapp.providers import kinds
from batchapp.providers.base import Capabilities
from batchapp.providers.http import Exchange
from batchapp.providers.openai import OpenAIProvider
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.services.lifecycle import controls
from tests.make import make_batch, make_connection, make_key, make_project
from tests.odd_provider import OddProvider, odd_provider
from tests.steps import advance, run_step, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
CREATE, LIST = "POST batches", "GET batches"


class CarefulProvider(OpenAIProvider):
    """Sends the token of each batch, so that a repeated create makes no second batch."""

    def create_batch(
        self, file_id: str, *, endpoint: str, window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        body = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": window}
        return self._exchange.request(
            "creating the batch",
            "POST",
            "batches",
            RemoteBatch.from_json,
            is_create=True,
            json=body | {"metadata": dict(metadata)},
            headers={"Idempotency-Key": "-".join(metadata.values())},
        )


@pytest.fixture
def provider() -> Iterator[OddProvider]:
    with odd_provider() as provider:
        yield provider


Order = Callable[..., ProviderBatch]


@pytest.fixture
def order(provider: OddProvider, monkeypatch: pytest.MonkeyPatch) -> Order:
    """Orders three requests at a provider of a kind with the given capabilities."""

    def order(
        client: Callable[[Exchange], OpenAIProvider] = OpenAIProvider, **capabilities: Any
    ) -> ProviderBatch:
        offered = replace(Capabilities(), **capabilities)
        monkeypatch.setitem(kinds.KINDS, "new", kinds.Kind("new", "New", offered, client))
        connection = make_connection(
            base_url=provider.url, kind="new", poll_seconds=1, create_grace_seconds=0
        )
        project = make_project(connection=connection)
        batch = make_batch(project, key=make_key(project))
        return run_step(batch.provider_batches.get())  # it is prepared

    return order


def lose_first_reply(provider: OddProvider) -> None:
    """Let the first create be carried out, and its reply be a failure of a proxy."""
    provider.after = lambda call: (
        (502, {"message": "bad gateway"})
        if call == CREATE and provider.count(CREATE) == 1
        else None
    )


def test_a_lost_create_is_repeated_at_once_where_that_makes_no_second_batch(
    provider: OddProvider, order: Order
) -> None:
    provider.has_idempotency = True
    lose_first_reply(provider)

    batch = run_steps(order(CarefulProvider, idempotency=True))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert (provider.count(CREATE), len(provider.batches)) == (2, 1)
    assert provider.count(LIST) == 0
    assert not batch.provider_batches.get().may_have_duplicate


def test_a_lost_create_is_searched_for_where_batches_are_listed(
    provider: OddProvider, order: Order
) -> None:
    lose_first_reply(provider)

    batch = run_steps(order())

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert (provider.count(CREATE), len(provider.batches)) == (1, 1)
    assert provider.count(LIST) > 0


def test_a_lost_create_asks_a_person_where_it_can_neither_be_found_nor_repeated(
    provider: OddProvider, order: Order
) -> None:
    lose_first_reply(provider)
    waiting = order(list=False)
    for _ in range(3):
        stopped = run_step(waiting)

    assert stopped.parked_reason == Parked.NEEDS_ATTENTION
    assert "names a batch that can be followed" in problem_text(stopped.problem)
    assert (provider.count(CREATE), provider.count(LIST)) == (1, 0)
    controls.try_again(stopped.batch, stopped.batch.created_by)
    assert run_steps(stopped).succeeded == 3
    assert (provider.count(CREATE), provider.count(LIST)) == (2, 0)


def test_a_refused_create_is_no_doubt_where_batches_cannot_be_found(
    provider: OddProvider, order: Order
) -> None:
    provider.refuse = lambda call: (
        (429, {"error": {"message": "Too many batches in progress."}})
        if call == CREATE and provider.count(CREATE) == 1
        else None
    )

    batch = run_steps(order(list=False))

    assert (batch.succeeded, provider.count(CREATE)) == (3, 2)


@pytest.mark.parametrize("has_list", [True, False])
def test_the_batches_of_a_key_are_polled_by_a_list_only_where_there_is_one(
    provider: OddProvider, order: Order, has_list: bool
) -> None:
    provider.runs_on = True
    sent = run_step(order(list=has_list))

    advance(KeyPoll.objects.get(key=sent.batch.key))

    assert provider.count(LIST) == has_list
    provider.runs_on = False
    batch = run_steps(sent)
    assert batch.succeeded == 3


@pytest.mark.parametrize("may_lack_room", [True, False])
def test_only_a_provider_with_limits_after_the_create_is_sent_the_batch_again(
    provider: OddProvider, order: Order, may_lack_room: bool
) -> None:
    full = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
    counts = {"total": 0, "completed": 0, "failed": 0}
    provider.end = lambda _requests: (
        {"status": "failed", "errors": [full], "request_counts": counts}
        if len(provider.batches) == 1
        else None
    )

    batch = run_steps(order(enqueued_limits=may_lack_room))

    assert batch.succeeded == (3 if may_lack_room else 0)
    assert provider.count(CREATE) == 1 + may_lack_room
