"""Which figures of a batch make it need approval."""

from decimal import Decimal

import pytest

from batchapp.domain.money.approval_policy import ApprovalPolicy, CostFigures

FIFTY = Decimal(50)


def codes(policy: ApprovalPolicy, figures: CostFigures) -> list[str]:
    return [row["reason"] for row in policy.reasons(figures)]


@pytest.mark.parametrize(
    ("expected", "most", "by_most", "needs"),
    [
        ("50", "60", False, False),
        ("50.00000001", "60", False, True),
        ("40", "50", True, False),
        ("40", "50.01", True, True),
    ],
)
def test_only_what_costs_more_than_the_amount_needs_approval(
    expected: str, most: str, by_most: bool, needs: bool
) -> None:
    figures = CostFigures(Decimal(expected), Decimal(most))

    assert codes(ApprovalPolicy(FIFTY, by_most), figures) == (["above_amount"] if needs else [])


def test_without_a_rule_nothing_needs_approval() -> None:
    figures = CostFigures(None, None, 3, ["a"])

    assert ApprovalPolicy().is_empty
    assert ApprovalPolicy().reasons(figures) == []


def test_a_most_that_is_not_known_is_above_any_amount_and_an_expected_cost_is_compared() -> None:
    figures = CostFigures(Decimal(1), None, unbounded_requests=3)

    assert codes(ApprovalPolicy(FIFTY, by_most=True), figures) == ["unbounded"]
    assert codes(ApprovalPolicy(FIFTY), figures) == []
    assert codes(ApprovalPolicy(if_unbounded=True), figures) == ["unbounded"]


def test_a_model_without_a_price_needs_approval_under_any_rule() -> None:
    figures = CostFigures(Decimal(1), None, unpriced=["a"])

    for policy in (ApprovalPolicy(FIFTY), ApprovalPolicy(if_unbounded=True)):
        assert "unpriced" in codes(policy, figures)


def test_the_facts_of_a_reason_are_exact() -> None:
    policy = ApprovalPolicy(Decimal("0.1"))

    (reason,) = policy.reasons(CostFigures(Decimal("0.30000001"), None))

    assert reason == {
        "reason": "above_amount",
        "limit": "0.1",
        "amount": "0.30000001",
        "by_most": False,
    }
