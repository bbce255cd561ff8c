"""The parts of a price beside input and output, in words."""

from django import template

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.templatetags.words import rate

register = template.Library()

WRITES = {"write_5m": "5 min", "write_1h": "1 h", "write_24h": "24 h"}


@register.filter
def parts_label(price: UnitPrice) -> str:
    """Return what sort of parts the price has beside input and output."""
    return "cache prices" if price.has_cache_prices else "more prices"


@register.filter
def price_parts(price: UnitPrice) -> str:
    """Return what cached tokens, requests and long requests cost; "" for a price without these."""
    parts = []
    if price.cached_read is not None:
        parts.append(f"cached {rate(price.cached_read)}")
    amounts = {lifetime: getattr(price, name) for name, lifetime in WRITES.items()}
    writes = [f"{rate(usd)} for {name}" for name, usd in amounts.items() if usd is not None]
    if writes:
        parts.append(f"writes {', '.join(writes)}")
    if price.min_prefix_tokens:
        parts.append(f"from {price.min_prefix_tokens:,} tokens")
    if price.cached_until:
        parts.append(f"cached until {price.cached_until:%-d %B %Y, %H:%M} UTC")
    if price.per_request is not None:
        parts.append(f"{rate(price.per_request)} a request")
    parts += [
        f"above {tier.above:,} tokens {rate(tier.input)} / {rate(tier.output)}"
        for tier in price.tiers
    ]
    return " · ".join(parts)
