"""Forms for tables, for the prompt settings of their rows, and for prompt templates."""

from typing import Any, Literal, cast

import msgspec
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile

from batchapp.domain.request_files.rules.request_rules import check_model
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.encodings import ENCODING_NAMES
from batchapp.domain.tables.read_options import QUOTINGS, SEPARATORS, ReadOptions
from batchapp.domain.tables.row_requests import EMBEDDINGS, PromptSettings
from batchapp.domain.tokens.counting import MAX_OUTPUT
from batchapp.forms.fields import RowField
from batchapp.forms.files.received_file import ReceivedFile
from batchapp.models import Connection, Project, PromptTemplate, SourceTable

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
            raise ValidationError("Choose a table first, or paste one: CSV, TSV or .xlsx.")
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
        help_text="As the file counts it; empty to detect.",
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


class PromptSettingsForm(forms.Form):
    """The settings that turn every row into a request."""

    OPTIONS = (
        *("url", "temperature", "id_column", "duplicate_ids"),
        *("empty", "image_column", "schema"),
    )

    system = forms.CharField(
        label="System prompt",
        required=False,
        strip=False,
        max_length=MAX_PROMPT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto", "data-template": ""}),
        help_text="Instructions to the model before each row. They may name columns as well.",
    )
    prompt = forms.CharField(
        strip=False,
        max_length=MAX_PROMPT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto", "data-template": ""}),
        help_text="Sent for each row, with every {column} replaced by its cell. Write {{ and }} "
        "for braces that are meant as text.",
        error_messages={"required": "Write the prompt: what to ask about each row."},
    )
    url = forms.ChoiceField(
        label="Endpoint", choices=[(CHAT, "Chat"), (EMBEDDINGS, "Embeddings")], initial=CHAT
    )
    model = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"list": "models", "autocomplete": "off"}),
        help_text="Choose one that has a price, or type the provider's exact name of another.",
        error_messages={"required": "Name the model to ask."},
    )
    max_tokens = forms.IntegerField(
        label="Max output tokens",
        required=False,
        min_value=1,
        max_value=MAX_OUTPUT,
        help_text="Of each answer. Without a limit, nothing bounds the cost of an answer.",
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text="From 0 to 2; empty for the model's own.",
    )
    schema = forms.CharField(
        label="JSON schema of the answers",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "dir": "ltr"}),
        help_text="Every answer is then JSON of this form.",
    )
    id_column = forms.CharField(
        label="Column that names the rows",
        required=False,
        widget=forms.TextInput(attrs={"list": "columns", "autocomplete": "off"}),
        help_text="Becomes the custom_id; empty to number the rows. Names that providers refuse "
        "are replaced by a short id, and a list shows which id stands for which name.",
    )
    image_column = forms.CharField(
        label="Column with images",
        required=False,
        widget=forms.TextInput(attrs={"list": "columns", "autocomplete": "off"}),
        help_text="An address or data URL in each cell; empty to send text alone.",
    )
    empty = forms.ChoiceField(
        label="A row with an empty cell in the prompt",
        choices=[
            ("stop", "is an error"),
            ("skip", "is left out"),
            ("keep", "is sent with nothing in its place"),
        ],
    )
    duplicate_ids = forms.ChoiceField(
        label="A name that an earlier row has",
        choices=[("stop", "is an error"), ("suffix", "gets the row's number behind it")],
    )

    def __init__(
        self, *args: Any, connection: Connection, columns: list[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        prices = connection.prices.exclude(model__contains="*").order_by("model")
        self.models = list(prices.values_list("model", flat=True).distinct())

    @staticmethod
    def values_of(prompt_settings: PromptSettings) -> dict[str, Any]:
        """Return the values of the fields for ``prompt_settings``."""
        values: dict[str, Any] = msgspec.to_builtins(prompt_settings)
        schema = values.pop("response_schema")
        text = msgspec.json.format(msgspec.json.encode(schema)).decode() if schema else ""
        return values | {"schema": text}

    def clean_prompt(self) -> str:
        return self._template("prompt")

    def clean_system(self) -> str:
        return self._template("system")

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        if finding := check_model({"model": model}):
            raise ValidationError(finding.message)
        return model

    def clean_id_column(self) -> str:
        return self._column("id_column")

    def clean_image_column(self) -> str:
        return self._column("image_column")

    def clean_schema(self) -> dict[str, Any] | None:
        text: str = self.cleaned_data["schema"]
        if not text.strip():
            return None
        try:
            schema: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as exc:
            raise ValidationError(f"This is not a JSON object: {exc}") from exc
        if finding := row_requests.schema_error(schema):
            raise ValidationError(f"A provider would refuse this schema: {finding}.")
        return schema

    @property
    def changed_options(self) -> int:
        """Count the options that are not as they begin."""
        usual = {"url": CHAT, "empty": "stop", "duplicate_ids": "stop"}
        values = {name: self[name].value() for name in self.OPTIONS}
        return sum(bool(value) and value != usual.get(name) for name, value in values.items())

    @property
    def has_option_errors(self) -> bool:
        return not self.errors.keys().isdisjoint(self.OPTIONS)

    @property
    def options(self) -> list[forms.BoundField]:
        """Return the fields that few people change."""
        return [self[name] for name in self.OPTIONS]

    @property
    def prompt_settings(self) -> PromptSettings:
        """Return the settings; a field that is not valid counts as if it were left as it was."""
        cleaned = dict.fromkeys(self.fields) | self.cleaned_data
        return PromptSettings(
            model=cleaned["model"] or "",
            prompt=cleaned["prompt"] or "",
            system=cleaned["system"] or "",
            id_column=cleaned["id_column"] or None,
            image_column=cleaned["image_column"] or None,
            max_tokens=cleaned["max_tokens"],
            temperature=cleaned["temperature"],
            response_schema=cleaned["schema"],
            url=cleaned["url"] or CHAT,
            empty=cast(Literal["keep", "skip", "stop"], cleaned["empty"] or "stop"),
            duplicate_ids=cast(Literal["stop", "suffix"], cleaned["duplicate_ids"] or "stop"),
            unsafe_ids="hash",
        )

    def _template(self, name: str) -> str:
        text: str = self.cleaned_data[name].replace("\r\n", "\n")
        probe = PromptSettings(model="", prompt=text)
        if findings := row_requests.settings_errors(probe, self.columns):
            raise ValidationError(findings)
        return text

    def _column(self, name: str) -> str:
        column: str = self.cleaned_data[name]
        if column and column not in self.columns:
            probe = PromptSettings(model="", prompt="", id_column=column)
            raise ValidationError(row_requests.settings_errors(probe, self.columns))
        return column


class PromptTemplateForm(forms.Form):
    """The name under which prompt settings are saved."""

    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"list": "templates", "autocomplete": "off", "dir": "auto"}),
        help_text="A name in use gets a new version; files record the version that made them.",
        error_messages={"required": "Give the prompt template a name."},
    )
