"""Read and write the parts of a price as the text of a form or a CSV."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from batchapp.domain.money.unit_prices import Tier, UnitPrice

AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
# A multiplier of an input price has some digits more.
COMPONENT_AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?", re.ASCII)
TOKENS = re.compile(r"[0-9]{1,9}", re.ASCII)
TIER = re.compile(r"above ([0-9]{1,9}): (.+)", re.ASCII)
CURRENCY = "USD"
MAX_TIERS = 10
# Column of a list -> field of ``UnitPrice``, and what a person calls it.
COMPONENTS = {
    "cached_read_usd": ("cached_read", "cached read price"),
    "write_5m_usd": ("write_5m", "price of writes for 5 minutes"),
    "write_1h_usd": ("write_1h", "price of writes for 1 hour"),
    "write_24h_usd": ("write_24h", "price of writes for 24 hours"),
    "min_prefix_tokens": ("min_prefix_tokens", "shortest cached prefix"),
    "cached_until": ("cached_until", "end of the cached prices"),
    "per_request_usd": ("per_request", "price of a request"),
    "tiers": ("tiers", "list of tiers"),
}
TIER_RATES = ("input", "output", "cached_read", "write_5m", "write_1h", "write_24h")


def parse_amount(text: str, side: str) -> Decimal:
    """Return an amount of USD per million tokens; ``side`` is "input" or "output".

    Raises:
        ValueError: ``text`` is empty or no amount; the message is a sentence for the person.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"There is no {side} price. Write 0 if it costs nothing.")
    if not AMOUNT.fullmatch(text):
        raise ValueError(
            f"The {side} price “{text[:30]}” is no amount in USD. Write it like 0.25, with at "
            "most 6 digits on each side of the point."
        )
    return Decimal(text)


def parse_component(column: str, text: str) -> Any:
    """Return the value of one of ``COMPONENTS``; for an empty text the one of no such part.

    Raises:
        ValueError: ``text`` is no such value; the message is a sentence for the person.
    """
    text = text.strip()
    if column == "tiers":
        return _parse_tiers(text)
    name = COMPONENTS[column][1]
    if not text:
        return None
    if column == "min_prefix_tokens":
        if not TOKENS.fullmatch(text):
            raise ValueError(f"The {name} “{text[:30]}” is no number of tokens, such as 1024.")
        return int(text)
    if column == "cached_until":
        return _parse_moment(text, name)
    return _parse_rate(text, name)


def parse_components(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of ``UnitPrice`` for the columns of ``COMPONENTS`` in ``cells``.

    Raises:
        ValueError: as ``parse_component``, or if the price is not in USD.
    """
    currency = cells.get("currency", "").strip()
    if currency.upper() not in {"", CURRENCY}:
        raise ValueError(
            f"The price is in {currency[:30]}. Prices must be in {CURRENCY}: amounts of several "
            "currencies cannot be added up."
        )
    return {
        field: parse_component(column, cells[column])
        for column, (field, _) in COMPONENTS.items()
        if column in cells
    }


def component_cells(price: UnitPrice) -> dict[str, str]:
    """Return column -> text, "" for a part that the price does not have."""
    cells = {}
    for column, (field, _) in COMPONENTS.items():
        value = getattr(price, field)
        if isinstance(value, Decimal):
            cells[column] = f"{value.normalize():f}"
        elif isinstance(value, datetime):
            cells[column] = value.isoformat()
        else:
            cells[column] = "" if value is None else str(value)
    return cells | {"tiers": "; ".join(map(_tier_text, price.tiers))}


def _tier_text(tier: Tier) -> str:
    rates = {name: getattr(tier, name) for name in TIER_RATES}
    texts = [f"{name} {rate.normalize():f}" for name, rate in rates.items() if rate is not None]
    return f"above {tier.above}: {', '.join(texts)}"


def _parse_tiers(text: str) -> tuple[Tier, ...]:
    """Return tiers from "above 272000: input 4, output 15; above 500000: input 8, output 30"."""
    texts = [tier.strip() for tier in text.split(";") if tier.strip()]
    tiers = tuple(_parse_tier(tier) for tier in texts)
    bounds = [tier.above for tier in tiers]
    if bounds != sorted(set(bounds)):
        raise ValueError("The tiers must be in ascending order of their tokens, each once.")
    if len(tiers) > MAX_TIERS:
        raise ValueError(f"The price has more than {MAX_TIERS} tiers.")
    return tiers


def _parse_tier(text: str) -> Tier:
    rates: dict[str, Decimal] = {}
    if match := TIER.fullmatch(text):
        for part in match[2].split(","):
            name, _, amount = part.strip().partition(" ")
            if name in TIER_RATES:
                rates[name] = _parse_rate(amount.strip(), f"{name} price of a tier")
    if match is None or not {"input", "output"} <= rates.keys():
        raise ValueError(
            f"The tier “{text[:60]}” cannot be read. Write it like “above 272000: input 4, output "
            "15”, and a semicolon between tiers."
        )
    return msgspec.convert(rates | {"above": int(match[1])}, Tier)


def _parse_moment(text: str, name: str) -> datetime:
    """Return a moment in ISO form, in UTC if it names no time zone."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"The {name} “{text[:30]}” is no date. Write it like 2026-12-31T00:00Z."
        ) from None


def _parse_rate(text: str, name: str) -> Decimal:
    if not COMPONENT_AMOUNT.fullmatch(text):
        raise ValueError(f"The {name} “{text[:30]}” is no amount in USD, such as 0.025.")
    return Decimal(text)
