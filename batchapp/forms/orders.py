"""Forms for the choices of an order: name, completion window, and provider key."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F

from batchapp.domain import windows
from batchapp.forms.fields import RowField
from batchapp.forms.labels import CostCentreField, TagsField
from batchapp.models import Batch, Project, ProviderKey, Upload, User
from batchapp.services.labels.batch_labels import tags_of_project
from batchapp.services.orders import place_order, readiness
from batchapp.services.orders.model_windows import closed_windows
from batchapp.services.orders.order_labels import inherited_labels


class KeyField(RowField):
    """One of the provider keys that a person may use; the keys of the project come first."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("error_messages", {}).setdefault(
            "required", "Choose the provider key that pays for the batch."
        )
        super().__init__(queryset=ProviderKey.objects.none(), **kwargs)

    def offer(self, user: User, project: Project, *, exclude: ProviderKey | None = None) -> None:
        keys = ProviderKey.objects.usable_by(user, project)
        if exclude:
            keys = keys.exclude(pk=exclude.pk)
        self.queryset = keys.order_by(F("project").asc(nulls_last=True), "created_at")

    def label_from_instance(self, obj: ProviderKey) -> str:
        return f"{obj}, of the project" if obj.project_id else f"{obj}, yours"


class FindFileForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name of a file", "autocomplete": "off"}),
    )


class OrderForm(forms.Form):
    """The choices of an order, carried in addresses so that nothing typed is lost.

    ``closed`` are the windows in which a model of the file does not run, each with the model.
    """

    name = forms.CharField(
        max_length=200,
        required=False,
        help_text="The name in the list of batches.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    window = forms.ChoiceField(
        label="Completion window",
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose one of the completion windows on offer.",
            "invalid_choice": "Choose one of the completion windows on offer.",
        },
    )
    fallback = forms.ChoiceField(
        required=False,
        error_messages={
            "invalid_choice": "Choose one of the completion windows on offer to fall back to.",
        },
    )
    sends_first = forms.BooleanField(required=False)
    key = KeyField(
        label="Provider key",
        empty_label=None,
        error_messages={"invalid_choice": "Choose one of the provider keys on offer."},
    )
    tags = TagsField(help_text="Short words, with commas between them. New words become tags.")
    cost_centre = CostCentreField(label="Cost centre")

    def __init__(
        self,
        *args: Any,
        user: User,
        upload: Upload,
        closed: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.upload = upload
        report = upload.report
        if closed is None and report:
            closed = closed_windows(report, upload.project.connection)
        self.closed = closed or {}
        key = self.fields["key"]
        if isinstance(key, KeyField):
            key.offer(user, upload.project)
        for name in ("window", "fallback"):
            windows = self.fields[name]
            if isinstance(windows, forms.ChoiceField):
                windows.choices = [
                    (window, window) for window in upload.project.connection.windows
                ]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name or place_order.default_name(self.upload)

    def clean_window(self) -> str:
        window: str = self.cleaned_data["window"]
        self._refuse_closed(window)
        return window

    def clean_fallback(self) -> str:
        """Ignore a fallback window that is not longer than the window itself."""
        fallback: str = self.cleaned_data["fallback"]
        self._refuse_closed(fallback)
        is_longer = windows.is_longer(fallback, self.cleaned_data.get("window", ""))
        return fallback if is_longer else ""

    def clean_tags(self) -> tuple[str, ...]:
        """Return the tags of the form; without the field, those that the batch inherits."""
        tags: tuple[str, ...] = self.cleaned_data["tags"]
        return tags if "tags" in self.data else inherited_labels(self.upload).tags

    def clean_cost_centre(self) -> str:
        cost_centre: str = self.cleaned_data["cost_centre"]
        inherited = inherited_labels(self.upload).cost_centre
        return cost_centre if "cost_centre" in self.data else inherited

    def propose_tags(self) -> None:
        """Offer the tags of the project in the field for tags."""
        field = self.fields["tags"]
        if isinstance(field, TagsField):
            field.propose(tags_of_project(self.upload.project), list_id="proposed-tags")

    def _refuse_closed(self, window: str) -> None:
        if model := self.closed.get(window):
            raise ValidationError(
                f"{model} does not run in the {windows.spaced(window)} window. Choose another."
            )

    def clean_key(self) -> ProviderKey:
        key: ProviderKey = self.cleaned_data["key"]
        if not key.is_readable:
            raise ValidationError(
                "The stored key cannot be read any more. Choose another, or replace it."
            )
        return key


class SubmitForm(OrderForm):
    """The order that is submitted; ``submission`` lets a second click lead to the same batch.

    ``shown`` stands for the prices that the page showed, and ``seen`` for the time. ``readiness``
    is the worst level that the checks at the provider found, "" if they were not made.
    """

    submission = forms.UUIDField(widget=forms.HiddenInput)
    shown = forms.CharField(max_length=64, widget=forms.HiddenInput)
    seen = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    readiness = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)
    all_the_same = forms.BooleanField(required=False)

    def clean(self) -> None:
        super().clean()
        level = self.cleaned_data.get("readiness")
        if level == readiness.Level.IMPOSSIBLE:
            raise ValidationError(
                "The provider would refuse this batch. Do what “Ready to run?” says first."
            )
        if level == readiness.Level.BLOCKER and not self.cleaned_data.get("all_the_same"):
            raise ValidationError(
                "A check found a problem with this batch. Do what “Ready to run?” says, or tick "
                "“Submit anyway”."
            )


class TryAgainForm(forms.Form):
    """The key to go on with; empty keeps the present key, unless it may not be used any more."""

    key = KeyField(label="Provider key", required=False)

    def __init__(
        self, *args: Any, user: User, batch: Batch, keeps_key: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        key = self.fields["key"]
        if isinstance(key, KeyField):
            key.offer(user, batch.project, exclude=batch.key)
            key.required = not keeps_key
            key.empty_label = f"{batch.key}, as before" if keeps_key else "Choose a key"
