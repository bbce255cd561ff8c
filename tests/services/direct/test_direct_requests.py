"""The money of single requests: reserved before they are sent, settled once by their answer."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.access import NotAllowed
from batchapp.domain.direct_call import (
    CHAT,
    EMBEDDINGS,
    RESPONSES,
    AnswerReader,
    DirectCall,
    read_call,
)
from batchapp.domain.money.budgets import WhenOver
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import DirectRequest, PortalKey, Project, Reservation, User
from batchapp.models.budgets.month import month_of
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.direct.direct_requests import (
    find_response,
    open_request,
    settle_forgotten,
    settle_request,
)
from batchapp.services.providers import connections
from tests.make import (
    MODEL,
    make_administrator,
    make_budget,
    make_key,
    make_portal_key,
    make_price,
    make_project,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]
State = DirectRequest.State
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}


def make_sender(**fields: object) -> tuple[User, Project]:
    """A person who acts by a portal key in a project with a provider key and a price."""
    user = make_user()
    project = make_project(user)
    make_key(project)
    project.connection.prices.all().delete()
    make_price(project.connection, "realtime", Decimal(1), Decimal(10))
    make_price(project.connection, "24h", Decimal("0.1"), Decimal("0.2"))
    user.portal_key = make_portal_key(user, project, scope="submit", **fields).key
    return user, project


def call(endpoint: str = CHAT, **changes: object) -> DirectCall:
    return read_call(endpoint, json.dumps(BODY | changes).encode())


def answered(**fields: object) -> AnswerReader:
    reader = AnswerReader(is_stream=False)
    usage = {"prompt_tokens": 20, "completion_tokens": 30}
    reader.feed(json.dumps({"choices": [], "usage": usage} | fields).encode())
    reader.finish()
    return reader


def use(project: Project) -> tuple[Decimal, Decimal, int]:
    found = Reservation.objects.uses([project.pk], month_of()).get(project.pk)
    return (found.spent, found.reserved, found.unknown) if found else (Decimal(0), Decimal(0), 0)


def test_what_was_reserved_gives_way_to_the_realtime_cost_once() -> None:
    user, project = make_sender()
    sent = call()

    requests = [open_request(user, project, sent) for _ in range(2)]
    reserved = use(project)
    for request in [*requests, requests[0]]:
        settle_request(request, sent, answered(), 200)

    one = Decimal("0.00032")  # 20 tokens at 1 USD and 30 at 10 USD per million
    assert reserved == (0, sum(row.reserved_usd or 0 for row in requests), 0)
    assert use(project) == (2 * one, 0, 0)
    rows = DirectRequest.objects.values_list(
        "cost_usd", "is_estimated", "portal_key", "status_code"
    )
    assert user.portal_key
    assert set(rows) == {(one, False, user.portal_key.pk, 200)}


def test_a_budget_refuses_before_anything_is_sent_also_if_it_asks_for_approval() -> None:
    for when_over in (WhenOver.STOP, WhenOver.APPROVAL):
        user, project = make_sender()
        make_budget(project, "0.0000001", when_over=when_over)

        with pytest.raises(Refused) as refused:
            open_request(user, project, call())

        assert refused.value.code == Refusal.OVER_BUDGET
        assert not DirectRequest.objects.filter(project=project).exists()


def test_a_policy_of_approvals_holds_for_each_request() -> None:
    small, endless = call(), call(max_tokens=None)
    refusing: list[tuple[dict[str, object], DirectCall, str]] = [
        ({"approval_above_usd": Decimal("0.000001")}, small, "is expected to cost"),
        ({"approval_if_unbounded": True}, endless, "sets no max_tokens"),
        ({"approval_above_usd": Decimal(1), "approval_by_most": True}, endless, "no max_tokens"),
        ({"approval_above_usd": Decimal("0.000001")}, call(model="free"), "has no price"),
    ]

    for policy, sent, reason in refusing:
        user, project = make_sender()
        Project.objects.filter(pk=project.pk).update(**policy)
        with pytest.raises(Refused) as refused:
            open_request(user, project, sent)
        assert refused.value.code == Refusal.REQUEST_NEEDS_APPROVAL
        assert reason in refusal_text(refused.value)
        assert not DirectRequest.objects.filter(project=project).exists()


def test_a_bounded_request_needs_no_approval_where_only_endless_ones_do() -> None:
    user, project = make_sender()
    Project.objects.filter(pk=project.pk).update(approval_if_unbounded=True)

    assert open_request(user, project, call()).reserved_usd
    assert open_request(user, project, call(EMBEDDINGS, max_tokens=None)).reserved_usd


def test_a_model_without_a_realtime_price_has_no_cost_and_fits_in_no_budget() -> None:
    user, project = make_sender()
    project.connection.prices.filter(window="realtime").delete()

    sent = call()
    request = open_request(user, project, sent)
    settle_request(request, sent, answered(), 200)
    request.refresh_from_db()

    assert (request.reserved_usd, request.cost_usd) == (None, None)
    assert use(project) == (0, 0, 1)
    make_budget(project, "100")
    with pytest.raises(Refused) as refused:
        open_request(user, project, call())
    assert refused.value.code == Refusal.BUDGET_COST_UNKNOWN


def test_a_refusal_of_the_provider_is_free_and_a_broken_answer_costs_what_came() -> None:
    user, project = make_sender()
    refused, lost, broken = (open_request(user, project, call(stream=True)) for _ in range(3))
    part = AnswerReader(is_stream=True)
    for _ in range(4):
        part.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')

    settle_request(refused, call(stream=True), AnswerReader(is_stream=False), 429)
    settle_request(lost, call(), AnswerReader(is_stream=False), None)
    settle_request(broken, call(stream=True), part, 200)
    for row in (refused, lost, broken):
        row.refresh_from_db()

    assert (refused.cost_usd, refused.is_estimated) == (0, False)
    assert (lost.output_tokens, lost.is_estimated) == (100, True)
    assert (broken.output_tokens, broken.is_estimated) == (4, True)
    assert use(project)[1] == 0


def test_a_response_in_the_background_stays_reserved_until_somebody_reads_it() -> None:
    user, project = make_sender()
    make_price(project.connection, "1h", Decimal(1), Decimal(10))
    sent = call(RESPONSES, background=True, service_tier="flex")
    request = open_request(user, project, sent)

    settle_request(request, sent, answered(object="response", id="resp_1", status="queued"), 202)
    reserved = use(project)
    found = find_response(user, project, "resp_1")
    assert found
    settle_request(found, None, answered(object="response", id="resp_1", status="completed"), 200)

    assert reserved == (0, request.reserved_usd, 0)
    assert use(project) == (Decimal("0.00032"), 0, 0)
    assert find_response(user, project, "resp_2") is None


def test_a_request_whose_end_nobody_saw_is_settled_by_what_it_reserved() -> None:
    user, project = make_sender()
    request = open_request(user, project, call())

    early = settle_forgotten(timezone.now())
    two_days_ago = timezone.now() - timedelta(days=2)
    DirectRequest.objects.update(created_at=two_days_ago)
    late = settle_forgotten(timezone.now())

    request.refresh_from_db()
    assert (early, late) == (0, 1)
    assert (request.cost_usd, request.is_estimated) == (request.reserved_usd, True)
    assert use(project) == (request.reserved_usd, 0, 0)


def test_a_portal_key_opens_its_models_alone_and_reading_is_not_enough() -> None:
    user, project = make_sender(model_names=["other"])
    reader, other = make_sender()
    reader.portal_key = PortalKey(scope="read", project=other)

    with pytest.raises(Refused) as refused:
        open_request(user, project, call())
    with pytest.raises(NotAllowed):
        open_request(reader, other, call())

    assert refused.value.code == Refusal.MODEL_NOT_ALLOWED


def test_nothing_begins_on_an_archived_connection() -> None:
    user, project = make_sender()
    connections.archive(project.connection, make_administrator(), timezone.now())

    with pytest.raises(Refused) as refused:
        open_request(user, project, call())

    assert refused.value.code is Refusal.CONNECTION_ARCHIVED
    assert refusal_text(refused.value)
    assert not DirectRequest.objects.exists()


def test_how_a_request_ended_is_recorded() -> None:
    user, project = make_sender()
    sent = call()
    failed = answered(object="response", id="resp_1", status="failed")
    ends: list[tuple[AnswerReader, int | None, dict[str, bool], str]] = [
        (answered(), 200, {}, State.ANSWERED),
        (answered(), 200, {"is_whole": False}, State.BROKEN_OFF),
        (failed, 200, {}, State.BROKEN_OFF),
        (AnswerReader(is_stream=False), None, {"is_whole": False}, State.BROKEN_OFF),
        (AnswerReader(is_stream=False), 429, {}, State.REFUSED),
        (AnswerReader(is_stream=False), 502, {"is_sent": False}, State.NOT_SENT),
    ]

    for reader, status, how, state in ends:
        request = open_request(user, project, sent)
        assert request.state == State.SENT
        settle_request(request, sent, reader, status, **how)
        request.refresh_from_db()
        assert request.state == state
    forgotten = open_request(user, project, sent)
    settle_forgotten(timezone.now() + timedelta(days=2))
    forgotten.refresh_from_db()
    assert forgotten.state == State.UNSEEN


TIERS: list[tuple[str, dict[str, object], str, str]] = [
    # The kind of provider, what the request asks for, and the windows of its price.
    ("doubleword", {}, CHAT, "realtime"),
    ("doubleword", {"service_tier": "flex"}, CHAT, "1h"),
    ("doubleword", {"service_tier": "flex", "background": True}, RESPONSES, "1h"),
    ("doubleword", {"background": True}, RESPONSES, "realtime"),
    ("doubleword", {"service_tier": "priority"}, CHAT, "realtime"),
    ("doubleword", {"service_tier": "flex"}, EMBEDDINGS, "realtime"),
    ("doubleword", {"service_tier": "background", "background": True}, RESPONSES, "background"),
    ("openai", {"service_tier": "auto"}, CHAT, "realtime"),
    ("openai", {"background": True}, RESPONSES, "realtime"),
    ("openai", {"service_tier": "flex"}, CHAT, "flex"),
    ("openai", {"service_tier": "priority"}, CHAT, "priority"),
]
RATES = {
    "realtime": 10,
    "1h": 2,
    "24h": 1,
    "flex": 5,
    "priority": 20,
    "background": Decimal("0.5"),
}


@pytest.mark.parametrize(("kind", "fields", "endpoint", "window"), TIERS)
def test_each_tier_has_its_own_price_or_none(
    kind: str, fields: dict[str, object], endpoint: str, window: str
) -> None:
    user, project = make_sender()
    project.connection.kind = kind
    project.connection.save()
    prices = project.connection.prices
    prices.all().delete()
    for name, rate in RATES.items():
        if name != "flex" or kind != "doubleword":
            make_price(project.connection, name, Decimal(0), Decimal(rate))
    sent = call(endpoint, **fields)

    priced = open_request(user, project, sent)
    settle_request(priced, sent, answered(), 200)
    prices.filter(window=window).delete()
    unknown = open_request(user, project, sent)
    settle_request(unknown, sent, answered(), 200)
    forgotten = open_request(user, project, sent)
    settle_forgotten(timezone.now() + timedelta(days=2))

    for row in (priced, unknown, forgotten):
        row.refresh_from_db()
    assert priced.cost_usd == 30 * Decimal(RATES[window]) / 1_000_000
    assert unknown.cost_usd is None
    assert forgotten.cost_usd is None


def test_a_price_that_is_entered_for_the_tier_goes_before_that_of_the_window() -> None:
    user, project = make_sender()
    make_price(project.connection, "1h", Decimal(0), Decimal(2))
    make_price(project.connection, "flex", Decimal(0), Decimal(3))
    sent = call(service_tier="flex")

    request = open_request(user, project, sent)
    settle_request(request, sent, answered(), 200)

    request.refresh_from_db()
    assert request.cost_usd == Decimal("0.00009")


def test_a_flexible_request_without_a_price_passes_no_budget_by() -> None:
    user, project = make_sender()
    make_budget(project, "0.0000001")

    with pytest.raises(Refused) as refused:
        open_request(user, project, call(service_tier="flex"))

    assert refused.value.code == Refusal.OVER_BUDGET


def test_an_answer_read_later_costs_what_was_reserved_if_it_hides_its_usage() -> None:
    user, project = make_sender()
    sent = call(RESPONSES, background=True)
    amounts = {}
    for status in ("completed", "failed"):
        request = open_request(user, project, sent)
        reader = AnswerReader(is_stream=False)
        reader.feed(json.dumps({"object": "response", "id": "resp_1", "status": status}).encode())
        reader.finish()
        settle_request(request, None, reader, 200)
        request.refresh_from_db()
        amounts[status] = request.cost_usd

    assert amounts == {"completed": request.reserved_usd, "failed": 0}
    assert request.reserved_usd
