"""Forms for the price table: its filters, one price, and a whole price list."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from batchapp.domain.money import model_patterns, price_cells
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.windows import spaced
from batchapp.forms.date_range import EARLIEST, LATEST
from batchapp.forms.fields import CsvField
from batchapp.models import REALTIME, Connection, Price
from batchapp.models.providers.price import price_columns
from batchapp.services.prices.price_lists import offered_windows

SHOWN = {"": "In force", "announced": "Announced", "all": "All, with history"}


class AmountField(forms.CharField):
    """USD per million tokens; empty is not zero."""

    def __init__(self, side: str) -> None:
        self.side = side
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(
            label=f"{side.capitalize()}, USD per million tokens",
            max_length=20,
            widget=widget,
            required=False,
        )

    def clean(self, value: Any) -> Any:
        try:
            return price_cells.parse_amount(super().clean(value), self.side)
        except ValueError as exc:
            raise ValidationError(str(exc)) from exc


class ComponentField(forms.CharField):
    """A part of the price that most prices do not have; empty means that there is none."""

    def __init__(self, column: str, label: str, help_text: str = "") -> None:
        self.column = column
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        if column in {"tiers", "cached_until"}:
            widget = forms.TextInput(attrs={"autocomplete": "off"})
        super().__init__(
            label=label, max_length=1_000, widget=widget, required=False, help_text=help_text
        )

    def clean(self, value: Any) -> Any:
        try:
            return price_cells.parse_component(self.column, super().clean(value))
        except ValueError as exc:
            raise ValidationError(str(exc)) from exc


class ComponentsForm(forms.Form):
    """Input and output of a price, and behind a disclosure the parts that few prices have."""

    input_usd = AmountField("input")
    output_usd = AmountField("output")
    cached_read_usd = ComponentField("cached_read_usd", "Input read from the cache")
    write_5m_usd = ComponentField("write_5m_usd", "Input written for 5 minutes")
    write_1h_usd = ComponentField("write_1h_usd", "Input written for 1 hour")
    write_24h_usd = ComponentField("write_24h_usd", "Input written for 24 hours")
    min_prefix_tokens = ComponentField("min_prefix_tokens", "Shortest cached prefix, in tokens")
    cached_until = ComponentField(
        "cached_until",
        "End of the cached prices",
        "Such as 2026-12-31T00:00Z, if the provider says so. Batches of later have none.",
    )
    per_request_usd = ComponentField("per_request_usd", "USD for each answered request")
    tiers = ComponentField(
        "tiers",
        "Prices of long requests",
        "For each limit of input tokens, such as: above 272000: input 4, output 15",
    )

    def plain_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in price_cells.COMPONENTS]

    def component_fields(self) -> list[forms.BoundField]:
        return [self[column] for column in price_cells.COMPONENTS]

    @property
    def has_components(self) -> bool:
        """Return True if the disclosure must be open, as something is in it."""
        fields = self.component_fields()
        return any(field.value() or field.errors for field in fields)

    def unit_price(self) -> UnitPrice:
        cleaned = self.cleaned_data
        parts = {field: cleaned[name] for name, (field, _) in price_cells.COMPONENTS.items()}
        return UnitPrice(cleaned["input_usd"], cleaned["output_usd"], **parts)


class MomentField(forms.DateTimeField):
    """A date and time to come; empty means now."""

    def __init__(self, label: str, *, has_help: bool = True) -> None:
        widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
        zone = timezone.get_default_timezone_name()
        help_text = f"Empty means now. The time is in {zone}." if has_help else ""
        super().__init__(label=label, required=False, widget=widget, help_text=help_text)

    def clean(self, value: Any) -> datetime | None:
        try:
            moment: datetime | None = super().clean(value)
        except OverflowError:
            raise ValidationError("Choose a date between 2000 and 2100.") from None
        if moment and not EARLIEST <= moment.date() <= LATEST:
            raise ValidationError("Choose a date between 2000 and 2100.")
        return moment


def offer(form: forms.Form, connections: Iterable[Connection], every: str = "") -> None:
    field = form.fields["connection"]
    if isinstance(field, ConnectionField):
        field.offer(connections, every)


class ConnectionField(forms.TypedChoiceField):
    """One of the connections that the page has read, so that forms need no query."""

    def offer(self, connections: Iterable[Connection], every: str = "") -> None:
        """Set the choices; ``every`` is the label of the empty choice, "" for none."""
        by_pk = {str(row.pk): row for row in connections}
        self.choices = [("", every)] if every else []
        self.choices += [(pk, row.name) for pk, row in by_pk.items()]
        self.coerce = by_pk.__getitem__
        self.empty_value = None


class FilterForm(forms.Form):
    """Filters taken from the page's address; an invalid form filters nothing."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"dir": "auto", "placeholder": "Search models"}),
    )
    connection = ConnectionField(required=False)
    show = forms.ChoiceField(label="Show", required=False, choices=list(SHOWN.items()))

    def __init__(self, *args: Any, connections: Iterable[Connection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, connections, "All connections")

    def prices(self, at: datetime) -> Any:
        cleaned = self.cleaned_data if self.is_valid() else {}
        rows = Price.objects.all()
        if cleaned.get("show") == "announced":
            rows = rows.announced(at)
        elif cleaned.get("show") != "all":
            rows = rows.not_over(at)
        if cleaned.get("connection"):
            rows = rows.filter(connection=cleaned["connection"])
        return rows.filter(model__icontains=cleaned["q"]) if cleaned.get("q") else rows


class TryForm(forms.Form):
    """The question which price a model would get."""

    connection = ConnectionField()
    model = forms.CharField(max_length=200, error_messages={"required": "Type a model."})
    at = MomentField("And at", has_help=False)

    def __init__(self, *args: Any, connections: Iterable[Connection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, connections)


class PriceForm(ComponentsForm):
    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
    model = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="The provider's exact name, or a pattern: Qwen/* means all of Qwen. An exact "
        "name goes before a pattern, and a longer pattern before a shorter one.",
        error_messages={"required": "Type the model's name, or a pattern."},
    )
    window = forms.ChoiceField(label="Completion window")
    since = MomentField("From")
    source = forms.CharField(
        max_length=200, required=False, help_text="Where the figure is from, such as an address."
    )
    field_order = ["connection", "model", "window", "input_usd", "output_usd"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        every = (name for row in Connection.objects.all() for name in offered_windows(row))
        names = [name for name in dict.fromkeys(every) if name != REALTIME]
        window = self.fields["window"]
        if isinstance(window, forms.ChoiceField):
            window.choices = [(name, spaced(name)) for name in (*names, REALTIME)]

    def clean_model(self) -> str:
        return model_patterns.merge_wildcards(self.cleaned_data["model"])

    def clean(self) -> dict[str, Any]:
        connection, window = (self.cleaned_data.get(name) for name in ("connection", "window"))
        if connection and window and window not in offered_windows(connection):
            names = ", ".join(map(spaced, offered_windows(connection)))
            self.add_error("window", f"{connection} offers only: {names}.")
        return self.cleaned_data

    def unsaved_price(self) -> Price:
        """Return the price without ``since``."""
        names = ["connection", "model", "window", "source"]
        fields = {name: self.cleaned_data[name] for name in names}
        return Price(**fields, **price_columns(self.unit_price()))


class CorrectForm(ComponentsForm):
    since = MomentField("From")
    source = forms.CharField(
        max_length=200, required=False, help_text="Where the figure is from, such as an address."
    )

    def __init__(self, *args: Any, price: Price, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {
            name: f"{getattr(price, name).normalize():f}" for name in ("input_usd", "output_usd")
        } | price_cells.component_cells(price.unit_price)
        if price.state(timezone.now()) == "announced":
            del self.fields["since"]  # an announced price keeps its date


class EndForm(forms.Form):
    until = MomentField("Until")


class ListForm(forms.Form):
    """The connection of a price list, and the start of its prices."""

    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
    since = MomentField("Prices valid from")
    ends_missing = forms.BooleanField(
        label="End prices in force that the list does not name", required=False
    )

    def clean_since(self) -> datetime | None:
        since: datetime | None = self.cleaned_data["since"]
        if since and since < timezone.now():
            raise ValidationError(
                "Choose a time to come: costs of earlier batches are not changed."
            )
        return since


class CsvForm(ListForm):
    csv = CsvField(
        help_text="Its first line names the columns: model, window, input_usd, output_usd, and "
        "source if you like; the CSV of this page shows those of cached tokens. Amounts are USD "
        "per million tokens.",
    )
    field_order = ["connection", "csv", "since", "ends_missing"]
