"""What pages, refusals and messages say of budgets."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from batchapp.models import Budget
from batchapp.models.budgets.month import month_after
from batchapp.presenters.sentences import Data, named
from batchapp.templatetags.words import usd


def budget_name(data: Mapping[str, Any]) -> str:
    """Return the name of the budget that ``data`` tells of, within a sentence."""
    return {
        Budget.Kind.PROJECT: f"the budget of {data['project']}",
        Budget.Kind.PERSON: f"the budget of {data['budget_name']} in {data['project']}",
        Budget.Kind.PORTAL_KEY: f"the budget of the portal key {data['budget_name']}",
        Budget.Kind.MODEL: f"the budget of {data['project']} for {data['budget_name']}",
    }[Budget.Kind(data["budget_kind"])]


def month_name(month: date | str) -> str:
    day = date.fromisoformat(month) if isinstance(month, str) else month
    return f"{day:%B %Y}"


def over_budget(data: Data) -> str:
    """Say how much is left, who may change it, and what else would help."""
    following = month_after(date.fromisoformat(data["month"]))
    return (
        f"This needs {usd(Decimal(data['needed']))}, and {budget_name(data)} has "
        f"{usd(Decimal(data['free']))} of {usd(Decimal(data['amount']))} left in "
        f"{month_name(data['month'])}, after what is spent and reserved. {_who_may_change(data)} "
        "Fewer requests, a cheaper model or a longer completion window need less. The next month "
        f"begins on {following:%-d %B}."
    )


def cost_unknown(data: Data) -> str:
    """Say why an order cannot be reserved, who may change the budget, and what else would help."""
    models = named(data["unknown"])
    if data["by_most"]:
        why = (
            f"Nothing limits what this may cost for {models}, so it cannot be reserved from "
            f"{budget_name(data)}. Set max_tokens in every request, or let an administrator enter "
            "the prices that are missing."
        )
    else:
        why = (
            f"There is no price for {models}, so what this may cost cannot be reserved from "
            f"{budget_name(data)}. Ask an administrator to enter the price, or choose another "
            "completion window or model."
        )
    return f"{why} {_who_may_change(data)}"


def _who_may_change(data: Data) -> str:
    owners = data["owners"]
    who = f"Owners of the project may change the budget: {', '.join(owners)}."
    return who if owners else "The project has no owner who may change the budget."
