"""Decide what a batch reserves of a budget, and whether the budget has room for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum, unique
from uuid import UUID

LEVELS = (50, 80, 100)  # per cent of a budget at which people may be told
USUAL_RESERVE_PERCENT = 120  # of the expected cost: answers may be longer than expected
CENT_FRACTION = Decimal("0.00000001")  # the least part of a dollar that amounts are stored in


@unique
class WhenOver(StrEnum):
    """The treatment of an order for which a budget has too little left."""

    STOP = "stop"
    APPROVAL = "approval"
    TELL = "tell"


@dataclass(frozen=True, slots=True)
class ReservePolicy:
    """The rule of a project for what an order reserves.

    An order reserves ``percent`` of the expected cost, or with ``by_most`` the most that it may
    cost.
    """

    by_most: bool = False
    percent: int = USUAL_RESERVE_PERCENT

    def amount(self, expected: Decimal | None, most: Decimal | None) -> Decimal | None:
        """Return what to reserve in USD; None if the amount that counts is not known."""
        if self.by_most:
            return most
        return None if expected is None else rounded(expected * self.percent / 100)


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a budget in one month: the USD that batches have spent and reserved.

    ``unknown`` counts models of batches of which an amount is not known: the use is then higher.
    """

    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    unknown: int = 0

    @property
    def total(self) -> Decimal:
        return self.spent + self.reserved

    def __add__(self, other: "Use") -> "Use":
        return Use(
            self.spent + other.spent, self.reserved + other.reserved, self.unknown + other.unknown
        )


@dataclass(frozen=True, slots=True)
class Part:
    """The use of a project's money by one person, portal key and model in one month."""

    person_id: int
    portal_key_id: UUID | None
    model: str
    use: Use


@dataclass(frozen=True, slots=True)
class Limit:
    """The amount of a budget in USD, with its use in one month."""

    amount: Decimal
    use: Use

    @property
    def free(self) -> Decimal:
        """Return what is left; 0 if nothing is."""
        return max(self.amount - self.use.total, Decimal(0))

    @property
    def is_exceeded(self) -> bool:
        return self.use.total > self.amount

    def has_room(self, added: Decimal | None) -> bool:
        """Return True if ``added`` fits; an amount that is not known fits nowhere.

        What costs nothing always fits, also if the budget is exceeded.
        """
        if added is None:
            return False
        return not added or self.use.total + added <= self.amount

    def reached(self, levels: Iterable[int]) -> list[int]:
        """Return those of ``levels``, in per cent of the amount, that the use has reached."""
        used = self.use.total * 100
        return [level for level in sorted(levels) if used and used >= level * self.amount]


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(CENT_FRACTION, rounding=ROUND_HALF_EVEN)


def total_added(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None if an amount is not known."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def divide(total: Decimal, parts: Mapping[str, Decimal | None]) -> dict[str, Decimal]:
    """Divide ``total`` in proportion to ``parts``, so that the shares add up to it exactly.

    Parts that are not known share what the others leave, or everything if no part is known.
    """
    known = {name: part for name, part in parts.items() if part is not None}
    unknown = [name for name in parts if name not in known]
    base = sum(known.values(), Decimal(0))
    if unknown:
        left = max(total - base, Decimal(0))
        known |= dict.fromkeys(unknown, left / len(unknown))
        base += left
    if not base:
        known, base = dict.fromkeys(parts, Decimal(1)), Decimal(len(parts))
    shares = {name: rounded(total * part / base) for name, part in known.items()}
    if shares:
        largest = max(shares, key=lambda name: shares[name])
        shares[largest] += total - sum(shares.values(), Decimal(0))
    return shares
