"""Forms by which a batch is approved or denied, and by which a project asks for it."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.domain.money.approval_policy import MAX_APPROVAL_DAYS
from batchapp.models import Project
from batchapp.models.approvals.approval_request import MAX_NOTE_LENGTH
from batchapp.services.approvals.policy import PolicySettings

AMOUNT = re.compile(r"[0-9]{1,7}(\.[0-9]{1,2})?", re.ASCII)
WHOLE_DAYS = f"Give a whole number of days from 1 to {MAX_APPROVAL_DAYS}."
APPROVE, DENY = "approve", "deny"
EXPECTED, MOST = "expected", "most"


class DecisionForm(forms.Form):
    """What was decided, with a note; ``shown`` stands for the prices that the page showed."""

    decision = forms.ChoiceField(choices=[(APPROVE, "Approve"), (DENY, "Deny")])
    shown = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTE_LENGTH,
        help_text="The person who ordered the batch reads it. A denial needs one.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("decision") == DENY and not self.cleaned_data.get("note"):
            self.add_error("note", "Say why, so that the person knows what to change.")


class DollarsField(forms.CharField):
    """An amount in USD with at most two decimals; None if the field is empty."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=20, widget=widget, required=False, **kwargs)

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).strip().removeprefix("$").replace(",", "")
        if not text:
            return None
        if not AMOUNT.fullmatch(text):
            raise ValidationError("Write an amount in USD like 50 or 12.50, or nothing.")
        return Decimal(text)


class ApprovalPolicyForm(forms.Form):
    above = DollarsField(
        label="Ask for approval above, in USD",
        help_text="A batch that costs more waits for an owner. 0 asks for every batch that costs "
        "anything; leave it empty to ask for none because of its cost.",
    )
    basis = forms.ChoiceField(
        label="Compare that amount with",
        choices=[
            (EXPECTED, "the expected cost"),
            (MOST, "the most that the batch may cost"),
        ],
        widget=forms.RadioSelect,
    )
    if_unbounded = forms.BooleanField(
        label="Ask also when nothing limits the cost: requests without max_tokens, or models "
        "without a price",
        required=False,
    )
    of_own = forms.BooleanField(
        label="Owners may approve batches that they ordered themselves", required=False
    )
    days = forms.IntegerField(
        label="Days to wait for an answer",
        min_value=1,
        max_value=MAX_APPROVAL_DAYS,
        help_text="Then the batch is cancelled. Nothing of it was sent.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "required": WHOLE_DAYS,
            "invalid": WHOLE_DAYS,
            "min_value": WHOLE_DAYS,
            "max_value": WHOLE_DAYS,
        },
    )

    @staticmethod
    def values_of(project: Project) -> dict[str, Any]:
        """Return the initial values of the form."""
        amount = project.approval_above_usd
        return {
            "above": "" if amount is None else f"{amount.normalize():f}",
            "basis": MOST if project.approval_by_most else EXPECTED,
            "if_unbounded": project.approval_if_unbounded,
            "of_own": project.approval_of_own,
            "days": project.approval_days,
        }

    def settings(self) -> PolicySettings:
        cleaned = self.cleaned_data
        return PolicySettings(
            above_usd=cleaned["above"],
            by_most=cleaned["basis"] == MOST,
            if_unbounded=cleaned["if_unbounded"],
            of_own=cleaned["of_own"],
            days=cleaned["days"],
        )
