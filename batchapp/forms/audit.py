"""The filters of the audit."""

from typing import Any

from django import forms

from batchapp.forms.date_range import DaysForm
from batchapp.models import AuditArea, Project, User
from batchapp.services.audit.browse import NOBODY, AuditScope, people

MAX_PK = 2**63 - 1


class AuditFilterForm(DaysForm):
    """Filters of the page's address; an invalid one filters nothing, and shows its error."""

    q = forms.CharField(
        label="Search names",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"dir": "auto", "placeholder": "Search names"}),
    )
    area = forms.ChoiceField(
        label="Kind", required=False, choices=[("", "Everything"), *AuditArea.choices]
    )
    person = forms.IntegerField(
        label="Person", required=False, min_value=0, max_value=MAX_PK, widget=forms.Select
    )
    project = forms.ModelChoiceField(
        queryset=Project.objects.order_by("name"),
        to_field_name="slug",
        required=False,
        empty_label="All projects",
    )
    after = forms.IntegerField(
        required=False, min_value=0, max_value=MAX_PK, widget=forms.HiddenInput
    )

    def __init__(self, data: Any, *, viewer: User, of_project: Project | None = None) -> None:
        super().__init__(data)
        self._viewer, self._of_project = viewer, of_project
        if of_project:
            del self.fields["project"]
        self.is_valid()
        scope = self.scope()
        choices = [("", "Everybody"), *people(scope)]
        if scope.is_of_portal:
            choices.append((NOBODY, "Nobody: commands, the portal, strangers"))
        self.fields["person"].widget.choices = choices

    def scope(self) -> AuditScope:
        cleaned = getattr(self, "cleaned_data", {})
        return AuditScope(
            viewer=self._viewer,
            project=self._of_project or cleaned.get("project"),
            is_of_portal=self._of_project is None,
            person=cleaned.get("person"),
            area=cleaned.get("area") or "",
            first=cleaned.get("first"),
            last=cleaned.get("last"),
            text=cleaned.get("q") or "",
        )

    @property
    def shown(self) -> list[forms.BoundField]:
        """Return the fields in a row; the days have a menu of their own."""
        names = ("q", "area", "person", "project")
        return [self[name] for name in names if name in self.fields]

    @property
    def is_narrow(self) -> bool:
        names = ("q", "area", "person", "project", "first", "last")
        return any(self.data.get(name) for name in names)
