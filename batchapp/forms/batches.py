"""Ordering batches, and finding them again."""

import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from batchapp.models import Batch, Part, Project, ProviderKey, User

if TYPE_CHECKING:
    _KeyChoice = forms.ModelChoiceField[ProviderKey]
else:
    _KeyChoice = forms.ModelChoiceField

NEEDS_ATTENTION = "needs_attention"
WITH_ERRORS = "with_errors"
UNFINISHED_RESULTS = Q(failed__gt=0) | Q(missing__gt=0)


class KeyField(_KeyChoice):
    """One of the provider keys a person may run a batch on; the project's come first."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("error_messages", {}).setdefault(
            "required", "Choose the provider key that pays for the batch."
        )
        super().__init__(queryset=ProviderKey.objects.none(), **kwargs)

    def offer(self, user: User, project: Project) -> None:
        keys = ProviderKey.objects.usable_by(user, project)
        self.queryset = keys.order_by(F("project").asc(nulls_last=True), "created_at")

    def label_from_instance(self, obj: ProviderKey) -> str:
        return f"{obj}, of the project" if obj.project_id else f"{obj}, yours"


class OrderForm(forms.Form):
    """What it takes to run a file. ``submission`` makes a second click name the same batch.

    ``shown`` tells at which prices the page was looked at.
    """

    name = forms.CharField(max_length=200, required=False)
    window = forms.ChoiceField(
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": "Choose one of the completion windows on offer."},
    )
    key = KeyField(label="Provider key", empty_label=None)
    submission = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    shown = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        windows = project.connection.windows
        window, key = self.fields["window"], self.fields["key"]
        if isinstance(window, forms.ChoiceField) and isinstance(key, KeyField):
            window.choices = [(each, each) for each in windows]
            key.offer(user, project)
        self.initial.setdefault("window", windows[0] if windows else None)


class TryAgainForm(forms.Form):
    """Which key to go on with; left empty, the one it has."""

    key = KeyField(label="Provider key", required=False, empty_label="The same key as before")

    def __init__(self, *args: Any, user: User, batch: Batch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = self.fields["key"]
        if isinstance(key, KeyField):
            key.offer(user, batch.project)


class BatchFilterForm(forms.Form):
    """Which batches a list shows; it lives in the page's address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name or file", "autocomplete": "off"}),
    )
    project = forms.ModelChoiceField(
        queryset=Project.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label="All projects",
        error_messages={"invalid_choice": "There is no such project. Choose another."},
    )
    status = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any status"),
            ("active", "Under way"),
            (NEEDS_ATTENTION, "Needs attention"),
            (Batch.Status.COMPLETED, "Completed"),
            (WITH_ERRORS, "Completed with errors"),
            (Batch.Status.FAILED, "Failed"),
            (Batch.Status.CANCELLED, "Cancelled"),
        ],
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        project = self.fields["project"]
        if isinstance(project, forms.ModelChoiceField):
            project.queryset = Project.objects.visible_to(user)

    def narrow(self, batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
        """Those of ``batches`` that were asked for; none while the question makes no sense."""
        if not self.is_valid():
            return batches.none()
        asked = self.cleaned_data
        if asked.get("project"):
            batches = batches.filter(project=asked["project"])
        if text := asked["q"]:
            batches = batches.filter(Q(name__icontains=text) | Q(upload__name__icontains=text))
        return _in_status(batches, asked["status"])


def _in_status(batches: "QuerySet[Batch]", status: str) -> "QuerySet[Batch]":
    """A status as the pages name it, which says more than the row's own."""
    stuck = Part.objects.needing_attention().filter(batch=OuterRef("pk"))
    if status == "active":
        return batches.exclude(status__in=Batch.OVER)
    if status == NEEDS_ATTENTION:
        return batches.exclude(status__in=Batch.OVER).filter(Exists(stuck))
    if status == WITH_ERRORS:
        return batches.filter(UNFINISHED_RESULTS, status=Batch.Status.COMPLETED)
    if status == Batch.Status.COMPLETED:
        return batches.filter(failed=0, missing=0, status=status)
    return batches.filter(status=status) if status else batches
