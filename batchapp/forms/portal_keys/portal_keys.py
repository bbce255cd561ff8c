"""Forms that make, rotate and revoke portal keys."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from batchapp.models import PortalKey
from batchapp.services.portal_keys.portal_keys import OVERLAPS, SERVICE_SCOPES, KeySettings

LONGEST = 10 * 365  # days until an own date, the longest life of a key that ends
SCOPE_TEXTS = {
    PortalKey.Scope.READ: "Read: list models, download results, exports and reports",
    PortalKey.Scope.SUBMIT: "Read and submit: also run and cancel batches, send single requests",
    PortalKey.Scope.MANAGE: "Manage: also change settings of the project, never people or keys",
}
ON_DATE, NEVER = "date", "never"
EXPIRIES = [
    *((str(days), f"In {days} days") for days in (30, 90, 365)),
    (ON_DATE, "On a day of your choice"),
    (NEVER, "Never"),
]
OVERLAP_TEXTS = {
    0: "At once",
    1: "In 1 hour",
    24: "In 24 hours",
    72: "In 3 days",
}
MINE, OF_PROJECT = "person", "project"


class PortalKeyForm(forms.Form):
    """A new key in one project. ``scopes`` are those that the person's role has."""

    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
        help_text="So that you know later which script uses it, such as “nightly report”.",
        error_messages={"required": "Name the script or the machine that will use the key."},
    )
    owner = forms.ChoiceField(
        label="Whose key",
        widget=forms.RadioSelect,
        required=False,
        initial=MINE,
        choices=[
            (MINE, "Mine: it may do what I may, and stops when I leave the project"),
            (OF_PROJECT, "The project's, a service key: it goes on whoever leaves"),
        ],
    )
    scope = forms.ChoiceField(
        label="What it may do",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what the key may do."},
    )
    models = forms.MultipleChoiceField(
        label="Models",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Without a tick, the key may use every model of the project.",
    )
    expiry = forms.ChoiceField(
        label="Expires",
        choices=EXPIRIES,
        initial="90",
        error_messages={"required": "Choose when the key expires."},
    )
    day = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The key works until the end of this day.",
    )

    def __init__(
        self, *args: Any, scopes: Sequence[str], models: Sequence[str], is_owner: bool, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        choices = [(scope.value, text) for scope, text in SCOPE_TEXTS.items() if scope in scopes]
        self.fields["scope"].choices = choices  # type: ignore[attr-defined]
        # Most scripts submit; a viewer may only read.
        may_submit = PortalKey.Scope.SUBMIT in scopes
        self.fields["scope"].initial = (
            PortalKey.Scope.SUBMIT if may_submit else PortalKey.Scope.READ
        )
        self.fields["models"].choices = [(name, name) for name in models]  # type: ignore[attr-defined]
        if not is_owner:
            del self.fields["owner"]

    @property
    def is_service_key(self) -> bool:
        return self.cleaned_data.get("owner") == OF_PROJECT

    @property
    def chosen(self) -> KeySettings:
        return KeySettings(
            name=self.cleaned_data["name"],
            scope=PortalKey.Scope(self.cleaned_data["scope"]),
            models=self.cleaned_data["models"],
            expires_at=self.cleaned_data["expires_at"],
        )

    def clean(self) -> None:
        super().clean()
        if self.is_service_key and self.cleaned_data.get("scope") not in (*SERVICE_SCOPES, None):
            self.add_error(
                "scope", "A service key reads and submits. What owners decide is for people."
            )
        expiry = self.cleaned_data.get("expiry", NEVER)
        if expiry == ON_DATE:
            self.cleaned_data["expires_at"] = self._end_of_day()
        elif expiry == NEVER:
            self.cleaned_data["expires_at"] = None
        else:
            self.cleaned_data["expires_at"] = timezone.now() + timedelta(days=int(expiry))

    def _end_of_day(self) -> datetime | None:
        """Return the end of the chosen day in the time zone of the person."""
        day = self.cleaned_data.get("day")
        today = timezone.localdate()
        if day is None:
            if "day" not in self.errors:
                self.add_error("day", ValidationError("Choose the last day of the key."))
            return None
        if not today <= day <= today + timedelta(days=LONGEST):
            self.add_error("day", "Choose a day from today on, within ten years.")
            return None
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))


class RotationForm(forms.Form):
    """``current`` is the id of the secret that the page showed as the newest."""

    hours = forms.TypedChoiceField(
        label="The old secret stops",
        coerce=int,
        widget=forms.RadioSelect,
        initial=24,
        choices=[(hours, OVERLAP_TEXTS[hours]) for hours in OVERLAPS],
        error_messages={"required": "Choose when the old secret stops."},
    )
    current = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)


class RevocationForm(forms.Form):
    """The keys that the page or its checkboxes name."""

    key = forms.TypedMultipleChoiceField()

    def __init__(self, *args: Any, keys: Sequence[PortalKey], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["key"].choices = [(str(row.pk), row.name) for row in keys]  # type: ignore[attr-defined]
