"""The list of states: each can be made, is told from the others, and is shown and filtered."""

import random
import re
from collections.abc import Iterable
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.utils import timezone

from batchapp.icons import DRAWINGS
from batchapp.models import Batch, LeasedRow, Project, ProviderBatch, User
from batchapp.pipeline.states import (
    BATCH_STATES,
    PARKED_MEANINGS,
    ROW_STATES,
    BatchState,
    WaitsFor,
    state_of,
)
from batchapp.services.lifecycle import slots
from tests.html import page_of
from tests.make import make_batch, set_state
from tests.variables import ROOT

Status, Parked = ProviderBatch.Status, ProviderBatch.Parked
Rows = tuple[dict[str, Any], list[dict[str, Any]]]  # fields of a batch and its provider batches

NOW = timezone.now()
WAITING = {"status": Status.WAITING}
PAUSED, STUCK = {"parked_reason": Parked.PAUSED}, {"parked_reason": Parked.NEEDS_ATTENTION}
ENDED = {"ended_at": NOW}
DONE = [{"status": Status.DONE} | ENDED]

# Code of a state -> rows in this state.
EXAMPLES: dict[str, Rows] = {
    "awaiting_approval": ({"status": Batch.Status.AWAITING_APPROVAL}, []),
    "queued": ({}, [{"status": Status.PREPARING}]),
    "waiting": ({}, [WAITING, {"status": Status.PREPARING}]),
    "running": ({}, [WAITING, {"status": Status.RUNNING}]),
    "fetching": ({}, [{"status": Status.HARVESTING} | ENDED, *DONE]),
    "adding_up": ({"status": Batch.Status.SETTLING}, DONE),
    "pausing": ({"pause_requested_at": NOW}, [{"status": Status.RUNNING}, WAITING | PAUSED]),
    "paused": (
        {"pause_requested_at": NOW},
        [{"status": Status.HARVESTING} | ENDED | PAUSED, WAITING | PAUSED],
    ),
    "cancelling": ({"cancel_requested_at": NOW}, [{"status": Status.RUNNING}]),
    "needs_attention": ({"cancel_requested_at": NOW}, [{"status": Status.RUNNING} | STUCK]),
    "completed": ({"status": Batch.Status.COMPLETED, "succeeded": 3, "usable": 3}, DONE),
    "with_doubts": ({"status": Batch.Status.COMPLETED, "succeeded": 3, "usable": 2}, DONE),
    "with_errors": ({"status": Batch.Status.COMPLETED, "succeeded": 2, "failed": 1}, DONE),
    "failed": ({"status": Batch.Status.FAILED, "failed": 3}, DONE),
    "cancelled": ({"status": Batch.Status.CANCELLED, "cancelled": 3}, DONE),
}
MODELS = list(ROW_STATES)

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
each_state = pytest.mark.parametrize("state", BATCH_STATES, ids=lambda state: state.code)


def make_batches(first: Batch, examples: Iterable[Rows]) -> list[Batch]:
    """Store copies of ``first`` with these fields, each with its own provider batches."""
    kept = {"id", "submission", "created_at"}
    fields = [field.attname for field in Batch._meta.concrete_fields if field.attname not in kept]
    same = {name: getattr(first, name) for name in fields}
    batches, provider_batches = [], []
    for batch_fields, rows in examples:
        batch = Batch(**(same | batch_fields))
        batches.append(batch)
        provider_batches += [
            ProviderBatch(batch=batch, number=number, **row) for number, row in enumerate(rows, 1)
        ]
    first.delete()
    Batch.objects.bulk_create(batches)
    ProviderBatch.objects.bulk_create(provider_batches)
    return batches


def matching_codes(batch: Batch) -> list[str]:
    rows = Batch.objects.filter(pk=batch.pk)
    return [state.code for state in BATCH_STATES if rows.filter(state.condition).exists()]


def test_every_state_of_a_batch_has_an_example_and_a_code_of_its_own() -> None:
    assert list(EXAMPLES) == [state.code for state in BATCH_STATES]


@pytest.mark.django_db
@each_state
def test_a_batch_in_this_state_is_in_no_other(state: BatchState) -> None:
    (batch,) = make_batches(make_batch(), [EXAMPLES[state.code]])

    assert state_of(batch, list(batch.provider_batches.all())) is state
    assert matching_codes(batch) == [state.code]


@each_state
def test_a_state_of_a_batch_can_be_shown_and_says_what_happens_next(state: BatchState) -> None:
    styles = (ROOT / "batchapp/static/batchapp/css/components.css").read_text()

    assert state.label
    assert state.icon in DRAWINGS
    assert re.search(rf"\.pill\.{state.tone} ", styles)
    assert re.fullmatch(r"[A-Z][^.]+\.", state.next_step)


@pytest.fixture
def one_of_each(project: Project, user: User) -> list[Batch]:
    """A batch in each state, named by the code of its state."""
    examples = [({"name": code} | batch, rows) for code, (batch, rows) in EXAMPLES.items()]
    return make_batches(make_batch(project, user), examples)


@pytest.mark.django_db
@each_state
def test_the_list_filtered_by_a_state_shows_its_batch_and_no_other(
    browser: Client, one_of_each: list[Batch], state: BatchState
) -> None:
    page = page_of(browser, "/batches/", status=state.code)

    assert page.texts("a[id^=batch-]") == [state.code]
    pill = page.one("#rows tbody .pill")
    assert pill.text == state.label
    assert pill["title"] == state.next_step
    assert page.one("#filters").values["status"] == state.code


@pytest.mark.django_db
def test_the_list_without_a_filter_shows_every_state(
    browser: Client, one_of_each: list[Batch]
) -> None:
    labels = page_of(browser, "/batches/").texts("#rows tbody .pill")

    assert sorted(labels) == sorted(state.label for state in BATCH_STATES)


@pytest.mark.django_db
def test_any_mix_of_rows_is_in_the_one_state_whose_condition_it_meets() -> None:
    chance = random.Random(11)

    def sometimes(value: Any) -> Any:
        return value if chance.random() < 0.3 else None

    def provider_batch() -> dict[str, Any]:
        reason = chance.choice(["", "", *Parked.values])
        status = chance.choice(Status.values)
        return {"status": status, "parked_reason": reason, "ended_at": sometimes(NOW)}

    def batch() -> Rows:
        status = Batch.Status.RUNNING
        if chance.random() < 0.3:
            status = chance.choice(list(Batch.Status))
        fields = {
            "status": status,
            "cancel_requested_at": sometimes(NOW),
            "pause_requested_at": sometimes(NOW),
            "failed": sometimes(1) or 0,
            "missing": sometimes(1) or 0,
            "succeeded": sometimes(1) or 0,
        }
        return fields, [provider_batch() for _ in range(chance.randrange(4))]

    make_batches(make_batch(), [batch() for _ in range(2_000)])

    codes: dict[Any, list[str]] = {}
    for state in BATCH_STATES:
        for pk in Batch.objects.filter(state.condition).values_list("pk", flat=True):
            codes.setdefault(pk, []).append(state.code)
    batches = Batch.objects.prefetch_related("provider_batches")
    computed = {row.pk: [state_of(row, list(row.provider_batches.all())).code] for row in batches}
    assert codes == computed
    assert {code for row in computed.values() for code in row} == set(EXAMPLES)


def test_every_kind_of_row_that_workers_move_is_in_the_list() -> None:
    assert set(ROW_STATES) == set(LeasedRow.__subclasses__())
    assert list(PARKED_MEANINGS) == list(Parked)


@each_model
def test_the_list_has_every_status_of_a_row_and_none_more(model: type[LeasedRow]) -> None:
    assert list(ROW_STATES[model]) == list(model.Status)  # type: ignore[attr-defined]
    assert {*model.TRANSITIONS, *set().union(*model.TRANSITIONS.values())} <= {*ROW_STATES[model]}


@each_model
def test_a_row_that_waits_for_the_portal_has_a_step(model: type[LeasedRow]) -> None:
    without = {
        status
        for status, state in ROW_STATES[model].items()
        if state.waits_for in {WaitsFor.WORKER, WaitsFor.PROVIDER} and not state.step
    }

    # A batch that runs waits for its provider batches, which workers move.
    assert without == ({Batch.Status.RUNNING} if model is Batch else set())


@each_model
def test_every_state_of_a_row_can_be_reached(model: type[LeasedRow]) -> None:
    reached = {model._meta.get_field("status").get_default()}
    if model is Batch:
        reached.add(Batch.Status.AWAITING_APPROVAL)  # in which a large batch is stored
    for _ in ROW_STATES[model]:
        reached |= set().union(*(model.TRANSITIONS.get(status, set()) for status in reached))

    assert reached == set(ROW_STATES[model])


@pytest.mark.parametrize(
    ("model", "old", "new"),
    [
        pytest.param(model, old, new, id=f"{model.__name__}-{old}-{new}")
        for model in MODELS
        for old in ROW_STATES[model]
        for new in ROW_STATES[model]
        if new not in model.TRANSITIONS.get(old, set())
    ],
)
def test_a_transition_that_is_not_in_the_list_is_refused_before_anything_is_written(
    model: type[models.Model], old: str, new: str
) -> None:
    row: Any = model(status=old)

    with pytest.raises(ValueError, match=f"{old} -> {new}"):
        row.move_to(new)
    assert row.status == old


SENT = {"remote_id": "b-1", "create_attempted_at": NOW}
RETRIED = SENT | {"retried_in_place_at": NOW}


@pytest.mark.django_db
@pytest.mark.parametrize("parked_reason", ["", *Parked])
@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("status", ROW_STATES[ProviderBatch])
def test_a_row_uses_a_slot_as_the_list_says(
    status: str, is_sent: bool, parked_reason: str
) -> None:
    is_retry = status == Status.RETRYING_IN_PLACE
    sent, unsent = (RETRIED, SENT | ENDED) if is_retry else (SENT, {})
    batch = make_batch()
    set_state(batch, status=status, parked_reason=parked_reason, **(sent if is_sent else unsent))
    holds_slot = ROW_STATES[ProviderBatch][status].holds_slot
    expected = holds_slot == "yes" or (holds_slot == "once sent" and is_sent)
    if parked_reason == Parked.PAUSED:  # the provider has stopped it
        expected = False
    elif parked_reason:  # it may run on at the provider
        expected = is_sent

    counted = ProviderBatch.objects.filter(slots.holds_slot(batch.connection), batch=batch)

    assert counted.exists() == expected
