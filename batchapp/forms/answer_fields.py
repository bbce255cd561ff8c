"""The fields of an answer as rows of a form, which also work without a script."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from batchapp.domain.tables.answer_fields import (
    MAX_CHOICES,
    MAX_FIELDS,
    MAX_NAME_LENGTH,
    AnswerField,
    FieldType,
)

TYPE_LABELS = [
    (FieldType.TEXT, "Text"),
    (FieldType.NUMBER, "Number"),
    (FieldType.YES_NO, "Yes or no"),
    (FieldType.CHOICE, "Choice"),
    (FieldType.LIST, "List"),
]
WITH_CHOICES = {FieldType.CHOICE, FieldType.LIST}
EMPTY_ROW: dict[str, Any] = {"name": "", "type": FieldType.TEXT, "choices": "", "required": True}


class AnswerFieldForm(forms.Form):
    """One row; a row without a name is left out."""

    name = forms.CharField(
        required=False,
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    type = forms.ChoiceField(choices=TYPE_LABELS, initial=FieldType.TEXT)
    choices = forms.CharField(
        required=False,
        max_length=5_000,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "dir": "auto", "placeholder": "low, medium, high"}
        ),
    )
    required = forms.BooleanField(required=False, initial=True)

    def clean_choices(self) -> tuple[str, ...]:
        texts = [text.strip() for text in self.cleaned_data["choices"].split(",")]
        choices = tuple(dict.fromkeys(filter(None, texts)))
        if len(choices) > MAX_CHOICES:
            raise ValidationError(f"Give at most {MAX_CHOICES} choices.")
        return choices

    def clean(self) -> None:
        name, kind = self.cleaned_data.get("name"), self.cleaned_data.get("type")
        choices = self.cleaned_data.get("choices")
        if kind == FieldType.CHOICE and name and choices is not None and len(choices) == 0:
            self.add_error("choices", "Name the choices, with commas between them.")
        if not name and choices:
            self.add_error("name", "Give the field a name.")

    @property
    def field(self) -> AnswerField | None:
        """Return the field of a valid row, None for a row without a name."""
        cleaned = self.cleaned_data
        if not cleaned.get("name"):
            return None
        kind = FieldType(cleaned["type"])
        choices = cleaned["choices"] if kind in WITH_CHOICES else ()
        return AnswerField(cleaned["name"], kind, choices, cleaned["required"])


if TYPE_CHECKING:
    _FieldSet = forms.BaseFormSet[AnswerFieldForm]
else:
    _FieldSet = forms.BaseFormSet


class AnswerFieldSet(_FieldSet):
    def clean(self) -> None:
        if any(self.errors):
            return
        names = [field.name for field in self.answer_fields]
        if not names:
            raise ValidationError("Name at least one field of the answer.")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValidationError(f"Two fields are called {twice[0]}. Give each its own name.")

    @property
    def answer_fields(self) -> list[AnswerField]:
        return [field for form in self.forms if (field := form.field)]

    def focus_last(self) -> None:
        """Let the page put the cursor into the name of the last row."""
        self.forms[-1].fields["name"].widget.attrs["autofocus"] = True

    def values(self) -> list[dict[str, Any]]:
        """Return what the rows show, valid or not."""
        return [{name: form[name].value() for name in EMPTY_ROW} for form in self.forms]


_CompleteFieldSet = forms.formset_factory(
    AnswerFieldForm,
    formset=AnswerFieldSet,
    extra=0,
    max_num=MAX_FIELDS,
    absolute_max=MAX_FIELDS,
    validate_max=True,
)


def answer_field_set(data: QueryDict | None, rows: list[dict[str, Any]]) -> AnswerFieldSet:
    """Return the rows of ``data``, or without data rows with these values."""
    return cast(AnswerFieldSet, _CompleteFieldSet(data, initial=rows or None, prefix="field"))


def rows_of(fields: Sequence[AnswerField]) -> list[dict[str, Any]]:
    """Return the values of rows that show ``fields``, or one empty row."""
    rows = [
        {
            "name": field.name,
            "type": field.type,
            "choices": ", ".join(field.choices),
            "required": field.is_required,
        }
        for field in fields
    ]
    return rows or [EMPTY_ROW]


def change_rows(rows: list[dict[str, Any]], data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows after the button of ``data`` was pressed: one more, or one less."""
    removed = data.get("remove_field", "")
    rows = [row for number, row in enumerate(rows) if str(number) != removed]
    if "add_field" in data and len(rows) < MAX_FIELDS:
        rows = [*rows, EMPTY_ROW]
    return rows or [EMPTY_ROW]
