"""Fields and widgets that several forms share."""

import uuid
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    _ModelChoiceField = forms.ModelChoiceField[Any]
else:
    _ModelChoiceField = forms.ModelChoiceField


class RowField(_ModelChoiceField):
    """A row of the queryset; also a text that is no id is an invalid choice."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError as exc:
            message = self.error_messages["invalid_choice"]
            raise ValidationError(message, code="invalid_choice") from exc


class SubmissionForm(forms.Form):
    """``submission`` is created with the page, so that a form sent twice makes one file."""

    submission = forms.UUIDField(required=False, initial=uuid.uuid4)

    @property
    def hidden_submission(self) -> str:
        """The id that the page carries; a refused form keeps its id."""
        return str(self["submission"].value() or uuid.uuid4())

    @property
    def submission_id(self) -> UUID:
        """The ``submission``; a new id without it, and then a second click is not detected."""
        submission: UUID | None = self.cleaned_data.get("submission")
        return submission or uuid.uuid4()


def secret_input() -> forms.PasswordInput:
    attrs = {"autocomplete": "off", "spellcheck": "false", "data-1p-ignore": ""}
    return forms.PasswordInput(render_value=False, attrs=attrs)
