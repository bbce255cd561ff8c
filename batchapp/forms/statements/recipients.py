"""Forms that add an address to which statements are mailed."""

from django import forms
from django.core.exceptions import ValidationError

from batchapp.forms.labels import CostCentreField


class RecipientForm(forms.Form):
    """An address that gets the statements of a project."""

    email = forms.EmailField(
        label="E-mail address",
        help_text="Of anybody, such as an accountant. No account is needed.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Enter the address to mail the statements to."},
    )


class CostCentreRecipientForm(RecipientForm):
    """An address that gets the statements of one cost centre, in all projects."""

    cost_centre = CostCentreField(
        label="Cost centre", help_text="As batches have it. All projects are added up."
    )
    field_order = ("cost_centre", "email")

    def clean_cost_centre(self) -> str:
        cost_centre: str = self.cleaned_data["cost_centre"]
        if not cost_centre:
            raise ValidationError("Enter the cost centre.")
        return cost_centre
