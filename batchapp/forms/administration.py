"""Forms for the lists of the administration: searches, filters, and the role of a person."""

from typing import Any

from django import forms

from batchapp.models import Connection
from batchapp.services.people.portal_roles import PortalRole

ROLES = [
    (PortalRole.NONE, "No role in the portal"),
    (PortalRole.AUDITOR, "Auditor"),
    (PortalRole.ADMINISTRATOR, "Administrator"),
]
STATES = [("", "Active"), ("deactivated", "Deactivated"), ("all", "All")]


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"dir": "auto"}),
    )

    def cleaned(self) -> dict[str, Any]:
        """Return the filters; those that are invalid filter nothing."""
        self.is_valid()
        return {name: self.cleaned_data.get(name) for name in self.fields}


class PeopleFilterForm(SearchForm):
    state = forms.ChoiceField(label="State", required=False, choices=STATES)
    role = forms.ChoiceField(
        label="Role in the portal", required=False, choices=[("", "Any role"), *ROLES[1:]]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["q"].widget.attrs["placeholder"] = "Search people"


class ProjectsFilterForm(SearchForm):
    connection = forms.ModelChoiceField(
        queryset=Connection.objects.all(), required=False, empty_label="All connections"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["q"].widget.attrs["placeholder"] = "Search projects"


class DeactivationForm(forms.Form):
    """The choice whether running batches on the keys of the person finish or are cancelled."""

    batches = forms.ChoiceField(
        choices=[("finish", "Let them finish"), ("cancel", "Cancel them")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what becomes of the batches."},
    )

    def __init__(self, *args: Any, asks: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks:
            del self.fields["batches"]


class PortalRoleForm(forms.Form):
    role = forms.ChoiceField(
        choices=ROLES, widget=forms.RadioSelect, error_messages={"required": "Choose a role."}
    )
    confirms = forms.BooleanField(required=False)

    def __init__(self, *args: Any, is_self: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_self = is_self

    def clean(self) -> None:
        role = self.cleaned_data.get("role")
        is_demotion = role and role != PortalRole.ADMINISTRATOR
        if self._is_self and is_demotion and not self.cleaned_data.get("confirms"):
            self.add_error(
                "confirms",
                "Tick this: afterwards only another administrator can give the role back to you.",
            )
