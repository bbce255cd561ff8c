"""What a person wants to be told of: a table of kinds and channels, and when e-mails come."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django import forms
from django.forms import BoundField

from batchapp.models import NoticeKind, NoticeSettings
from batchapp.models.notifications.preferences import Channels

CHANNELS = {
    "in_inbox": "Inbox",
    "by_email": "E-mail",
    "in_browser": "Browser",
    "of_others": "Of others",
}
MOST_QUIET = 1_000_000  # requests; no batch has more


class KindRow(NamedTuple):
    """One row of the table; ``fields`` are in the order of ``CHANNELS``."""

    kind: NoticeKind
    fields: list[BoundField | None]


class ChannelsForm(forms.Form):
    """One check box for each kind and channel; "of others" is for batches alone."""

    def __init__(
        self, *args: Any, channels: Mapping[NoticeKind, Channels], labels: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._kinds = list(channels)
        for kind, chosen in channels.items():
            for name, label in CHANNELS.items():
                if name == "of_others" and not kind.startswith("batch_"):
                    continue
                field = forms.BooleanField(required=False, initial=getattr(chosen, name))
                field.label = f"{labels[kind]}: {label}"
                self.fields[f"{kind}-{name}"] = field

    def rows(self) -> list[KindRow]:
        return [
            KindRow(
                kind,
                [self._field(f"{kind}-{name}") for name in CHANNELS],
            )
            for kind in self._kinds
        ]

    def _field(self, name: str) -> BoundField | None:
        return self[name] if name in self.fields else None

    def channels(self) -> dict[NoticeKind, Channels]:
        """Return what was chosen, of a valid form."""
        return {
            kind: Channels(
                **{name: bool(self.cleaned_data.get(f"{kind}-{name}")) for name in CHANNELS}
            )
            for kind in self._kinds
        }


class NoticeSettingsForm(forms.Form):
    digest = forms.ChoiceField(
        label="E-mails",
        choices=NoticeSettings.Digest.choices,
        widget=forms.RadioSelect,
    )
    quiet_below = forms.IntegerField(
        label="Say nothing of the end of batches with fewer requests than",
        min_value=0,
        max_value=MOST_QUIET,
        help_text="Trouble is always told. 0 means that you are told of every end.",
    )
