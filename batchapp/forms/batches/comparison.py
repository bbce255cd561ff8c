"""The address of a comparison: its batches, its filter, and what counts as equal and as right."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from batchapp.domain.results.comparison import (
    LETTERS,
    MAX_BATCHES,
    Agreement,
    ComparisonFilter,
)
from batchapp.domain.results.outcome import Outcome

ALL, ONLY = "all", "only-"
NO_RESULT = "-"  # in the place of an outcome, for a batch without the custom_id
MAX_NAME_LENGTH = 100  # characters of the name of a field
HIGHEST_PAGE = 10**6


class ComparisonForm(forms.Form):
    """The parameters of a comparison, of which ``b`` and ``o`` may occur several times.

    ``b`` is the id of a batch, and ``o`` the outcome in each batch. An invalid value counts as
    none, so that an old address still shows the comparison.
    """

    show = forms.ChoiceField(
        required=False,
        choices=[
            (value, value)
            for value in ("", ALL, *Agreement, *(f"{ONLY}{letter}" for letter in LETTERS))
        ],
    )
    field = forms.CharField(label="Compare", required=False, max_length=MAX_NAME_LENGTH)
    ref = forms.CharField(label="Right are", required=False, max_length=20)
    loose = forms.BooleanField(label="Ignore case and spaces", required=False)
    page = forms.IntegerField(required=False, min_value=1, max_value=HIGHEST_PAGE)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self._given = data
        self.is_valid()

    @property
    def batches(self) -> list[UUID]:
        """Return the ids of batches, each once and in order; ids that are none are left out."""
        pks = []
        for text in self._given.getlist("b")[: MAX_BATCHES + 1]:
            try:
                pks.append(UUID(text))
            except ValueError:
                continue
        return list(dict.fromkeys(pks))

    @property
    def is_loose(self) -> bool:
        return bool(self.cleaned_data.get("loose"))

    @property
    def reference(self) -> str:
        return str(self.cleaned_data.get("ref") or "")

    @property
    def page_number(self) -> int:
        return self.cleaned_data.get("page") or 1

    @property
    def shown(self) -> str:
        """Return the kind of rows: those that disagree, unless another kind is named."""
        default = ALL if self._outcomes else Agreement.DISAGREE.value
        return str(self.cleaned_data.get("show") or default)

    @property
    def chosen(self) -> ComparisonFilter:
        values: dict[str, Any] = {"field": self.cleaned_data.get("field") or ""}
        if self.shown.startswith(ONLY):
            values["only"] = LETTERS.index(self.shown.removeprefix(ONLY))
        elif self.shown != ALL:
            values["agreement"] = Agreement(self.shown)
        return ComparisonFilter(outcomes=self._outcomes, **values)

    @property
    def _outcomes(self) -> tuple[str, ...]:
        given = self._given.getlist("o")[:MAX_BATCHES]
        is_known = all(value == NO_RESULT or value in set(Outcome) for value in given)
        return tuple(value.removeprefix(NO_RESULT) for value in given) if is_known else ()
