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


MAX_CSV_BYTES = 512 * 1024


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


class CsvField(forms.FileField):
    """A CSV of moderate size in UTF-8, as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label="CSV",
            widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
            error_messages={"required": "Choose a CSV.", "empty": "The CSV is empty."},
            **kwargs,
        )

    def clean(self, data: Any, initial: Any = None) -> Any:
        file: Any = super().clean(data, initial)
        if (file.size or 0) > MAX_CSV_BYTES:
            raise ValidationError(
                f"The CSV has more than {MAX_CSV_BYTES // 1024} KiB. Split it into smaller ones."
            )
        try:
            return str(file.read(), "utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError("The CSV is not in UTF-8. Save it as “CSV UTF-8”.") from None


def secret_input() -> forms.PasswordInput:
    attrs = {"autocomplete": "off", "spellcheck": "false", "data-1p-ignore": ""}
    return forms.PasswordInput(render_value=False, attrs=attrs)
