"""The form that chooses which requests of a file are not sent."""

from typing import Any

from django import forms

from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.forms.fields import SubmissionForm

NO_CHOICE = "Tick what should not be sent, or run the whole file."


class ReuseForm(SubmissionForm):
    """By default nothing is ticked: everything is sent."""

    keep = forms.BooleanField(required=False)
    keep_sampled = forms.BooleanField(required=False)
    once = forms.BooleanField(required=False)
    once_sampled = forms.BooleanField(required=False)

    @property
    def choice(self) -> ReuseChoice:
        """Return what was ticked in a valid form."""
        names = ReuseChoice.__struct_fields__
        return ReuseChoice(**{name: self.cleaned_data[name] for name in names})

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(cleaned.get(name) for name in ReuseChoice.__struct_fields__):
            raise forms.ValidationError(NO_CHOICE)
        return cleaned
