"""Move a batch to its fallback window when the provider has no room."""

import uuid
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.utils import timezone

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import REALTIME, Batch, Event, Project, ProviderBatch
from batchapp.models.fields.money_field import rounded
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import fallback_window, prepare
from batchapp.services.orders import place_order
from tests.make import (
    MODEL,
    finish,
    make_connection,
    make_key,
    make_price,
    make_project,
    make_upload,
    request_file,
    request_line,
)
from tests.provider import Provider, lose_reply
from tests.sentences import refused, timeline, told
from tests.steps import advance

pytestmark = pytest.mark.django_db
Status = ProviderBatch.Status

TURNED_AWAY = httpx.Response(
    429, json={"error": "too_many_requests", "message": "Insufficient capacity for 1h."}
)


def order(
    project: Project | None = None,
    *,
    window: str = "1h",
    fallback: str = "24h",
    content: bytes | None = None,
) -> Batch:
    project = project or make_project()
    upload = make_upload(project, content=content)
    batch = place_order.place_order(
        project,
        upload.uploaded_by,
        upload,
        make_key(project),
        window=window,
        fallback=fallback,
        submission=uuid.uuid4(),
    )
    for provider_batch in batch.provider_batches.all():
        prepare.prepare(provider_batch)
    for provider_batch in batch.provider_batches.filter(status=Status.PREPARING):
        prepare.prepare(provider_batch)
    return batch


def submit(provider_batch: ProviderBatch) -> ProviderBatch:
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(
        next_check_at=timezone.now(), leased_until=None
    )
    advance(provider_batch)
    return ProviderBatch.objects.get(pk=provider_batch.pk)


def no_room_in(provider: Provider, *windows: str) -> None:
    def refuse(call: str, request: httpx.Request) -> httpx.Response | None:
        is_full = any(f'"completion_window":"{window}"' in _body(request) for window in windows)
        return TURNED_AWAY if call == "POST /v1/batches" and is_full else None

    provider.before = refuse


def _body(request: httpx.Request) -> str:
    return request.content.decode(errors="replace").replace(" ", "")


def test_it_runs_in_the_longer_window_at_the_price_of_when_it_was_ordered(
    provider: Provider,
) -> None:
    batch = order()
    price = batch.connection.prices.get(window="24h")
    batch.connection.prices.update(input_usd=9, output_usd=9)  # dearer since then
    no_room_in(provider, "1h")

    provider_batch = submit(batch.provider_batches.get())
    assert provider_batch.status == Status.WAITING
    assert provider_batch.next_check_at
    assert provider_batch.next_check_at <= timezone.now()
    provider_batch = submit(provider_batch)

    assert provider_batch.status == Status.RUNNING
    (remote,) = provider.batches.values()
    assert remote["completion_window"] == "24h"
    batch.refresh_from_db()
    assert batch.window == "24h"
    fell_back = f"{batch.connection} has no room for 1 h: it runs in 24 h, as was decided."
    assert fell_back in timeline(batch)
    model_cost = batch.model_costs.get()
    assert (model_cost.unit_price.input, model_cost.unit_price.output) == (1, 2)
    assert model_cost.unit_price.row == price.pk


def test_the_estimate_is_the_one_that_an_order_of_the_longer_window_would_have_had(
    provider: Provider,
) -> None:
    project = make_project()
    batch, straight = order(project), order(project, window="24h", fallback="")
    no_room_in(provider, "1h")

    submit(batch.provider_batches.get())

    batch.refresh_from_db()
    switched, ordered = batch.model_costs.get(), straight.model_costs.get()
    for field in ("estimated_low_usd", "estimated_cost_usd", "estimated_ceiling_usd"):
        assert getattr(switched, field) == getattr(ordered, field)
    assert switched.estimated_ceiling_usd
    assert batch.estimated_cost_usd == straight.estimated_cost_usd == switched.estimated_cost_usd


def test_the_estimate_keeps_what_markers_of_cached_prompts_change(provider: Provider) -> None:
    project = make_project()
    for window, factor in {"24h": 1, "1h": 2, REALTIME: 2}.items():
        row = project.connection.prices.get(window=window)
        read, write = Decimal("0.1"), Decimal("1.25")
        row.unit_price = UnitPrice(
            *(Decimal(factor), Decimal(2 * factor)),
            cached_read=factor * read,
            write_5m=factor * write,
        )
        row.save()
    block = {"type": "text", "text": "word " * 2_000, "cache_control": {"type": "ephemeral"}}
    body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": [block]}]}
    content = "\n".join(request_line(n, body=body) for n in range(30)).encode()
    batch = order(project, content=content)
    straight = order(project, window="24h", fallback="", content=content)
    no_room_in(provider, "1h")

    submit(batch.provider_batches.get())

    switched, ordered = batch.model_costs.get(), straight.model_costs.get()
    for field in ("estimated_low_usd", "estimated_cost_usd", "estimated_ceiling_usd"):
        assert getattr(switched, field) == getattr(ordered, field)
    assert ordered.estimated_low_usd


def test_what_is_paid_is_the_price_of_the_window_it_ran_in(provider: Provider) -> None:
    batch = order()
    no_room_in(provider, "1h")
    submit(batch.provider_batches.get())

    done = finish(Batch.objects.get(pk=batch.pk))

    assert done.actual_cost_usd == rounded(Decimal(300 * 1 + 150 * 2) / 10**6)


def test_amounts_that_cannot_be_told_are_unknown(provider: Provider) -> None:
    connection = make_connection()
    connection.prices.filter(window="1h").update(output_usd=0)
    batch = order(make_project(connection=connection))
    no_room_in(provider, "1h")

    submit(batch.provider_batches.get())

    model_cost = batch.model_costs.get()
    assert model_cost.estimated_ceiling_usd == model_cost.estimated_low_usd
    assert model_cost.estimated_cost_usd


def test_a_window_without_a_price_leaves_none(provider: Provider) -> None:
    connection = make_connection()
    connection.prices.filter(window="24h").delete()
    batch = order(make_project(connection=connection))
    no_room_in(provider, "1h")

    submit(batch.provider_batches.get())

    batch.refresh_from_db()
    model_cost = batch.model_costs.get()
    assert batch.window == "24h"
    assert batch.estimated_cost_usd is None
    assert model_cost.unit_price is None
    assert model_cost.estimated_cost_usd is model_cost.estimated_low_usd is None


def test_a_batch_of_several_models_is_repriced_model_by_model(provider: Provider) -> None:
    connection = make_connection()
    for window, usd in [("24h", 3), ("1h", 6), (REALTIME, 7)]:
        make_price(connection, window, Decimal(usd), Decimal(usd), "other/model")
    lines = [request_line(1), request_line(2, model="other/model")]
    batch = order(make_project(connection=connection), content="\n".join(lines).encode())
    no_room_in(provider, "1h")

    submit(batch.provider_batches.get())

    prices = {row.model: row.unit_price.input for row in batch.model_costs.all()}
    assert prices == {MODEL: 1, "other/model": 3}
    batch.refresh_from_db()
    assert batch.estimated_cost_usd == sum(
        model_cost.estimated_cost_usd or 0 for model_cost in batch.model_costs.all()
    )


def test_if_the_longer_window_is_full_too_it_waits_there(provider: Provider) -> None:
    batch = order()
    no_room_in(provider, "1h", "24h")

    submit(batch.provider_batches.get())
    provider_batch = submit(batch.provider_batches.get())

    batch.refresh_from_db()
    assert (batch.window, provider_batch.status) == ("24h", Status.WAITING)
    assert "has no room for it just now" in problem_text(provider_batch.problem)
    assert len(told(batch, "as was decided")) == 1


def test_without_a_decision_it_waits_in_its_window(provider: Provider) -> None:
    batch = order(fallback="")
    no_room_in(provider, "1h")

    provider_batch = submit(batch.provider_batches.get())

    batch.refresh_from_db()
    assert (batch.window, provider_batch.status) == ("1h", Status.WAITING)


def test_once_a_provider_batch_is_sent_the_others_wait_for_room_in_its_window(
    provider: Provider,
) -> None:
    project = make_project(connection=make_connection(max_requests=1))
    batch = order(project, content=request_file(2))
    first, second = batch.provider_batches.all()
    submit(first)
    no_room_in(provider, "1h")

    second = submit(second)

    batch.refresh_from_db()
    assert batch.window == "1h"
    assert "has no room" in problem_text(second.problem)


def after_a_doubtful_create(provider: Provider, provider_batch: ProviderBatch) -> ProviderBatch:
    """Try a create that gets no answer and makes no batch, some time ago."""

    provider.before = lose_reply("POST /v1/batches")
    submit(provider_batch)
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(
        create_attempted_at=timezone.now() - timedelta(hours=1)
    )
    return ProviderBatch.objects.get(pk=provider_batch.pk)


def test_after_a_create_that_came_to_nothing_it_still_falls_back(provider: Provider) -> None:
    batch = order()
    provider_batch = after_a_doubtful_create(provider, batch.provider_batches.get())
    no_room_in(provider, "1h")
    submit(provider_batch)

    provider_batch = submit(provider_batch)

    batch.refresh_from_db()
    assert (batch.window, provider_batch.status) == ("24h", Status.RUNNING)
    assert provider_batch.may_have_duplicate


def test_after_it_fell_back_a_create_that_came_late_is_not_paid_again(provider: Provider) -> None:
    batch = order()
    provider_batch = after_a_doubtful_create(provider, batch.provider_batches.get())
    no_room_in(provider, "1h")
    submit(provider_batch)
    late = provider._create({"metadata": {"portal_submission": provider_batch.token}}).json()

    provider_batch = submit(provider_batch)

    assert (provider_batch.status, provider_batch.remote_id) == (Status.RUNNING, late["id"])
    assert list(provider.batches) == [late["id"]]


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_provider_batch_that_is_being_created_keeps_the_others_in_its_window(
    provider: Provider, seconds: int
) -> None:
    project = make_project(connection=make_connection(max_requests=1))
    first, second = order(project, content=request_file(2)).provider_batches.all()
    ProviderBatch.objects.filter(pk=first.pk).update(
        create_attempted_at=timezone.now() - timedelta(seconds=seconds),
        leased_until=timezone.now() + timedelta(minutes=1),
    )

    assert not fallback_window.fall_back(second)


def test_all_provider_batches_go_to_the_same_window(provider: Provider) -> None:
    project = make_project(connection=make_connection(max_requests=1))
    batch = order(project, content=request_file(3))
    provider_batches = list(batch.provider_batches.all())
    stale = ProviderBatch.objects.select_related("batch").get(pk=provider_batches[1].pk)
    assert stale.batch.window == "1h"  # this worker read it before
    no_room_in(provider, "1h")
    submit(provider_batches[0])

    assert fallback_window.fall_back(stale)
    assert stale.batch.window == "24h"
    for provider_batch in provider_batches:
        submit(provider_batch)

    assert [remote["completion_window"] for remote in provider.batches.values()] == ["24h"] * 3
    assert len(told(batch, "as was decided")) == 1


def test_all_of_the_switch_is_written_or_nothing(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = order()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(Event.objects, "create", fail)
        with pytest.raises(RuntimeError):
            fallback_window.fall_back(batch.provider_batches.get())

    batch.refresh_from_db()
    assert batch.window == "1h"
    assert batch.model_costs.get().unit_price.input == 2


@pytest.mark.parametrize(
    ("window", "fallback", "why"),
    [
        ("24h", "1h", "A fallback window must be longer than 24h"),
        ("1h", "1h", "A fallback window must be longer than 1h"),
        ("1h", "7d", "does not offer the 7d window to fall back to"),
    ],
)
def test_only_a_longer_window_on_offer_can_be_fallen_back_to(
    window: str, fallback: str, why: str
) -> None:
    with refused(why):
        order(window=window, fallback=fallback)

    assert not Batch.objects.exists()
