"""The filter of the inbox, and what is marked in it."""

from typing import Any

from django import forms

from batchapp.models import Membership, NoticeKind


class InboxFilterForm(forms.Form):
    """An invalid filter filters nothing."""

    project = forms.ChoiceField(label="Project", required=False)
    kind = forms.ChoiceField(label="Kind", required=False)

    def __init__(
        self,
        *args: Any,
        memberships: list[Membership],
        labels: dict[NoticeKind, str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        projects = [(row.project.slug, str(row.project)) for row in memberships]
        self.fields["project"].choices = [("", "All projects"), *projects]  # type: ignore[attr-defined]
        self.fields["kind"].choices = [("", "All kinds"), *labels.items()]  # type: ignore[attr-defined]

    def cleaned(self) -> dict[str, str]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


class InboxMarkForm(forms.Form):
    """What a button of the inbox does: to one item, to all that the filter shows, or undone."""

    ACTIONS = ("read", "unread", "all", "undo")

    action = forms.ChoiceField(choices=[(name, name) for name in ACTIONS])
    item = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    at = forms.DateTimeField(required=False, input_formats=["iso"])
