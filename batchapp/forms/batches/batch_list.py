"""The filters of a list of batches."""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from string import hexdigits
from typing import Any, Protocol
from uuid import UUID

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.forms.utils import ErrorList
from django.utils import timezone

from batchapp.domain.windows import spaced
from batchapp.forms.date_range import DaysForm
from batchapp.models import Batch, BatchTag, Project, ProviderBatch
from batchapp.models.batches.small_batches import small_batches
from batchapp.services.labels.list_choices import list_choices

FILTER_FIELDS = (  # in the address of a list, in the order of the page
    *("q", "status", "project", "person", "tag", "window"),
    *("source", "portal_key", "first", "last", "active_first"),
)
ACTIVE = "active"
LATE = "late"
STATUSES = [("", "Any status"), (ACTIVE, "Under way"), (LATE, "Late")]
PAGES, API, SMALL = "pages", "api", "small"
SOURCES = [("", "Any source"), (PAGES, "Made here"), (API, "By API"), (SMALL, "Small, by API")]
MIN_ID_LENGTH = 8  # characters; shorter words are not searched as the beginning of an id


class State(Protocol):
    """A state of a batch, with the condition for its batches."""

    @property
    def code(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def condition(self) -> Q: ...


class Switch(forms.CheckboxInput):
    """A box that is ticked unless the address says ``no``.

    Browsers send nothing for an empty box, so the page has a hidden field before it, of the same
    name and with the value ``no``.
    """

    def value_from_datadict(self, data: Any, files: Any, name: str) -> bool:
        return bool(data.get(name) != "no")


class BatchFilterForm(DaysForm):
    """The filters and the order of a list of batches, taken from the page's address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name, file or id", "autocomplete": "off"}),
    )
    project = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "There is no such project. Choose another."},
    )
    status = forms.ChoiceField(required=False)
    window = forms.ChoiceField(required=False)
    person = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "Nobody here has ordered a batch by that id."},
    )
    tag = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "No batch here has this tag any more. Choose another."},
    )
    source = forms.ChoiceField(required=False, choices=SOURCES)
    portal_key = forms.ChoiceField(
        label="Portal key",
        required=False,
        error_messages={"invalid_choice": "There is no such portal key here. Choose another."},
    )
    active_first = forms.BooleanField(required=False, widget=Switch)

    field_order = list(FILTER_FIELDS)

    def __init__(
        self, *args: Any, projects: list[Project], states: Sequence[State], **kwargs: Any
    ) -> None:
        """Offer ``projects``, each with its connection, their windows, and ``states``."""
        super().__init__(*args, **kwargs)
        self._projects = projects
        self._project_names = {row.slug: row.name for row in projects}
        self._conditions = {state.code: state.condition for state in states}
        status = self.fields["status"]
        if isinstance(status, forms.ChoiceField):
            status.choices = [*STATUSES, *((state.code, state.label) for state in states)]
        project, window = self.fields["project"], self.fields["window"]
        offered = (project.connection.windows for project in projects)
        names = dict.fromkeys(itertools.chain.from_iterable(offered))
        if isinstance(window, forms.ChoiceField):
            window.choices = [("", "Any window"), *((name, spaced(name)) for name in names)]
        choices_of = list_choices(projects)
        for name, all_of_them, choices in (
            ("person", "Anybody", choices_of.people),
            ("tag", "Any tag", [(tag, tag) for tag in choices_of.tags]),
            ("portal_key", "Any portal key", choices_of.portal_keys),
        ):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", all_of_them), *choices]
        if isinstance(project, forms.ChoiceField):
            project.choices = [("", "All projects"), *self._project_names.items()]

    @property
    def choices(self) -> list[forms.BoundField]:
        """Return the fields beside the range of days and the switch."""
        return [field for field in self if field.name not in {"first", "last", "active_first"}]

    @property
    def choice_errors(self) -> ErrorList:
        """Return what is wrong with the fields beside the range of days, without repeats."""
        texts = [str(text) for field in self.choices for text in field.errors]
        return ErrorList(list(dict.fromkeys(texts)))

    @property
    def is_narrow(self) -> bool:
        """Return True if the filters leave out any batch."""
        return any(self.data.get(name) for name in self.fields if name != "active_first")

    @property
    def project_label(self) -> str:
        """Return the name of the chosen project, or "all projects"."""
        return self._project_names.get(self.data.get("project", ""), "all projects")

    @property
    def searches_only(self) -> bool:
        """Return True if the search is the only filter."""
        others = self.fields.keys() - {"q", "active_first"}
        return not any(self.data.get(name) for name in others)

    @property
    def wants_active_first(self) -> bool:
        return self.data.get("active_first") != "no"

    @property
    def groups_small(self) -> bool:
        """Return True if the list may tell small batches of scripts in one line.

        It shows them once a person searches, or filters by anything that may be about them.
        """
        names = ("q", "source", "portal_key", "tag", "status")
        return not any(self.data.get(name) for name in names)

    def narrow(self, batches: "QuerySet[Batch]") -> "QuerySet[Batch]":
        """Filter ``batches``; an invalid form leaves none."""
        if not self.is_valid():
            return batches.none()
        cleaned = self.cleaned_data
        for name, column in _COLUMNS.items():
            if value := cleaned.get(name):
                batches = batches.filter(**{column: value})
        if tag := cleaned["tag"]:
            tagged = BatchTag.objects.filter(tag__name=tag, tag__project__in=self._projects)
            batches = batches.filter(pk__in=tagged.values("batch"))
        if source := cleaned["source"]:
            batches = batches.filter(_SOURCES[source]())
        if first := cleaned["first"]:
            batches = batches.filter(created_at__gte=_midnight(first))
        if last := cleaned["last"]:
            batches = batches.filter(created_at__lt=_midnight(last + timedelta(days=1)))
        if text := cleaned["q"]:
            batches = batches.filter(_mentions(text))
        return self._in_status(batches, cleaned["status"])

    def _in_status(self, batches: "QuerySet[Batch]", status: str) -> "QuerySet[Batch]":
        """Filter by a state as pages name it, which says more than the status of the row."""
        if status == ACTIVE:
            return batches.filter(status__in=Batch.UNFINISHED)
        if status == LATE:
            late = ProviderBatch.objects.filter(
                batch=OuterRef("pk"), expires_at__lt=Coalesce("ended_at", timezone.now())
            )
            return batches.filter(Exists(late))
        return batches.filter(self._conditions[status]) if status else batches


_COLUMNS = {
    "project": "project__slug",
    "person": "created_by",
    "portal_key": "portal_key",
    "window": "window",
}
_SOURCES = {
    PAGES: lambda: Q(portal_key=None),
    API: lambda: Q(portal_key__isnull=False),
    SMALL: small_batches,
}


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _mentions(text: str) -> Q:
    """Match names of batches and files, and beginnings of ids."""
    by_name = Q(name__icontains=text) | Q(upload__name__icontains=text)
    if len(text) < MIN_ID_LENGTH:
        return by_name
    provider_batches = ProviderBatch.objects.filter(remote_id__istartswith=text)
    return by_name | _id_begins(text) | Q(pk__in=provider_batches.values("batch"))


def _id_begins(text: str) -> Q:
    """Match our ids that begin with ``text``."""
    # A range means the same on databases with and without a UUID type.
    digits = text.replace("-", "").lower()
    if not 0 < len(digits) <= 32 or not set(digits) <= set(hexdigits):
        return Q(pk__in=[])
    return Q(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
