"""Forms for tables, for the prompt settings of their rows, and for prompt templates."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile

from batchapp.domain.tables.encodings import ENCODING_NAMES
from batchapp.domain.tables.read_options import QUOTINGS, SEPARATORS, ReadOptions
from batchapp.forms.fields import RowField
from batchapp.forms.files.received_file import ReceivedFile
from batchapp.models import Project, PromptTemplate, SourceTable

PASTED_NAME = "pasted table.csv"

# Options to read a table that belong to one kind of tables alone.
SHEET_OPTIONS, TEXT_OPTIONS = ("sheet", "without_hidden"), ("encoding", "separator", "quoting")
CSV_OPTIONS = ("separator", "quoting", "header_row")

MAX_PROMPT_LENGTH = 200_000  # characters
MAX_HEADER_ROW = 2_000_000
CHAT = "/v1/chat/completions"


class TableForm(forms.Form):
    """A table as a file or as pasted text, and an optional prompt template for it."""

    file = forms.FileField(
        required=False,
        allow_empty_file=True,
        error_messages={"invalid": "Your browser sent no file. Choose it again."},
    )
    pasted = forms.CharField(required=False, strip=False)
    template = RowField(
        queryset=PromptTemplate.objects.none(),
        required=False,
        empty_label="None: write a prompt next",
        help_text="A prompt that this project saved, with its model and settings.",
        error_messages={"invalid_choice": "Choose one of the project's prompt templates."},
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        template = self.fields["template"]
        if isinstance(template, RowField):
            template.queryset = project.templates.all()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        file, pasted = cleaned.get("file"), cleaned.get("pasted", "")
        if not file and not pasted.strip():
            raise ValidationError("Choose a table first, or paste one: CSV, TSV, .xlsx or JSON.")
        if file and pasted.strip():
            raise ValidationError("Send a file or what you pasted, not both: clear one of them.")
        if file and not file.size:
            raise ValidationError(f"{file.name} is empty. Its first row must name the columns.")
        return cleaned

    @property
    def received(self) -> ReceivedFile:
        """The file as it was sent; forms turn every line end of pasted text into CR LF."""
        if file := self.cleaned_data.get("file"):
            return ReceivedFile(file.name or "table.csv", file)
        text: str = self.cleaned_data["pasted"].replace("\r\n", "\n").strip("\n")
        content = ContentFile(text.encode(errors="replace"), PASTED_NAME)
        return ReceivedFile(PASTED_NAME, content)


class ReadingForm(forms.Form):
    """Options to read a table again, if the detected ones are wrong."""

    sheet = forms.ChoiceField(required=False)
    without_hidden = forms.ChoiceField(
        required=False,
        label="Rows that the sheet hides",
        choices=[("", "are sent"), ("1", "are left out")],
    )
    encoding = forms.ChoiceField(required=False, choices=[("", "Detect"), *ENCODING_NAMES.items()])
    separator = forms.ChoiceField(
        required=False,
        label="Cells are separated by",
        choices=[("", "Detect"), *SEPARATORS.items()],
    )
    quoting = forms.ChoiceField(
        required=False,
        label="Quotation marks in a cell",
        choices=[("", "Detect"), *QUOTINGS.items()],
    )
    header_row = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_HEADER_ROW,
        label="Row of the header",
        widget=forms.NumberInput(attrs={"placeholder": "Detect"}),
    )
    empty_words = forms.ChoiceField(
        required=False,
        label="Cells that say NULL, NaN or N/A",
        choices=[("", "are sent as they are"), ("1", "count as empty")],
    )

    def __init__(self, *args: Any, table: SourceTable, **kwargs: Any) -> None:
        read_options = table.read_options
        kwargs.setdefault(
            "initial",
            read_options._asdict() | {"header_row": read_options.header_row or None},
        )
        super().__init__(*args, **kwargs)
        sheet = self.fields["sheet"]
        if isinstance(sheet, forms.ChoiceField):
            sheet.choices = [(sheet, sheet) for sheet in table.sheets]
        is_json = table.status == table.Status.KEPT and not read_options.separator
        others = TEXT_OPTIONS if table.sheets else SHEET_OPTIONS
        for name in others + (CSV_OPTIONS if is_json and not table.sheets else ()):
            del self.fields[name]

    @property
    def read_options(self) -> ReadOptions:
        """Return the choice; what was detected by another choice is detected again."""
        choice = {name: value for name, value in self.cleaned_data.items() if value}
        if not {"sheet", "encoding", "separator", "quoting"}.isdisjoint(self.changed_data):
            for name in ("separator", "quoting", "header_row"):
                if name not in self.changed_data:
                    choice.pop(name, None)
        return ReadOptions(**choice)
