"""The forms about several batches at once: the ticks of a list, and the page that confirms."""

import uuid
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from batchapp.domain.batch_labels import MAX_TAGS
from batchapp.forms.fields import SubmissionForm
from batchapp.forms.labels import TagsField
from batchapp.services.results.exports.formats import FORMATS

HEX_LENGTH = 33  # characters of an id in a list of ids, with the space behind it


class Act(StrEnum):
    CANCEL = "cancel"
    EXPORT = "export"
    RETRY = "retry"
    TAG = "tag"


MOST = {  # batches of one action; each export and each retry is work for a worker of its own
    Act.CANCEL: 500,
    Act.EXPORT: 50,
    Act.RETRY: 25,
    Act.TAG: 500,
}


class SelectionForm(forms.Form):
    """The form of a list of batches: an action, and the ids of batches or all of its filter."""

    action = forms.ChoiceField(choices=[(act.value, act.value) for act in Act])
    all = forms.BooleanField(required=False)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self._texts = data.getlist("b")

    @property
    def act(self) -> Act:
        return Act(self.cleaned_data["action"])

    @property
    def ids(self) -> list[UUID]:
        return read_ids(self._texts[: max(MOST.values()) + 1])


class ConfirmedForm(SubmissionForm):
    """The form of the page that confirms: ``ids`` are those of the batches that it listed."""

    action = forms.ChoiceField(choices=[(act.value, act.value) for act in Act])
    ids = forms.CharField(max_length=max(MOST.values()) * HEX_LENGTH, widget=forms.HiddenInput)
    add = TagsField(
        label="Tags to add",
        help_text=f"With commas between them. A batch has at most {MAX_TAGS} tags.",
    )
    remove = TagsField(label="Tags to remove", help_text="With commas between them.")
    format = forms.ChoiceField(required=False, choices=[(code, code) for code in FORMATS])

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        tags = (*cleaned.get("add", ()), *cleaned.get("remove", ()))
        if cleaned.get("action") == Act.TAG and not tags and not self.errors:
            self.add_error("add", "Give a tag to add, or one to remove.")
        return cleaned

    def propose_tags(self, names: Sequence[str]) -> None:
        for name in ("add", "remove"):
            field = self.fields[name]
            if isinstance(field, TagsField):
                field.propose(names, list_id="proposed-tags")

    @property
    def act(self) -> Act:
        return Act(self.cleaned_data["action"])

    @property
    def batches(self) -> list[UUID]:
        return read_ids(self.cleaned_data["ids"].split())


class RetriesForm(forms.Form):
    """The address of the retries of several batches: their ids, and the id of the form."""

    submission = forms.UUIDField()
    ids = forms.CharField(max_length=MOST[Act.RETRY] * HEX_LENGTH)
    seen = forms.DateTimeField(required=False)

    @property
    def batches(self) -> list[UUID]:
        return read_ids(self.cleaned_data["ids"].split())


def read_ids(texts: Iterable[str]) -> list[UUID]:
    """Return the ids in ``texts``, each once and in order; texts that are none are left out."""
    ids = []
    for text in texts:
        try:
            ids.append(uuid.UUID(text))
        except ValueError:
            continue
    return list(dict.fromkeys(ids))


def ids_text(ids: Iterable[UUID]) -> str:
    """Return ``ids`` as one text, as ``ConfirmedForm`` reads it."""
    return " ".join(pk.hex for pk in ids)
