"""Forms for the models of connections: their filters, one model, and whole lists."""

from collections.abc import Iterable
from typing import Any

from django import forms

from batchapp.domain import model_card_csv
from batchapp.domain.model_cards import INPUTS, ModelCard
from batchapp.forms.fields import CsvField
from batchapp.forms.keys import OptionalSecretForm
from batchapp.forms.prices.prices import ConnectionField, offer
from batchapp.models import Connection, OfferedModel

UNKNOWN = [("", "Not known")]


class FilterForm(forms.Form):
    """Filters taken from the page's address; an invalid form filters nothing."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"dir": "auto", "placeholder": "Search models"}),
    )
    connection = ConnectionField(required=False)

    def __init__(self, *args: Any, connections: Iterable[Connection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, connections, "All connections")

    def models(self) -> Any:
        cleaned = self.cleaned_data if self.is_valid() else {}
        rows = OfferedModel.objects.all()
        if cleaned.get("connection"):
            rows = rows.filter(connection=cleaned["connection"])
        return rows.filter(model__icontains=cleaned["q"]) if cleaned.get("q") else rows


class TokensField(forms.CharField):
    """A number of tokens, which may be grouped; empty means unknown."""

    def __init__(self, label: str, help_text: str) -> None:
        widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(
            label=label, help_text=help_text, max_length=20, widget=widget, required=False
        )

    def clean(self, value: Any) -> Any:
        try:
            return model_card_csv.read_tokens(super().clean(value))
        except ValueError as exc:
            raise forms.ValidationError(str(exc)) from exc


class WindowsField(forms.CharField):
    """Names of completion windows, separated by commas; empty means all of the connection."""

    def clean(self, value: Any) -> Any:
        try:
            return list(model_card_csv.read_windows(super().clean(value)))
        except ValueError as exc:
            raise forms.ValidationError(str(exc)) from exc


class CardForm(forms.Form):
    """What is known of a model; an empty field is unknown, and nothing is checked against it."""

    kind = forms.ChoiceField(
        label="Endpoint", required=False, choices=UNKNOWN + OfferedModel.KINDS
    )
    inputs = forms.MultipleChoiceField(
        label="Takes",
        required=False,
        choices=[(name, name.capitalize()) for name in INPUTS],
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked means not known.",
    )
    context_tokens = TokensField("Context, tokens", "Of a prompt and its answer together.")
    max_new_tokens = TokensField("Max output tokens", "Of an answer alone.")
    thinking = forms.ChoiceField(
        required=False, choices=UNKNOWN + OfferedModel.THINKING, label="Thinking"
    )
    windows = WindowsField(
        label="Completion windows",
        required=False,
        max_length=200,
        help_text="Only these, separated by commas: 24h, 1h. Empty means all of the connection.",
    )
    source = forms.CharField(
        max_length=200, required=False, help_text="Where the facts are from, such as an address."
    )

    @staticmethod
    def initial_of(card: ModelCard) -> dict[str, Any]:
        """Return the facts of ``card`` as the fields show them."""
        return {
            "kind": card.kind,
            "inputs": list(card.inputs),
            "context_tokens": card.context_tokens,
            "max_new_tokens": card.max_new_tokens,
            "thinking": card.thinking,
            "windows": ", ".join(card.windows),
            "source": card.source,
        }

    def fill(self, row: OfferedModel) -> OfferedModel:
        """Write the valid fields into ``row``, unsaved."""
        for name, value in self.cleaned_data.items():
            setattr(row, name, value)
        return row


class ModelForm(CardForm):
    """A model that the connection has no row of."""

    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
    model = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="The provider's exact name.",
        error_messages={"required": "Type the model's name."},
    )
    field_order = ["connection", "model"]


class CsvForm(forms.Form):
    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
    csv = CsvField(
        help_text="Its first line names the columns: model, and of the others those that you "
        "have. A row replaces all facts of its model.",
    )


class ToldForm(OptionalSecretForm):
    """A key that asks the provider for its models; a typed key is used once and not stored."""

    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
    field_order = ["connection", "secret"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].help_text = (
            "Used once, and not stored. A platform key of Doubleword is told most. Leave it empty "
            "to use the platform key that administrators have stored with the connection."
        )


class ShippedForm(forms.Form):
    """The connection that gets the models that the portal ships."""

    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)
