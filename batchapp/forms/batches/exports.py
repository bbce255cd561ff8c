"""The form that chooses the format and the columns of an export."""

from collections.abc import Sequence
from typing import Any

from django import forms

from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.forms.fields import SubmissionForm
from batchapp.services.results.exports.export_columns import ExportColumn
from batchapp.services.results.exports.formats import FORMATS

NO_FORMAT = "Choose a format."
NO_COLUMN = "Tick at least one column."


class ExportForm(SubmissionForm):
    """Offer ``columns``; while they are not known, an export has the usual ones."""

    format = forms.ChoiceField(
        choices=[(code, code) for code in FORMATS],
        error_messages={"required": NO_FORMAT, "invalid_choice": NO_FORMAT},
    )
    columns = forms.MultipleChoiceField(
        required=False,
        error_messages={"invalid_choice": "One of these columns is not there any more."},
    )
    has_all_rows = forms.BooleanField(required=False)
    has_bom = forms.BooleanField(required=False)
    has_guard = forms.BooleanField(required=False)

    def __init__(self, *args: Any, columns: Sequence[ExportColumn], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_choice = bool(columns)
        field = self.fields["columns"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(column.key, column.name) for column in columns]

    def clean(self) -> dict[str, Any]:
        code, keys = self.cleaned_data.get("format"), self.cleaned_data.get("columns")
        needs_columns = self._has_choice and code in FORMATS and FORMATS[code].has_columns
        if needs_columns and not keys and "columns" not in self.errors:
            self.add_error("columns", NO_COLUMN)
        return self.cleaned_data

    def settings_of(self, chosen: ResultFilter) -> ExportSettings:
        """Return what a valid form says, for the results ``chosen``."""
        cleaned = self.cleaned_data
        return ExportSettings(
            chosen=chosen,
            columns=tuple(cleaned["columns"]),
            has_all_rows=cleaned["has_all_rows"],
            has_bom=cleaned["has_bom"],
            has_guard=cleaned["has_guard"],
        )
