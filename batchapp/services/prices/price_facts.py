"""What the audit keeps of prices."""

from typing import Any

import msgspec

from batchapp.access import Actor
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import AuditEvent, AuditKind, Price, User


def record_price(kind: AuditKind, actor: Actor, price: Price, **data: Any) -> None:
    """Record a change of one price; ``before`` and ``after`` are made by ``facts_of``."""
    AuditEvent.objects.record(
        kind,
        actor if isinstance(actor, User) else None,
        connection=price.connection.name,
        model=price.model,
        window=price.window,
        **data,
    )


def facts_of(price: Price) -> dict[str, Any]:
    """Return all amounts in USD, the days on which they count, and where they are from."""
    dates = {"from": price.effective_from, "until": price.effective_to}
    return {**amounts_of(price.unit_price), **dates, "source": price.source}


def amounts_of(price: UnitPrice) -> dict[str, Any]:
    """Return the parts of a price that are set; amounts are USD per million tokens."""
    parts = msgspec.structs.asdict(price)
    parts["tiers"] = [msgspec.structs.asdict(tier) for tier in price.tiers]
    own = {"row", "since"}  # of the stored row, and not of the price
    return {name: value for name, value in parts.items() if name not in own and value}
