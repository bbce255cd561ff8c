"""The place within the groups of problems of a batch, taken from the address of the page."""

from django import forms

from batchapp.domain.results.problem_groups import MAX_GROUPS


class ProblemPageForm(forms.Form):
    """``start`` is the position of the first group of the page, from 0."""

    start = forms.IntegerField(required=False, min_value=0, max_value=MAX_GROUPS)
