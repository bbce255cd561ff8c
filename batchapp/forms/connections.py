"""Forms for a connection: its address, windows, limits and abilities, and its platform key."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.http import QueryDict

from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.forms.keys import SecretForm
from batchapp.models import REALTIME, Batch, Connection
from batchapp.providers import kinds
from batchapp.providers.http import tidy_url

MIB = 1024 * 1024
MOST = 2**31 - 1  # of an integer column
MAX_WINDOWS = 20
URL_PATH = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)  # compared with the url of a request exactly
UNKNOWN, YES, NO = "", "yes", "no"
STORED = {UNKNOWN: None, YES: True, NO: False}
CHOSEN = {value: choice for choice, value in STORED.items()}
SIZES = {
    "max_file_mib": "max_file_bytes",
    "max_body_mib": "max_body_bytes",
    "max_upload_mib": "max_upload_bytes",
}


class WindowRows(forms.TextInput):
    """One input for each window, all of one name."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [text.strip() for text in data.getlist(name)]


class WindowsField(forms.Field):
    """The names of completion windows, the usual one first; empty rows do not count."""

    widget = WindowRows

    def clean(self, value: Any) -> list[str]:
        windows = [text for text in value if text]
        longest = Batch._meta.get_field("window").max_length or 0
        if not windows:
            raise ValidationError("Name at least one window, such as 24h.")
        if len(windows) > MAX_WINDOWS:
            raise ValidationError(f"Name at most {MAX_WINDOWS} windows.")
        if any(len(name) > longest or not name.isprintable() for name in windows):
            raise ValidationError(f"The name of a window has at most {longest} characters.")
        if REALTIME in windows or len(set(windows)) < len(windows):
            raise ValidationError(
                f"Name each window once, and none “{REALTIME}”: windows are compared with it."
            )
        return windows


class MebibytesField(forms.DecimalField):
    """A size in MiB, which is stored in bytes."""

    def __init__(self, label: str, most: int, help_text: str = "") -> None:
        super().__init__(
            label=label,
            help_text=help_text,
            min_value=Decimal("0.0000001"),
            max_value=Decimal(most // MIB),
            decimal_places=7,
        )

    def clean(self, value: Any) -> int:
        size: Decimal = super().clean(value)
        return max(1, round(size * MIB))

    @staticmethod
    def shown(size: int) -> str:
        """Return ``size`` in MiB, such as "200" or "0.5"."""
        text = f"{Decimal(size) / MIB:.7f}"
        return text.rstrip("0").rstrip(".")


def _count(label: str, help_text: str = "", **options: Any) -> forms.IntegerField:
    options.setdefault("min_value", 1)
    return forms.IntegerField(label=label, help_text=help_text, max_value=MOST, **options)


def _ability(label: str) -> forms.ChoiceField:
    choices = [(UNKNOWN, "As the kind of provider can"), (YES, "Yes"), (NO, "No")]
    return forms.ChoiceField(label=label, required=False, choices=choices)


class ConnectionForm(forms.Form):
    """All that a person sets on a connection, except its platform key."""

    name = forms.CharField(max_length=100, widget=forms.TextInput({"autocomplete": "off"}))
    base_url = forms.CharField(
        label="Address",
        max_length=300,
        widget=forms.URLInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text="For example https://api.doubleword.ai. Keys are sent there, and only to the "
        "address that they were entered for. /v1 is appended, unless the path names another "
        "version, such as /v1beta/openai.",
        error_messages={"required": "Type the address of the provider."},
    )
    kind = forms.ChoiceField(
        label="Kind",
        required=False,
        choices=[
            (kinds.UNKNOWN.name, "Find out when a key is tested"),
            *((kind.name, kind.label) for kind in kinds.KINDS.values()),
        ],
        help_text="What the provider can do beyond the plain batch API. Nothing is assumed of one "
        "whose kind is not known.",
    )
    confirms_address = forms.BooleanField(
        label="Change the address; the keys are entered again", required=False
    )
    windows = WindowsField(
        label="Completion windows", help_text="The usual one first, spelled as the provider does."
    )
    max_file_mib = MebibytesField("Largest file, in MiB", 2**60, "A larger file is split.")
    max_requests = _count("Most requests of one file", "Empty: no limit.", required=False)
    max_body_mib = MebibytesField("Largest request, in MiB", MOST)
    max_upload_mib = MebibytesField(
        "Largest upload here, in MiB", 2**60, "Of one file in the portal, before it is split."
    )
    max_active = _count(
        "Slots", "How many batches may be at the provider at one time. Empty: any.", required=False
    )
    poll_seconds = _count("Seconds between two polls", "Of the running batches.")
    create_grace_seconds = _count(
        "Seconds of search for an unconfirmed batch",
        "Then a batch whose creation was never confirmed is created again.",
        min_value=0,
    )
    stall_minutes = _count("Minutes without an answer until an alert", "Of a running batch.")
    alarm_percent = _count(
        "Percent of failed requests until an alert", "Of a running batch.", min_value=0
    )
    extra_urls = forms.CharField(
        label="Further endpoints",
        required=False,
        max_length=4_000,
        widget=forms.Textarea({"rows": 2, "spellcheck": "false"}),
        help_text="One a line, such as /v1/rerank. The check looks only for the model in such a "
        "request.",
    )
    has_partial_results = _ability("Results can be read while a batch runs")
    has_retry = _ability("Failed requests can be retried in place, and batches paused")
    is_sandbox = forms.BooleanField(label="A sandbox: nothing is paid", required=False)
    reasoning_effort_only = forms.ChoiceField(
        label="Fields for reasoning",
        required=False,
        choices=[
            (UNKNOWN, "As known of the provider"),
            (YES, "Only reasoning_effort"),
            (NO, "Any"),
        ],
    )

    PROVIDER = ("name", "base_url", "kind")
    FILES = ("max_file_mib", "max_requests", "max_body_mib", "max_upload_mib", "extra_urls")
    PACE = (
        *("max_active", "poll_seconds", "create_grace_seconds", "stall_minutes"),
        "alarm_percent",
    )
    ABILITIES = ("has_partial_results", "has_retry", "reasoning_effort_only")

    def __init__(self, *args: Any, connection: Connection | None = None, **kwargs: Any) -> None:
        self._connection = connection
        super().__init__(*args, **kwargs)

    @staticmethod
    def initial_of(connection: Connection) -> dict[str, Any]:
        """Return the values of ``connection`` as the fields show them."""
        same = {
            name: getattr(connection, name)
            for name in ConnectionForm.base_fields
            if hasattr(connection, name)
        }
        return same | {
            "windows": connection.window_names,
            "extra_urls": "\n".join(connection.extra_urls),
            **{name: CHOSEN[getattr(connection, name)] for name in ConnectionForm.ABILITIES},
            **{
                field: MebibytesField.shown(getattr(connection, column))
                for field, column in SIZES.items()
            },
        }

    @staticmethod
    def initial_of_post(data: QueryDict) -> dict[str, Any]:
        """Return what was typed, with a row of windows added or removed as a button says."""
        windows = data.getlist("windows")
        number = data.get("remove_window", "")
        if number.isdecimal() and int(number[:4]) < len(windows):
            windows.pop(int(number))
        elif "add_window" in data:
            windows = [*windows, ""][: MAX_WINDOWS + 1]
        return {name: data.get(name, "") for name in ConnectionForm.base_fields} | {
            "windows": windows
        }

    def group(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names]

    def provider_fields(self) -> list[forms.BoundField]:
        return self.group(*self.PROVIDER)

    def file_fields(self) -> list[forms.BoundField]:
        return self.group(*self.FILES)

    def pace_fields(self) -> list[forms.BoundField]:
        return self.group(*self.PACE)

    def ability_fields(self) -> list[forms.BoundField]:
        return self.group(*self.ABILITIES)

    def window_rows(self) -> list[str]:
        """Return the windows as typed, with one empty row if there is none."""
        value: list[str] = self["windows"].value() or []
        return value or [""]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = Connection.objects.filter(name__iexact=name)
        if self._connection:
            others = others.exclude(pk=self._connection.pk)
        if others.exists():
            raise ValidationError("Another connection has this name.")
        return name

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"]
        try:
            URLValidator(schemes=["http", "https"])(url)
        except ValidationError as exc:
            raise ValidationError(
                "This is no address, such as https://api.doubleword.ai."
            ) from exc
        if "@" in url or "?" in url or "#" in url:
            raise ValidationError("Type the address alone, without a name, “?” or “#”.")
        return tidy_url(url)

    def clean_extra_urls(self) -> list[str]:
        urls = self.cleaned_data["extra_urls"].split()
        longest = Batch._meta.get_field("endpoint").max_length or 0
        if any(len(url) > longest or not URL_PATH.fullmatch(url) for url in urls):
            raise ValidationError(
                f"Write paths of at most {longest} characters, one a line, such as /v1/rerank."
            )
        return [url for url in dict.fromkeys(urls) if url not in ALLOWED_URLS]

    def values(self) -> dict[str, Any]:
        """Return the valid values by the columns of a connection."""
        cleaned = {
            SIZES.get(name, name): value
            for name, value in self.cleaned_data.items()
            if name != "confirms_address"
        }
        return cleaned | {name: STORED[cleaned[name]] for name in self.ABILITIES}


class PlatformKeyForm(SecretForm):
    """The key of the provider's management API, which is stored and never shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].label = "Platform key"
        self.fields["secret"].help_text = (
            "Asks for the balance before a batch, and for prices and models. It cannot run "
            "batches. Stored encrypted, for the present address alone."
        )
