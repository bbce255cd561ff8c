"""Decide whether a batch needs approval before it runs, from its estimate alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum, unique
from typing import Any

# A batch waits no longer: the prices of an older one have changed too often.
MAX_APPROVAL_DAYS = 30


@unique
class ApprovalReason(StrEnum):
    """The reasons for an approval; ``presenters/approval_text.py`` has the sentences."""

    ABOVE_AMOUNT = "above_amount"
    OVER_BUDGET = "over_budget"
    UNBOUNDED = "unbounded"
    UNPRICED = "unpriced"


@dataclass(frozen=True, slots=True)
class CostFigures:
    """The expected cost of a batch and the most that it may cost, in USD.

    ``most_usd`` is None if nothing limits the cost: ``unbounded_requests`` set no ``max_tokens``.
    The ``unpriced`` models are in neither amount, which are None if no model has a price.
    """

    expected_usd: Decimal | None
    most_usd: Decimal | None
    unbounded_requests: int = 0
    unpriced: Sequence[str] = ()

    @property
    def is_unbounded(self) -> bool:
        """Return True if the batch may cost any amount."""
        return bool(self.unbounded_requests or self.unpriced)


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """The rule of a project: which batches need approval.

    A batch does that is expected to cost more than ``above_usd``, or that may cost more with
    ``by_most``; and, with ``if_unbounded``, each batch that may cost any amount.
    """

    above_usd: Decimal | None = None
    by_most: bool = False
    if_unbounded: bool = False

    @property
    def is_empty(self) -> bool:
        return self.above_usd is None and not self.if_unbounded

    def reasons(self, figures: CostFigures) -> list[dict[str, Any]]:
        """Return why the batch needs approval, each with its facts; nothing if it needs none.

        A cost that is not known is above any amount.
        """
        found: list[dict[str, Any]] = []
        amount = figures.most_usd if self.by_most else figures.expected_usd
        if self.above_usd is not None and amount is not None and amount > self.above_usd:
            found.append(
                {
                    "reason": ApprovalReason.ABOVE_AMOUNT,
                    "limit": str(self.above_usd),
                    "amount": str(amount),
                    "by_most": self.by_most,
                }
            )
        compares_most = self.by_most and self.above_usd is not None
        if figures.unbounded_requests and (self.if_unbounded or compares_most):
            requests = figures.unbounded_requests
            found.append({"reason": ApprovalReason.UNBOUNDED, "requests": requests})
        if figures.unpriced and not self.is_empty:
            found.append({"reason": ApprovalReason.UNPRICED, "models": [*figures.unpriced]})
        return found
