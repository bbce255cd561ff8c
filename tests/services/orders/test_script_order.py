"""A script that sends the same order twice, or at once, pays once; another order is another."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Batch, IdempotencyKey, PortalKey, Project, User
from batchapp.services.orders.script_order import ScriptOrder, place_script_order
from tests.fixtures import Clock
from tests.make import MODEL, make_key, make_portal_key, make_upload, request_file

CHAT = "/v1/chat/completions"


def script(user: User, project: Project, **fields: Any) -> User:
    """Return ``user`` as acting by a new portal key that submits."""
    key = make_portal_key(user, project, scope="submit", **fields).key
    acting = User.objects.get(pk=user.pk)
    acting.portal_key = PortalKey.objects.select_related("project__connection").get(pk=key.pk)
    return acting


@pytest.fixture
def by_script(user: User, project: Project) -> User:
    make_key(project)
    return script(user, project)


@pytest.fixture
def order(user: User, project: Project) -> ScriptOrder:
    return ScriptOrder(make_upload(project, user), CHAT, "24h", {"job": "nightly"})


def code_of(call: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.code


@pytest.mark.django_db
def test_a_script_orders_on_the_key_of_the_project_and_its_metadata_is_kept(
    by_script: User, order: ScriptOrder, project: Project, user: User
) -> None:
    of_project = make_key(project)
    make_key(user, project.connection)

    batch = place_script_order(by_script, order)

    batch.refresh_from_db()
    assert (batch.key, batch.portal_key) == (of_project, by_script.portal_key)
    assert batch.metadata == {"job": "nightly"}
    assert batch.endpoint == CHAT


@pytest.mark.django_db
def test_the_same_order_within_minutes_is_the_first_batch_and_any_other_is_a_new_one(
    by_script: User, order: ScriptOrder, project: Project, user: User, clock: Clock
) -> None:
    same_bytes = replace(order, upload=make_upload(project, user, name="again.jsonl"))
    other_bytes = replace(order, upload=make_upload(project, user, content=request_file(4)))
    colleague = script(user, project)

    first = place_script_order(by_script, order)
    clock.advance(minutes=14)
    again = [place_script_order(by_script, order), place_script_order(by_script, same_bytes)]
    others = [
        place_script_order(by_script, other_bytes),
        place_script_order(by_script, replace(order, metadata={"job": "weekly"})),
        place_script_order(by_script, replace(order, metadata=None)),
        place_script_order(by_script, replace(order, window="1h")),
        place_script_order(by_script, replace(order, further={"x": 1})),
        place_script_order(by_script, order, idempotency_key="on purpose"),
        place_script_order(colleague, order),
    ]
    clock.advance(minutes=2)
    later = place_script_order(by_script, order)

    assert again == [first, first]
    assert [batch.was_ordered_before for batch in (first, *again, later)] == [
        *(False, True, True, False),
    ]
    assert len({first, *others, later}) == 9
    assert not any(batch.was_ordered_before for batch in others)


@pytest.mark.django_db
def test_an_order_of_which_nothing_is_left_can_be_placed_anew_at_once(
    by_script: User, order: ScriptOrder
) -> None:
    batches = [place_script_order(by_script, order)]
    for fields in (
        {"cancel_requested_at": timezone.now()},
        {"status": Batch.Status.FAILED},
        {"status": Batch.Status.CANCELLED},
        {"status": Batch.Status.COMPLETED, "purged_at": timezone.now()},
        {"status": Batch.Status.COMPLETED},
    ):
        Batch.objects.filter(pk=batches[-1].pk).update(**fields)
        batches.append(place_script_order(by_script, order))

    assert len(set(batches)) == 5
    assert batches[-1] == batches[-2]


@pytest.mark.django_db
def test_a_key_of_the_caller_names_one_batch_for_a_day_and_no_other_order(
    by_script: User, order: ScriptOrder, clock: Clock
) -> None:
    other = replace(order, window="1h")

    first = place_script_order(by_script, order, idempotency_key="job-1")
    Batch.objects.update(status=Batch.Status.CANCELLED)
    again = place_script_order(by_script, order, idempotency_key="job-1")
    code = code_of(lambda: place_script_order(by_script, other, idempotency_key="job-1"))
    clock.advance(hours=25)
    tasks.tick()
    next_day = place_script_order(by_script, other, idempotency_key="job-1")

    assert again == first
    assert code is Refusal.IDEMPOTENCY_KEY_USED
    assert next_day != first
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db
def test_an_order_that_was_refused_can_be_sent_again_with_the_same_key(
    by_script: User, order: ScriptOrder, project: Project
) -> None:
    keys = list(project.provider_keys.all())
    project.provider_keys.update(ciphertext="")
    code = code_of(lambda: place_script_order(by_script, order, idempotency_key="job-1"))
    for key in keys:
        key.save()

    batch = place_script_order(by_script, order, idempotency_key="job-1")

    assert code is Refusal.NO_PROVIDER_KEY
    assert not batch.was_ordered_before


@pytest.mark.django_db
def test_what_a_key_does_not_allow_is_refused(
    user: User, by_script: User, project: Project, order: ScriptOrder
) -> None:
    narrow = script(user, project, model_names=["another/model"])
    wide = script(user, project, model_names=["another/model", MODEL])

    assert code_of(lambda: place_script_order(narrow, order)) is Refusal.MODEL_NOT_ALLOWED
    elsewhere = replace(order, endpoint="/v1/embeddings")
    assert code_of(lambda: place_script_order(wide, elsewhere)) is Refusal.ENDPOINT_NOT_IN_FILE
    assert place_script_order(wide, order)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("value", ["", "job-1"])
def test_of_many_equal_orders_at_once_one_makes_the_batch(
    by_script: User, order: ScriptOrder, value: str
) -> None:
    start = threading.Barrier(8)

    def place() -> tuple[uuid.UUID, bool]:
        start.wait()
        try:
            batch = place_script_order(by_script, order, idempotency_key=value)
        finally:
            connection.close()
        return batch.pk, batch.was_ordered_before

    with ThreadPoolExecutor(8) as pool:
        placed = [row.result() for row in [pool.submit(place) for _ in range(8)]]

    assert len({pk for pk, _ in placed}) == Batch.objects.count() == 1
    assert [is_repeat for _, is_repeat in placed].count(False) == 1
    assert Batch.objects.get().provider_batches.count() == 1
