"""Fields and forms for the tags and the cost centre of batches."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.domain.batch_labels import (
    MAX_COST_CENTRE_LENGTH,
    MAX_TAGS,
    MAX_TYPED_LENGTH,
    Labels,
    clean_cost_centre,
    read_tags,
)
from batchapp.domain.refused import Refusal, Refused

SENTENCES = {
    Refusal.COST_CENTRE_INVALID: "The cost centre has invisible characters. Type it again.",
    Refusal.COST_CENTRE_TOO_LONG: "A cost centre has at most {limit:,} characters. Shorten it.",
    Refusal.TAG_INVALID: "A tag has invisible characters. Type it again.",
    Refusal.TAG_TOO_LONG: "A tag has at most {limit:,} characters, and “{tag}…” has more.",
    Refusal.TAGS_TOO_MANY: "A batch has at most {limit:,} tags, and here are {number:,}.",
}
MAX_PROPOSED = 200  # tags that a field proposes


class TagsField(forms.CharField):
    """Tags with commas between them; ``propose`` lets the field offer those of a project."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "off", "autocapitalize": "off", "dir": "auto", "data-many": ""}
        super().__init__(
            required=False,
            max_length=MAX_TYPED_LENGTH,
            widget=forms.TextInput(attrs=attrs),
            error_messages={
                "max_length": f"This is too long for tags. Give at most {MAX_TAGS} short words."
            },
            **kwargs,
        )
        self.proposed: list[str] = []

    def propose(self, names: Sequence[str], *, list_id: str) -> None:
        self.proposed = list(names[:MAX_PROPOSED])
        if self.proposed:
            self.widget.attrs["list"] = list_id

    def clean(self, value: Any) -> Any:
        text: str = super().clean(value)
        try:
            return read_tags(text)
        except Refused as exc:
            raise ValidationError(SENTENCES[exc.code].format(**exc.data)) from exc


class CostCentreField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            max_length=MAX_COST_CENTRE_LENGTH,
            widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
            error_messages={
                "max_length": SENTENCES[Refusal.COST_CENTRE_TOO_LONG].format(
                    limit=MAX_COST_CENTRE_LENGTH
                )
            },
            **kwargs,
        )

    def clean(self, value: Any) -> Any:
        text: str = super().clean(value)
        try:
            return clean_cost_centre(text)
        except Refused as exc:
            raise ValidationError(SENTENCES[exc.code].format(**exc.data)) from exc


class LabelsForm(forms.Form):
    """The tags and the cost centre of a batch."""

    tags = TagsField(help_text="Short words, with commas between them. New words become tags.")
    cost_centre = CostCentreField(
        label="Cost centre", help_text="Reports add up what each cost centre spends."
    )

    def __init__(self, *args: Any, proposed: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["tags"]
        if isinstance(field, TagsField):
            field.propose(proposed, list_id="proposed-tags")

    @property
    def labels(self) -> Labels:
        """Return what a valid form says."""
        return Labels(self.cleaned_data["tags"], self.cleaned_data["cost_centre"])


class CostCentreForm(forms.Form):
    cost_centre = CostCentreField(
        label="Cost centre of new batches",
        help_text="An order can name another. Batches that exist keep theirs.",
    )


def typed(labels: Labels) -> dict[str, str]:
    """Return ``labels`` as they are typed into a form."""
    return {"tags": ", ".join(labels.tags), "cost_centre": labels.cost_centre}
