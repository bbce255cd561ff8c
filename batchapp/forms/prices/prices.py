"""Forms for the price table: its filters, one price, and a whole price list."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from batchapp.domain.money import model_patterns, price_list_csv
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.windows import spaced
from batchapp.forms.date_range import EARLIEST, LATEST
from batchapp.forms.fields import CsvField
from batchapp.models import REALTIME, Connection, Price
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
            return price_list_csv.parse_amount(super().clean(value), self.side)
        except ValueError as exc:
            raise ValidationError(str(exc)) from exc


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


class PriceForm(forms.Form):
    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
    model = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="The provider's exact name, or a pattern: Qwen/* means all of Qwen. An exact "
        "name goes before a pattern, and a longer pattern before a shorter one.",
        error_messages={"required": "Type the model's name, or a pattern."},
    )
    window = forms.ChoiceField(label="Completion window")
    input_usd = AmountField("input")
    output_usd = AmountField("output")
    since = MomentField("From")
    source = forms.CharField(
        max_length=200, required=False, help_text="Where the figure is from, such as an address."
    )

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
        names = ["connection", "model", "window", "input_usd", "output_usd", "source"]
        return Price(**{name: self.cleaned_data[name] for name in names})


class CorrectForm(forms.Form):
    input_usd = AmountField("input")
    output_usd = AmountField("output")
    since = MomentField("From")
    source = forms.CharField(
        max_length=200, required=False, help_text="Where the figure is from, such as an address."
    )

    def __init__(self, *args: Any, price: Price, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {
            name: f"{getattr(price, name).normalize():f}" for name in ("input_usd", "output_usd")
        }
        if price.state(timezone.now()) == "announced":
            del self.fields["since"]  # an announced price keeps its date

    def unit_price(self) -> UnitPrice:
        amounts: list[Decimal] = [self.cleaned_data[f"{side}_usd"] for side in ("input", "output")]
        return UnitPrice(input=amounts[0], output=amounts[1])


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
        "source if you like. Amounts are USD per million tokens.",
    )
    field_order = ["connection", "csv", "since", "ends_missing"]
