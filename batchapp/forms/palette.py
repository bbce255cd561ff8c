"""The search field of the command palette."""

from django import forms


class PaletteForm(forms.Form):
    q = forms.CharField(
        label="Name",
        required=False,
        max_length=200,
        widget=forms.SearchInput(
            attrs={"placeholder": "Page, project, batch or file", "autocomplete": "off"}
        ),
    )
