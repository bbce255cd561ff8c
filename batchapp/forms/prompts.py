"""Forms for the prompt of a table, for the fields of its answers, and for prompt templates."""

from typing import Any, Literal, Self, cast

import msgspec
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from batchapp.domain.request_files.rules.request_rules import check_model
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.answer_fields import AnswerField, fields_of, schema_of
from batchapp.domain.tables.row_requests import EMBEDDINGS, PromptSettings
from batchapp.domain.tokens.counting import MAX_OUTPUT
from batchapp.forms.answer_fields import answer_field_set, change_rows, rows_of

MAX_PROMPT_LENGTH = 200_000  # characters
CHAT = "/v1/chat/completions"
TEXT, FIELDS, SCHEMA = "text", "fields", "schema"


class PromptSettingsForm(forms.Form):
    """The settings that turn every row into a request."""

    OPTIONS = (
        *("url", "temperature", "reasoning_effort", "id_column"),
        *("duplicate_ids", "empty", "image_column"),
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
        help_text="Choose one, or type the provider's exact name of another.",
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
    reasoning_effort = forms.ChoiceField(
        label="Thinking",
        required=False,
        choices=[("", "as the model does by itself"), ("none", "off: the model answers at once")],
        help_text="What a model thinks is paid, and counts against the max output tokens.",
    )
    answer = forms.ChoiceField(
        label="Answer as",
        required=False,
        choices=[(TEXT, "Text"), (FIELDS, "Fields"), (SCHEMA, "JSON schema (advanced)")],
        initial=TEXT,
        widget=forms.RadioSelect,
    )
    schema = forms.CharField(
        label="JSON schema of the answers",
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "dir": "ltr"}),
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
        help_text="An address or data URL in each cell, or several; empty to send text alone.",
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
        self,
        data: QueryDict | None = None,
        *,
        columns: list[str],
        rows: list[dict[str, Any]] | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        """``rows`` are the values of the fields of an answer, of a form without ``data``."""
        super().__init__(data, initial=initial)
        self.columns = columns
        self.shown_settings: PromptSettings | None = None
        self.answer_rows = answer_field_set(data, rows or rows_of([]))

    @classmethod
    def showing(cls, prompt_settings: PromptSettings, columns: list[str]) -> Self:
        """Return a form with the values of ``prompt_settings``."""
        values: dict[str, Any] = msgspec.to_builtins(prompt_settings)
        schema = values.pop("response_schema")
        fields = fields_of(schema)
        text = msgspec.json.format(msgspec.json.encode(schema)).decode() if schema else ""
        values |= {"schema": text, "answer": _answer_of(schema, fields)}
        form = cls(columns=columns, initial=values, rows=rows_of(fields or []))
        form.shown_settings = prompt_settings if prompt_settings.prompt else None
        return form

    def changed_by_button(self) -> Self:
        """Return this form, without errors, after the button that was pressed has changed it."""
        values = {name: self[name].value() for name in self.fields}
        rows, settings = self.answer_rows.values(), self.tried_settings
        if "leave_out" in self.data:
            values["empty"] = "skip"
            settings = settings and msgspec.structs.replace(settings, empty="skip")
        else:
            values["answer"] = FIELDS
            rows = change_rows(rows, self.data)
        form = type(self)(columns=self.columns, initial=values, rows=rows)
        form.shown_settings = settings
        if "add_field" in self.data:
            form.answer_rows.focus_last()
        return form

    def clean(self) -> None:
        if self.answer_kind == FIELDS and not self.answer_rows.is_valid():
            self.add_error("answer", "Correct the fields of the answer.")

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
    def tried_settings(self) -> PromptSettings | None:
        """Return the settings to show rows with, None without a prompt.

        Also a form without data has settings: those that its fields show.
        """
        if self.is_bound:
            return None if self.errors.get("prompt") else self.prompt_settings
        return self.shown_settings

    @property
    def answer_kind(self) -> str:
        """The chosen form of the answers; a form without the choice goes by its schema."""
        chosen: str = self.cleaned_data.get("answer", "")
        return chosen or (SCHEMA if self.cleaned_data.get("schema") else TEXT)

    @property
    def response_schema(self) -> dict[str, Any] | None:
        """Return the schema of the answers, None for text and for fields that are not valid."""
        if self.answer_kind == SCHEMA:
            schema: dict[str, Any] | None = self.cleaned_data.get("schema")
            return schema
        is_valid = self.answer_kind == FIELDS and self.answer_rows.is_valid()
        return schema_of(self.answer_rows.answer_fields) if is_valid else None

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
            reasoning_effort="none" if cleaned["reasoning_effort"] else None,
            response_schema=self.response_schema,
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
    """The name under which prompt settings are saved; the form of the prompt has it inside."""

    use_required_attribute = False  # only one of the buttons needs the name

    name = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"list": "templates", "autocomplete": "off", "dir": "auto"}),
        help_text="A name in use gets a new version; files record the version that made them.",
        error_messages={"required": "Give the prompt template a name."},
    )


def _answer_of(schema: dict[str, Any] | None, fields: list[AnswerField] | None) -> str:
    if not schema:
        return TEXT
    return FIELDS if fields else SCHEMA
