"""Ordering batches, and finding them again."""

import itertools
import uuid
from datetime import date, datetime, time, timedelta
from string import hexdigits
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from batchapp.forms.days import DaysForm
from batchapp.models import Batch, Connection, Part, Project, ProviderKey, User

if TYPE_CHECKING:
    _KeyChoice = forms.ModelChoiceField[ProviderKey]
else:
    _KeyChoice = forms.ModelChoiceField

NEEDS_ATTENTION = "needs_attention"
WITH_ERRORS = "with_errors"
LATE = "late"
UNFINISHED_RESULTS = Q(failed__gt=0) | Q(missing__gt=0)
ID_BEGINS = 8
"""Characters from which on a word may be the beginning of an id, ours or the provider's."""


class KeyField(_KeyChoice):
    """One of the provider keys a person may run a batch on; the project's come first."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("error_messages", {}).setdefault(
            "required", "Choose the provider key that pays for the batch."
        )
        super().__init__(queryset=ProviderKey.objects.none(), **kwargs)

    def offer(self, user: User, project: Project, *, besides: ProviderKey | None = None) -> None:
        keys = ProviderKey.objects.usable_by(user, project)
        if besides:
            keys = keys.exclude(pk=besides.pk)
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

    key = KeyField(label="Provider key", required=False)

    def __init__(self, *args: Any, user: User, batch: Batch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = self.fields["key"]
        if isinstance(key, KeyField):
            key.offer(user, batch.project, besides=batch.key)
            key.empty_label = f"{batch.key}, as before"


class Switch(forms.CheckboxInput):
    """A box that is ticked unless the address says ``no``: of an empty box browsers say nothing.

    A hidden twin before it, of the same name and the value ``no``, speaks for the empty one.
    """

    def value_from_datadict(self, data: Any, files: Any, name: str) -> bool:
        return bool(data.get(name) != "no")


class BatchFilterForm(DaysForm):
    """Which batches a list shows, in what order; it lives in the page's address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name, file or id", "autocomplete": "off"}),
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
            (LATE, "Late"),
            (Batch.Status.COMPLETED, "Completed"),
            (WITH_ERRORS, "Completed with errors"),
            (Batch.Status.FAILED, "Failed"),
            (Batch.Status.CANCELLED, "Cancelled"),
        ],
    )
    window = forms.ChoiceField(required=False)
    active_first = forms.BooleanField(required=False, widget=Switch)

    field_order = ["q", "status", "project", "window", "first", "last", "active_first"]

    def __init__(self, *args: Any, user: User, project: Project | None = None, **kwargs: Any):
        """Of ``project``, or of all that ``user`` may see."""
        super().__init__(*args, **kwargs)
        visible = Project.objects.visible_to(user)
        choice, window = self.fields["project"], self.fields["window"]
        if project:
            del self.fields["project"]
            offered = [project.connection.windows]
        else:
            connections = Connection.objects.filter(pk__in=visible.values("connection"))
            offered = list(connections.values_list("windows", flat=True))
        if isinstance(choice, forms.ModelChoiceField):
            choice.queryset = visible
        if isinstance(window, forms.ChoiceField):
            names = dict.fromkeys(itertools.chain.from_iterable(offered))
            window.choices = [("", "Any window"), *((name, name) for name in names)]

    @property
    def is_narrow(self) -> bool:
        """Whether it asks for less than everything."""
        asked = (self.data.get(name) for name in self.fields if name != "active_first")
        return any(asked)

    @property
    def wants_active_first(self) -> bool:
        return self.data.get("active_first") != "no"

    def narrow(self, batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
        """Those of ``batches`` that were asked for; none while the question makes no sense."""
        if not self.is_valid():
            return batches.none()
        asked = self.cleaned_data
        if asked.get("project"):
            batches = batches.filter(project=asked["project"])
        if window := asked["window"]:
            batches = batches.filter(window=window)
        if first := asked["first"]:
            batches = batches.filter(created_at__gte=_midnight(first))
        if last := asked["last"]:
            batches = batches.filter(created_at__lt=_midnight(last + timedelta(days=1)))
        if text := asked["q"]:
            batches = batches.filter(_mentions(text))
        return _in_status(batches, asked["status"])


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _mentions(text: str) -> Q:
    """What a person knows a batch by; of an id the beginning will do."""
    found = Q(name__icontains=text) | Q(upload__name__icontains=text)
    if len(text) < ID_BEGINS:
        return found
    parts = Part.objects.filter(upstream_id__istartswith=text)
    return found | _begins(text) | Q(pk__in=parts.values("batch"))


def _begins(text: str) -> Q:
    """Our ids that begin like ``text``: a range means the same with and without a uuid type."""
    digits = text.replace("-", "").lower()
    if not 0 < len(digits) <= 32 or not set(digits) <= set(hexdigits):
        return Q(pk__in=[])
    return Q(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))


def _in_status(batches: "QuerySet[Batch]", status: str) -> "QuerySet[Batch]":
    """A status as the pages name it, which says more than the row's own."""
    parts = Part.objects.filter(batch=OuterRef("pk"))
    if status == "active":
        return batches.exclude(status__in=Batch.OVER)
    if status == NEEDS_ATTENTION:
        stuck = Exists(parts.needing_attention())
        return batches.exclude(status__in=Batch.OVER).filter(stuck)
    if status == LATE:
        ended = Coalesce("ended_at", timezone.now())
        return batches.filter(Exists(parts.filter(expires_at__lt=ended)))
    if status == WITH_ERRORS:
        return batches.filter(UNFINISHED_RESULTS, status=Batch.Status.COMPLETED)
    if status == Batch.Status.COMPLETED:
        return batches.filter(failed=0, missing=0, status=status)
    return batches.filter(status=status) if status else batches
