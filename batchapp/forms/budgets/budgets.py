"""Forms that set and change budgets, and what orders reserve of them."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.domain.money.budgets import LEVELS, ReservePolicy
from batchapp.forms.fields import RowField
from batchapp.models import Budget, PortalKey, Project, User
from batchapp.services.budgets.budgets import BudgetSettings

MAX_USD = Decimal(1_000_000_000)
MAX_PERCENT = 500  # of the expected cost: more would refuse nearly everything
AMOUNT = f"Give an amount in US dollars from 0 to {MAX_USD:,}, such as 250 or 99.50."
PERCENT = f"Give a whole number from 100 to {MAX_PERCENT}."
OVER_TEXTS = {
    Budget.Over.STOP: "Refuse it, and say how much is left",
    Budget.Over.APPROVAL: "Let it wait for the approval of an owner",
    Budget.Over.TELL: "Place it, and only tell the owners",
}


class BudgetForm(forms.Form):
    """The amount and the rules of a budget."""

    amount = forms.DecimalField(
        label="Amount each month, in US dollars",
        min_value=0,
        max_value=MAX_USD,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="It counts from the first to the last day of each month.",
        error_messages=dict.fromkeys(
            (
                *("required", "invalid", "min_value", "max_value"),
                *("max_decimal_places", "max_digits", "max_whole_digits"),
            ),
            AMOUNT,
        ),
    )
    when_over = forms.ChoiceField(
        label="An order for which too little is left",
        choices=list(OVER_TEXTS.items()),
        initial=Budget.Over.STOP,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what happens to such an order."},
    )
    levels = forms.TypedMultipleChoiceField(
        label="Tell when so much is spent and reserved",
        choices=[(level, f"{level} %") for level in LEVELS],
        coerce=int,
        initial=LEVELS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    @property
    def settings(self) -> BudgetSettings:
        """Return what a valid form says."""
        cleaned = self.cleaned_data
        return BudgetSettings(cleaned["amount"], cleaned["when_over"], tuple(cleaned["levels"]))


class NewBudgetForm(BudgetForm):
    """A budget of the project, or of a person, a portal key or a model in it."""

    kind = forms.ChoiceField(
        label="What it limits",
        choices=Budget.Kind.choices,
        initial=Budget.Kind.PROJECT,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what the budget limits."},
    )
    person = RowField(queryset=None, required=False, label="Person")
    portal_key = RowField(queryset=None, required=False, label="Portal key")
    model = forms.CharField(
        max_length=200,
        required=False,
        help_text="As the requests of the files name it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "models"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.people().filter(memberships__project=project).order_by("email")
        keys = PortalKey.objects.kept().filter(project=project).order_by("name")
        for name, rows in (("person", people), ("portal_key", keys)):
            field = self.fields[name]
            if isinstance(field, RowField):
                field.queryset = rows

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kind = cleaned.get("kind")
        if kind in MISSING and not cleaned.get(kind) and kind not in self.errors:
            self.add_error(kind, ValidationError(MISSING[kind]))
        return cleaned

    @property
    def subject(self) -> User | PortalKey | str | None:
        """Return whose budget a valid form sets; None for the whole project."""
        subject: User | PortalKey | str | None = self.cleaned_data.get(self.cleaned_data["kind"])
        return subject


MISSING = {
    Budget.Kind.PERSON: "Choose a member of the project.",
    Budget.Kind.PORTAL_KEY: "Choose a portal key of the project.",
    Budget.Kind.MODEL: "Name a model.",
}


class ReserveForm(forms.Form):
    """What an order reserves: a share of the expected cost, or the most."""

    by = forms.ChoiceField(
        label="An order reserves",
        choices=[
            ("expected", "The expected cost, with a margin"),
            ("most", "The most that it may cost"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what an order reserves."},
    )
    percent = forms.IntegerField(
        label="Per cent of the expected cost",
        min_value=100,
        max_value=MAX_PERCENT,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), PERCENT),
    )

    @property
    def policy(self) -> ReservePolicy:
        """Return what a valid form says."""
        return ReservePolicy(self.cleaned_data["by"] == "most", self.cleaned_data["percent"])


def initial_of(budget: Budget) -> dict[str, Any]:
    """Return the values of a form that changes ``budget``."""
    amount = Decimal(budget.amount_usd or 0)
    return {
        "amount": amount.quantize(Decimal("0.01")),
        "when_over": budget.when_over,
        "levels": budget.alert_levels,
    }


def initial_of_policy(policy: ReservePolicy) -> dict[str, Any]:
    return {"by": "most" if policy.by_most else "expected", "percent": policy.percent}
