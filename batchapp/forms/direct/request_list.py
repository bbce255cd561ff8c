"""The filters of the list of single requests."""

from typing import Any

from django import forms

from batchapp.forms.date_range import DaysForm
from batchapp.forms.fields import RowField
from batchapp.models import DirectRequest, PortalKey, Project, User
from batchapp.services.direct import request_list
from batchapp.services.direct.request_list import RequestScope

FILTERS = ("q", "person", "portal_key", "state")


class PersonField(RowField):
    def label_from_instance(self, obj: User) -> str:
        return "Service keys" if obj.is_service_account else str(obj)


class PortalKeyField(RowField):
    def label_from_instance(self, obj: PortalKey) -> str:
        return f"{obj.name} (service key)" if obj.is_service_key else f"{obj.name} ({obj.user})"


class DirectRequestFilterForm(DaysForm):
    """Filters of the page's address; an invalid one filters nothing, and shows its error."""

    days_label = "Sent"
    q = forms.CharField(
        label="Search models",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"dir": "auto", "placeholder": "Search models"}),
    )
    person = PersonField(queryset=User.objects.none(), required=False, empty_label="Everybody")
    portal_key = PortalKeyField(
        label="Portal key",
        queryset=PortalKey.objects.none(),
        required=False,
        empty_label="All portal keys",
    )
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "All states"), *DirectRequest.State.choices]
    )
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, viewer: User, project: Project) -> None:
        super().__init__(data)
        self._viewer, self._project = viewer, project
        fields: dict[str, Any] = self.fields
        fields["person"].queryset = request_list.people(project)
        fields["portal_key"].queryset = request_list.portal_keys(project)
        self.is_valid()

    def scope(self) -> RequestScope:
        cleaned = getattr(self, "cleaned_data", {})
        person, portal_key = cleaned.get("person"), cleaned.get("portal_key")
        return RequestScope(
            viewer=self._viewer,
            project=self._project,
            model=cleaned.get("q") or "",
            person=person and person.pk,
            portal_key=portal_key and portal_key.pk,
            state=cleaned.get("state") or "",
            first=cleaned.get("first"),
            last=cleaned.get("last"),
        )

    @property
    def shown(self) -> list[forms.BoundField]:
        """Return the fields in a row; the days have a menu of their own."""
        return [self[name] for name in FILTERS]

    @property
    def is_narrow(self) -> bool:
        return any(self.data.get(name) for name in (*FILTERS, "first", "last"))
