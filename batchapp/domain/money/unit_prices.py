"""Compute the cost of tokens, in ``Decimal`` throughout: money is never a float."""

from datetime import datetime
from decimal import Context, Decimal

import msgspec

EXACT = Context(prec=100)  # enough digits that no product or sum of counts and prices is rounded


class UnitPrice(msgspec.Struct, frozen=True):
    """USD per million tokens; ``row`` is the id of the stored price, in force from ``since``."""

    input: Decimal
    output: Decimal
    row: int | None = None
    since: datetime | None = None


def cost(input_tokens: int, output_tokens: int, price: UnitPrice) -> Decimal:
    """Return the cost in USD, exact; round a cost only where it is stored or shown."""
    input_cost = EXACT.multiply(Decimal(input_tokens), price.input)
    output_cost = EXACT.multiply(Decimal(output_tokens), price.output)
    return EXACT.scaleb(EXACT.add(input_cost, output_cost), -6)


def output_tokens(amount: Decimal, input_tokens: int, price: UnitPrice) -> int | None:
    """Return the nearest output tokens for which ``amount`` was billed; None if they are free."""
    output_cost = EXACT.subtract(amount, cost(input_tokens, 0, price))
    if not price.output:
        return None if output_cost else 0
    return int((EXACT.scaleb(output_cost, 6) / price.output).to_integral_value())


def total(amounts: list[Decimal | None]) -> Decimal | None:
    """Return the exact sum of the ``amounts`` that are known; None, not zero, if none is known."""
    known = [amount for amount in amounts if amount is not None]
    if not known:
        return None
    result = Decimal(0)
    for amount in known:
        result = EXACT.add(result, amount)
    return result
