"""What tokens cost. Decimal throughout: money is never a float."""

from datetime import datetime
from decimal import Context, Decimal

import msgspec

EXACT = Context(prec=100)
"""Digits enough that no product or sum of token counts and prices is ever rounded."""


class UnitPrice(msgspec.Struct, frozen=True):
    """USD per million tokens; ``row`` of the price table says so ``since`` then, if one does."""

    input: Decimal
    output: Decimal
    row: int | None = None
    since: datetime | None = None


def cost(input_tokens: int, output_tokens: int, price: UnitPrice) -> Decimal:
    """USD, exact and unrounded; round only where it is stored or shown."""
    sent = EXACT.multiply(Decimal(input_tokens), price.input)
    received = EXACT.multiply(Decimal(output_tokens), price.output)
    return EXACT.scaleb(EXACT.add(sent, received), -6)


def output_tokens(amount: Decimal, input_tokens: int, price: UnitPrice) -> int | None:
    """How many output tokens bring ``amount``, to the nearest; None where they cost nothing."""
    received = EXACT.subtract(amount, cost(input_tokens, 0, price))
    if not price.output:
        return None if received else 0
    return int((EXACT.scaleb(received, 6) / price.output).to_integral_value())


def total(amounts: list[Decimal | None]) -> Decimal | None:
    """The sum of the known ``amounts``, exact; None, never zero, when none is known."""
    known = [amount for amount in amounts if amount is not None]
    if not known:
        return None
    result = Decimal(0)
    for amount in known:
        result = EXACT.add(result, amount)
    return result
