"""What a person decides about a batch: its name, its window, and the key that pays."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F

from batchapp.domain import windows
from batchapp.models import Batch, Project, ProviderKey, Upload, User
from batchapp.services.orders import place_order, readiness

if TYPE_CHECKING:
    _KeyChoice = forms.ModelChoiceField[ProviderKey]
else:
    _KeyChoice = forms.ModelChoiceField


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

    def to_python(self, value: Any) -> ProviderKey | None:
        try:
            return super().to_python(value)
        except ValidationError as exc:  # also of a text that is no id at all
            raise ValidationError(
                self.error_messages["invalid_choice"], code="invalid_choice"
            ) from exc

    def label_from_instance(self, obj: ProviderKey) -> str:
        return f"{obj}, of the project" if obj.project_id else f"{obj}, yours"


class FindFileForm(forms.Form):
    """Which of a project's files a list shows."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name of a file", "autocomplete": "off"}),
    )


class OrderForm(forms.Form):
    """What it takes to run a file; it travels in addresses, so that nothing typed is lost."""

    name = forms.CharField(
        max_length=200,
        required=False,
        help_text="What you will look for later, here and in the list of batches.",
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
    key = KeyField(
        label="Provider key",
        empty_label=None,
        error_messages={"invalid_choice": "Choose one of the provider keys on offer."},
    )

    def __init__(self, *args: Any, user: User, upload: Upload, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.upload = upload
        key = self.fields["key"]
        if isinstance(key, KeyField):
            key.offer(user, upload.project)
        for name in ("window", "fallback"):
            windows = self.fields[name]
            if isinstance(windows, forms.ChoiceField):
                windows.choices = [(each, each) for each in upload.project.connection.windows]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name or place_order.default_name(self.upload)

    def clean_fallback(self) -> str:
        """One that leaves no more time than the window itself is none: no box need be unticked."""
        fallback: str = self.cleaned_data["fallback"]
        is_longer = windows.is_longer(fallback, self.cleaned_data.get("window", ""))
        return fallback if is_longer else ""

    def clean_key(self) -> ProviderKey:
        key: ProviderKey = self.cleaned_data["key"]
        if not key.is_readable:
            raise ValidationError(
                "The stored key cannot be read any more. Choose another, or replace it."
            )
        return key


class SubmitForm(OrderForm):
    """The same, decided. ``submission`` makes a second click name the same batch.

    ``shown`` tells at which prices the page was looked at, ``seen`` when. ``readiness`` is the
    worst that a look at the provider found, "" if nobody looked; the person may know better.
    """

    submission = forms.UUIDField(widget=forms.HiddenInput)
    shown = forms.CharField(max_length=64, widget=forms.HiddenInput)
    seen = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    readiness = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)
    all_the_same = forms.BooleanField(required=False)

    def clean(self) -> None:
        super().clean()
        found = self.cleaned_data.get("readiness")
        if found == readiness.Mark.CANNOT:
            raise ValidationError(
                "The provider would refuse this batch. Do what “Ready to run?” says first."
            )
        if found == readiness.Mark.STOPS and not self.cleaned_data.get("all_the_same"):
            raise ValidationError(
                "Something stands in the way of this batch. Do what “Ready to run?” says, or tick "
                "“Submit all the same”."
            )


class TryAgainForm(forms.Form):
    """Which key to go on with; left empty, the one it has, unless that is not to be spent."""

    key = KeyField(label="Provider key", required=False)

    def __init__(
        self, *args: Any, user: User, batch: Batch, keeps_key: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        key = self.fields["key"]
        if isinstance(key, KeyField):
            key.offer(user, batch.project, besides=batch.key)
            key.required = not keeps_key
            key.empty_label = f"{batch.key}, as before" if keeps_key else "Choose a key"
