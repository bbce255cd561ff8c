"""Files as people send them, and the questions they ask of the list."""

import uuid
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Expression, F, OrderBy, QuerySet
from django.db.models.functions import Lower

from batchapp.models import Connection, Upload

MIB = 1024 * 1024

ENDINGS = (".jsonl", ".ndjson", ".json", ".txt", ".gz")
"""Of request files. What is in them the check finds out; these spare the way to the rest."""

PASTED = "pasted.jsonl"

SAMPLES = [
    ("chat", "Chat: 300 requests"),
    ("structured", "Structured output: 20"),
    ("tools", "Tools: 20"),
    ("embeddings", "Embeddings: 30"),
]


@dataclass(frozen=True, slots=True)
class Sent:
    """One file that came: what it is called, and its bytes."""

    name: str
    content: "File[bytes]"


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or several; ``clean`` returns a list of them."""

    widget = FilesInput
    default_error_messages = {
        "required": "Choose a file first: JSONL, one request on each line.",
        "invalid": "Your browser sent no file. Choose it again and upload.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty_file=True, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list["UploadedFile[bytes]"]:
        chosen = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(file, initial) for file in chosen or [None]]


class SampleForm(forms.Form):
    """One of the files that come with the portal."""

    name = forms.ChoiceField(choices=SAMPLES)


class SendingForm(forms.Form):
    """What every way of sending has in common.

    ``submission`` is made with the form: what it brings comes in once, however often it is sent.
    ``then`` is "batch" where a file is sent to be run at once.
    """

    submission = forms.UUIDField(required=False, initial=uuid.uuid4)
    then = forms.CharField(required=False)

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection = connection

    @property
    def max_bytes(self) -> int:
        """Of one file: what may be sent on the connection, and the portal reads."""
        return min(self.connection.max_upload_bytes, settings.MAX_UPLOAD_MIB * MIB)

    @property
    def accept(self) -> str:
        return ",".join(ENDINGS)

    @property
    def hidden_submission(self) -> str:
        """What the page carries: a refused form keeps its own."""
        return str(self["submission"].value() or uuid.uuid4())

    @property
    def files_sent(self) -> list[Sent]:
        raise NotImplementedError

    @property
    def sender(self) -> UUID | None:
        """The ``submission``, unless it is none: then nothing can be sent twice by it."""
        found: UUID | None = self.cleaned_data.get("submission")
        return found

    @property
    def wants_batch(self) -> bool:
        return bool(self.cleaned_data.get("then") == "batch")

    def _finding(self, name: str, size: int) -> str:
        limit = self.connection.max_upload_bytes
        if not size:
            return f"{name} is empty. Choose a file with one request on each line."
        if "." in name and not name.lower().endswith(ENDINGS):
            return (
                f"{name} is not taken: request files end in {', '.join(ENDINGS[:-1])} or "
                f"{ENDINGS[-1]}. Export your requests as JSONL, one on each line."
            )
        if size > limit:
            return (
                f"{name} has {size / MIB:,.1f} MiB, and a file for {self.connection} may have at "
                f"most {limit / MIB:,.1f} MiB. Split it into smaller files."
            )
        return ""


class UploadForm(SendingForm):
    """All of the chosen files or none: an error names the file that is in the way."""

    file = FilesField(label="Request files")

    def clean_file(self) -> list["UploadedFile[bytes]"]:
        files: list[UploadedFile[bytes]] = self.cleaned_data["file"]
        findings = [
            finding
            for each in files
            if (finding := self._finding(each.name or "", each.size or 0))
        ]
        if findings and len(files) > 1:
            findings.append("None of the files was uploaded. Leave these out and upload the rest.")
        if findings:
            raise ValidationError(findings)
        return files

    @property
    def files_sent(self) -> list[Sent]:
        return [Sent(file.name or "requests.jsonl", file) for file in self.cleaned_data["file"]]


class PasteForm(SendingForm):
    """Lines from a clipboard, which become a file."""

    pasted = forms.CharField(
        strip=False,
        widget=forms.Textarea,
        error_messages={"required": "Paste at least one line first: a request on each."},
    )
    name = forms.CharField(required=False, empty_value=PASTED)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name if name.lower().endswith(ENDINGS) else f"{name}.jsonl"

    def clean_pasted(self) -> bytes:
        """Forms send every line's end as CR LF, whatever was pasted."""
        text: str = self.cleaned_data["pasted"].replace("\r\n", "\n")
        if not text.strip():
            raise ValidationError("Paste at least one line first: a request on each.")
        content = text.encode(errors="replace")
        if finding := self._finding(PASTED, len(content)):
            raise ValidationError(finding)
        return content

    @property
    def files_sent(self) -> list[Sent]:
        asked = self.cleaned_data
        return [Sent(asked["name"], ContentFile(asked["pasted"], asked["name"]))]


class FileFilterForm(forms.Form):
    """Which files a list shows, in what order; it lives in the page's address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name", "autocomplete": "off"}),
    )
    status = forms.ChoiceField(
        required=False, choices=[("", "Any status"), *Upload.Status.choices]
    )

    ORDERS: ClassVar[dict[str, Expression | F]] = {
        "name": Lower("name"),
        "requests": F("requests"),
        "size": F("size"),
        "created": F("created_at"),
    }

    @property
    def is_narrow(self) -> bool:
        """Whether it asks for less than everything."""
        return any(self.data.get(name) for name in self.fields)

    @property
    def sort(self) -> str:
        """The column to sort by, with "-" for downwards; the newest first unless asked."""
        asked: str = self.data.get("sort", "")
        return asked if asked.removeprefix("-") in self.ORDERS else "-created"

    def narrow(self, files: "QuerySet[Upload]") -> "QuerySet[Upload]":
        """Those of ``files`` that were asked for; none while the question makes no sense."""
        if not self.is_valid():
            return files.none()
        if text := self.cleaned_data["q"]:
            files = files.filter(name__icontains=text)
        if status := self.cleaned_data["status"]:
            files = files.filter(status=status)
        column = OrderBy(
            self.ORDERS[self.sort.removeprefix("-")],
            descending=self.sort.startswith("-"),
            nulls_last=True,
        )
        return files.order_by(column, "-created_at", "pk")
