"""Open and settle requests outside of batches, which the portal passes on to a provider."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.direct_call import EMBEDDINGS, AnswerReader, DirectCall, is_response_id
from batchapp.domain.money.approval_policy import CostFigures
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    REALTIME,
    Budget,
    DirectRequest,
    Price,
    Project,
    ProviderKey,
    Reservation,
    User,
)
from batchapp.models.budgets.reservation import POLICY_FIELDS
from batchapp.models.direct.direct_request import FLEX
from batchapp.models.fields.money_field import rounded
from batchapp.models.people.user import portal_key_of

LONGEST = timedelta(days=1)  # until a request whose end nobody saw is settled by its estimate
LATER_TIERS = frozenset({FLEX, "background"})  # which cost less than real time
NOT_ANSWERED = frozenset({"failed", "cancelled"})  # states of a response in the background
State = DirectRequest.State
APPROVAL_FIELDS = ["approval_above_usd", "approval_by_most", "approval_if_unbounded"]


def open_request(user: User, project: Project, call: DirectCall) -> DirectRequest:
    """Reserve what ``call`` may cost and store it, before anything is sent to the provider.

    Nobody can approve a single request: a budget or a policy that asks for approval refuses.

    Raises:
        NotAllowed: the person may start nothing in the project.
        Refused: the portal key does not allow the model, there is no provider key, the connection
            is archived, or a budget has too little left; nothing was stored.
        UnreadableKey: the provider key cannot be read; nothing was stored.
    """
    access.require_write(user, project)
    portal_key = portal_key_of(user)
    if portal_key and not portal_key.allows_model(call.model):
        raise Refused(Refusal.MODEL_NOT_ALLOWED, models=[call.model])
    key = ProviderKey.objects.for_scripts(user, project)
    if key.connection.archived_at:
        raise Refused(Refusal.CONNECTION_ARCHIVED, connection=key.connection.name)
    key.secret()  # before anything is reserved: a key that cannot be read sends nothing
    now = timezone.now()
    price, reserved_price = _prices(project, call, now)
    request = DirectRequest(
        project=project,
        created_by=user,
        portal_key=portal_key,
        key=key,
        endpoint=call.endpoint,
        model=call.model,
        tier=call.tier,
        created_at=now,
        unit_price=price,
    )
    with transaction.atomic():
        access.require_open(project)
        project.refresh_from_db(fields=[*POLICY_FIELDS, *APPROVAL_FIELDS])
        figures = _figures(call, reserved_price)
        _refuse_approval(project, figures)
        request.reserved_usd = _amount(project, figures)
        Reservation.objects.require_room_now(
            project,
            user.pk,
            portal_key.pk if portal_key else None,
            {call.model: request.reserved_usd},
        )
        request.save(force_insert=True)
        request.reserve()
    return request


def settle_request(
    request: DirectRequest,
    call: DirectCall | None,
    reader: AnswerReader,
    status: int | None,
    *,
    is_sent: bool = True,
    is_whole: bool = True,
) -> None:
    """Replace what ``request`` reserved by the cost of its answer, as far as that is known.

    ``status`` is None if the provider did not answer. ``is_sent`` says whether the provider was
    reached, and ``is_whole`` whether its answer arrived to the end. A response in the background
    stays open.
    """
    if reader.response_id and status is not None and status < 300 and reader.is_pending:
        DirectRequest.objects.filter(pk=request.pk).update(
            remote_id=reader.response_id, status_code=status
        )
        return
    usage, is_estimated = _usage(call, reader, status)
    amount = _cost(request.unit_price, usage)
    if call is None and is_estimated:
        amount = _reserved_cost(request)  # nobody knows the length of the answer
    with transaction.atomic():
        settled = request.settle(
            usage,
            amount,
            timezone.now(),
            _state(reader, status, is_sent=is_sent, is_whole=is_whole),
            status_code=status,
            is_estimated=is_estimated,
            remote_id=reader.response_id or request.remote_id,
        )
    if settled and Budget.objects.filter(project=request.project_id).exists():
        Reservation.objects.tell(request.project)


def find_response(user: User, project: Project, response_id: str) -> DirectRequest | None:
    """Return the request that made a response in the background; None if there is none."""
    access.require_see(user, project)
    if not is_response_id(response_id):
        return None
    rows = DirectRequest.objects.filter(remote_id=response_id, project=project)
    return rows.select_related("project", "key__connection").first()


def settle_forgotten(now: datetime) -> int:
    """Settle requests whose end nobody saw, by what they had reserved; return how many."""
    rows = DirectRequest.objects.filter(ended_at=None, created_at__lt=now - LONGEST)[:100]
    count = 0
    for request in rows:
        with transaction.atomic():
            count += request.settle(
                Usage(requests=1), _reserved_cost(request), now, State.UNSEEN, is_estimated=True
            )
    return count


def _prices(
    project: Project, call: DirectCall, at: datetime
) -> tuple[UnitPrice | None, UnitPrice | None]:
    """Return the price at which ``call`` is billed, and that at which it reserves.

    The price is that of the service tier, None if the table has none: another price would be
    wrong. A tier in which the provider answers later costs less than real time, so a request
    without a price reserves the realtime price, and no budget is passed by.
    """
    tier = "" if call.endpoint == EMBEDDINGS else call.tier  # which have no tiers
    window = project.connection.provider_kind.window_of_tier(tier)
    own = [tier, window] if window else [REALTIME]
    matches = Price.objects.filter(connection=project.connection_id).match_models(
        [call.model], [*own, REALTIME], at
    )

    def first_of(windows: list[str]) -> UnitPrice | None:
        found = [row for name in windows if (row := matches.get(name, {}).get(call.model))]
        return found[0].unit_price if found else None

    price = first_of(own)
    return price, price or (first_of([REALTIME]) if tier in LATER_TIERS else None)


def _figures(call: DirectCall, price: UnitPrice | None) -> CostFigures:
    """Return the expected cost of a request and the most that it may cost, as of a batch of it."""
    if price is None:
        return CostFigures(None, None, unpriced=[call.model])
    expected = _cost(price, Usage(1, call.input_tokens, call.output_tokens))
    if call.is_unbounded:
        return CostFigures(expected, None, unbounded_requests=1)
    return CostFigures(
        expected, _cost(price, Usage(1, call.input_tokens, call.max_output_tokens or 0))
    )


def _amount(project: Project, figures: CostFigures) -> Decimal | None:
    """Return what the request reserves by the policy of the project; None if that is unknown."""
    amount = project.reserve_policy.amount(figures.expected_usd, figures.most_usd)
    return None if amount is None else rounded(amount)


def _refuse_approval(project: Project, figures: CostFigures) -> None:
    if reasons := project.approval_policy.reasons(figures):
        raise Refused(Refusal.REQUEST_NEEDS_APPROVAL, project=project.name, reasons=reasons)


def _usage(
    call: DirectCall | None, reader: AnswerReader, status: int | None
) -> tuple[Usage, bool]:
    """Return the tokens, and True if the portal has counted them itself.

    A refusal of the provider is free. An answer that broke off has cost what arrived of it.
    """
    if status is not None and status >= 300:
        return Usage(), False
    known = reader.usage
    if known.input_tokens is not None and known.output_tokens is not None:
        cache = known.cache
        if cache is None:
            return Usage(1, known.input_tokens, known.output_tokens), False
        return Usage(1, known.input_tokens, known.output_tokens, *cache), False
    if call is None:
        is_free = reader.status in NOT_ANSWERED
        return (Usage(), False) if is_free else (Usage(requests=1), True)
    output = reader.pieces if call.is_streamed else call.output_tokens
    return Usage(1, call.input_tokens, output), True


def _state(reader: AnswerReader, status: int | None, *, is_sent: bool, is_whole: bool) -> State:
    if not is_sent:
        return State.NOT_SENT
    if status is not None and status >= 300:
        return State.REFUSED
    if status is None or not is_whole or reader.status in NOT_ANSWERED:
        return State.BROKEN_OFF
    return State.ANSWERED


def _reserved_cost(request: DirectRequest) -> Decimal | None:
    """Return what ``request`` reserved as its cost; None without a price of its own."""
    return request.reserved_usd if request.unit_price else None


def _cost(price: UnitPrice | None, usage: Usage) -> Decimal | None:
    if not usage.requests:
        return Decimal(0)
    amount = None if price is None else cost(usage, price)
    return None if amount is None else rounded(amount)
