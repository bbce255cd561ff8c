"""Forms that decide how long requests and answers are kept, and that delete them."""

from django import forms

from batchapp.services.archive.retention import MAX_DAYS

WHOLE_DAYS = f"Give a whole number of days from 1 to {MAX_DAYS:,}, or nothing for ever."


class RetentionForm(forms.Form):
    """The days to keep requests and answers; without a number they are kept forever.

    ``seen`` is the number of batches and files that the person was shown to be deleted, and
    ``is_agreed`` the agreement to that.
    """

    days = forms.IntegerField(
        label="Days to keep requests and answers",
        required=False,
        min_value=1,
        max_value=MAX_DAYS,
        help_text="After the end of a batch and its retries, or after the upload of a file "
        "without a batch. Leave it empty to keep them forever.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "invalid": WHOLE_DAYS,
            "min_value": WHOLE_DAYS,
            "max_value": WHOLE_DAYS,
        },
    )
    seen = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    is_agreed = forms.BooleanField(required=False)

    def agrees_to(self, number: int) -> bool:
        """Return True if the person saw that ``number`` batches and files go, and agreed."""
        cleaned = self.cleaned_data
        return cleaned["seen"] == number and (not number or cleaned["is_agreed"])


class PurgeForm(forms.Form):
    """The agreement to delete; ``seen`` answers that other batches reuse were shown to go."""

    seen = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    is_agreed = forms.BooleanField(
        error_messages={"required": "Tick that they are to be deleted for good."}
    )

    def agrees_to(self, answers: int) -> bool:
        """Return True if the person saw that ``answers`` of other batches go as well, or more."""
        if answers <= (self.cleaned_data["seen"] or 0):
            return True
        self.add_error("is_agreed", "Other batches reuse more of these answers by now.")
        return False
