"""Forms that make, change and rotate the webhooks of a project, and filter their messages."""

from collections.abc import Sequence
from typing import Any

from django import forms

from batchapp.models import NoticeKind, WebhookEndpoint, WebhookMessage
from batchapp.models.webhooks.webhook_endpoint import MAX_NAME_LENGTH
from batchapp.outbound.address import MAX_LENGTH
from batchapp.services.webhooks.endpoints import OVERLAPS, EndpointSettings

Format = WebhookEndpoint.Format
FORMAT_TEXTS = {
    Format.STANDARD: "A program of yours: JSON, signed as Standard Webhooks says",
    Format.SLACK: "Slack, or a program that takes the same, such as Mattermost",
    Format.TEAMS: "Microsoft Teams, by a workflow that posts what a webhook sends",
}
OVERLAP_TEXTS = {0: "At once", 1: "In 1 hour", 24: "In 24 hours", 72: "In 3 days"}
STATES = [
    ("", "All messages"),
    (WebhookMessage.Status.WAITING, "Waiting"),
    (WebhookMessage.Status.DELIVERED, "Delivered"),
    (WebhookMessage.Status.FAILED, "Failed"),
]


class WebhookForm(forms.Form):
    """A webhook of a project; ``kinds`` are the notices to choose from, each with its label.

    With ``endpoint``, the form changes that one: its format stays, and an empty address keeps the
    one before, which is not shown again.
    """

    name = forms.CharField(
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
        help_text="So that you know later what it is for, such as “on-call channel”.",
        error_messages={"required": "Name what gets the messages."},
    )
    format = forms.ChoiceField(
        label="Who gets the messages",
        widget=forms.RadioSelect,
        initial=Format.STANDARD,
        choices=list(FORMAT_TEXTS.items()),
        error_messages={"required": "Choose who gets the messages."},
    )
    address = forms.CharField(
        label="Address",
        max_length=MAX_LENGTH,
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Messages are sent to it by POST. It begins with https://.",
        error_messages={"required": "Enter the address that the receiver has given you."},
    )
    events = forms.MultipleChoiceField(
        label="What it is told",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one."},
    )

    def __init__(
        self,
        *args: Any,
        kinds: Sequence[tuple[str, str]],
        endpoint: WebhookEndpoint | None = None,
        **more: Any,
    ) -> None:
        if endpoint:
            more["initial"] = {"name": endpoint.name, "events": endpoint.events}
        super().__init__(*args, **more)
        self._endpoint = endpoint
        self.fields["events"].choices = kinds  # type: ignore[attr-defined]
        if endpoint:
            del self.fields["format"]
            address = self.fields["address"]
            address.required = False
            address.label = "New address"
            address.help_text = f"Leave it empty to keep {endpoint.shown_address}."

    @property
    def chosen(self) -> EndpointSettings:
        cleaned = self.cleaned_data
        chosen_format = self._endpoint.format if self._endpoint else cleaned["format"]
        return EndpointSettings(
            name=cleaned["name"],
            address=cleaned["address"],
            format=Format(chosen_format),
            events=[NoticeKind(kind) for kind in cleaned["events"]],
        )


class SecretRotationForm(forms.Form):
    """``current`` stands for the secret that the page was made for."""

    hours = forms.TypedChoiceField(
        label="The old secret stops to sign",
        coerce=int,
        widget=forms.RadioSelect,
        initial=24,
        choices=[(hours, OVERLAP_TEXTS[hours]) for hours in OVERLAPS],
        error_messages={"required": "Choose when the old secret stops."},
    )
    current = forms.CharField(widget=forms.HiddenInput, max_length=100)


class MessageFilterForm(forms.Form):
    """A filter of the log; an invalid value filters nothing."""

    state = forms.ChoiceField(label="State", required=False, choices=STATES)

    @property
    def status(self) -> str:
        self.is_valid()
        status: str = self.cleaned_data.get("state", "")
        return status
