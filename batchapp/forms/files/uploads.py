"""Forms that receive request files, and the filters of a list of files."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Expression, F, OrderBy, QuerySet
from django.db.models.functions import Lower

from batchapp.forms.fields import SubmissionForm
from batchapp.forms.files.received_file import ENDINGS, TABLE_ENDINGS, ReceivedFile
from batchapp.models import Connection, Upload
from batchapp.models.audit.origin import AuditSource

MIB = 1024 * 1024

PASTED_NAME = "pasted.jsonl"

SAMPLES = [
    ("chat", "Chat: 300 requests"),
    ("structured", "Structured output: 20"),
    ("tools", "Tools: 20"),
    ("embeddings", "Embeddings: 30"),
]


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files; ``clean`` returns a list."""

    widget = FilesInput
    default_error_messages = {
        "required": "Choose a file first: JSONL, one request on each line.",
        "invalid": "Your browser sent no file. Choose it again and upload.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty_file=True, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list["UploadedFile[bytes]"]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(file, initial) for file in files or [None]]


class SampleForm(forms.Form):
    name = forms.ChoiceField(choices=SAMPLES)


class SendingForm(SubmissionForm):
    """The base of the forms that receive files; ``then`` is "batch" if an order comes next."""

    then = forms.CharField(required=False)

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection = connection

    @property
    def max_bytes(self) -> int:
        """The largest file that both the connection and the portal accept."""
        return min(self.connection.max_upload_bytes, settings.MAX_UPLOAD_MIB * MIB)

    @property
    def accept(self) -> str:
        return ",".join(ENDINGS)

    @property
    def files_sent(self) -> list[ReceivedFile]:
        raise NotImplementedError

    @property
    def wants_batch(self) -> bool:
        return bool(self.cleaned_data.get("then") == "batch")

    def _error(self, file: ReceivedFile) -> str:
        """Say why ``file`` is not taken; the size of a table is looked at when it is stored."""
        limit = self.connection.max_upload_bytes
        if not file.size:
            if file.ends_in(TABLE_ENDINGS):
                return f"{file.name} is empty. Its first row must name the columns."
            return f"{file.name} is empty. Choose a file with one request on each line."
        if file.is_table:
            return ""
        if "." in file.name and not file.ends_in(ENDINGS + TABLE_ENDINGS):
            return (
                f"{file.name} is not taken. Requests are JSONL, one on each line, in a file that "
                f"ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}. A table is CSV, TSV or "
                ".xlsx."
            )
        if file.size > limit:
            return (
                f"{file.name} has {file.size / MIB:,.1f} MiB, and a file for {self.connection} "
                f"may have at most {limit / MIB:,.1f} MiB. Split it into smaller files."
            )
        return ""


class UploadForm(SendingForm):
    """The form accepts all chosen files or none; its errors name the refused files."""

    file = FilesField(label="Request files")

    def clean_file(self) -> list[ReceivedFile]:
        files: list[UploadedFile[bytes]] = self.cleaned_data["file"]
        received = [ReceivedFile(file.name or "requests.jsonl", file) for file in files]
        errors = [error for file in received if (error := self._error(file))]
        if errors and len(files) > 1:
            errors.append("None of the files was uploaded. Leave these out and upload the others.")
        if errors:
            raise ValidationError(errors)
        return received

    @property
    def files_sent(self) -> list[ReceivedFile]:
        files: list[ReceivedFile] = self.cleaned_data["file"]
        return files


class PasteForm(SendingForm):
    """Pasted lines, which become a file."""

    pasted = forms.CharField(
        strip=False,
        widget=forms.Textarea,
        error_messages={"required": "Paste at least one line first: a request on each."},
    )
    name = forms.CharField(required=False, empty_value=PASTED_NAME)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name if name.lower().endswith(ENDINGS) else f"{name}.jsonl"

    def clean_pasted(self) -> bytes:
        """Restore the line ends, which forms send as CR LF."""
        text: str = self.cleaned_data["pasted"].replace("\r\n", "\n")
        if not text.strip():
            raise ValidationError("Paste at least one line first: a request on each.")
        content = text.encode(errors="replace")
        if error := self._error(ReceivedFile(PASTED_NAME, ContentFile(content))):
            raise ValidationError(error)
        return content

    @property
    def files_sent(self) -> list[ReceivedFile]:
        name = self.cleaned_data["name"]
        return [ReceivedFile(name, ContentFile(self.cleaned_data["pasted"], name))]


class FileFilterForm(forms.Form):
    """The filters and the order of a list of files, taken from the page's address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": "Name", "autocomplete": "off"}),
    )
    status = forms.ChoiceField(
        required=False, choices=[("", "Any status"), *Upload.Status.choices]
    )
    source = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any source"),
            (AuditSource.PAGE.value, "Console"),
            (AuditSource.KEY.value, "By API"),
            (AuditSource.COMMAND.value, "By command"),
        ],
    )

    ORDERS: ClassVar[dict[str, Expression | F]] = {
        "name": Lower("name"),
        "requests": F("requests"),
        "size": F("size"),
        "created": F("created_at"),
    }

    @property
    def is_narrow(self) -> bool:
        """Return True if the filters leave out any file."""
        return any(self.data.get(name) for name in self.fields)

    @property
    def sort(self) -> str:
        """The column to sort by, with "-" for descending; by default the newest first."""
        sort: str = self.data.get("sort", "")
        return sort if sort.removeprefix("-") in self.ORDERS else "-created"

    def narrow(self, files: "QuerySet[Upload]") -> "QuerySet[Upload]":
        """Filter and sort ``files``; an invalid form leaves none."""
        if not self.is_valid():
            return files.none()
        if text := self.cleaned_data["q"]:
            files = files.filter(name__icontains=text)
        if source := self.cleaned_data["source"]:
            files = files.filter(source=source)
        if status := self.cleaned_data["status"]:
            files = files.filter(status=status)
        else:
            files = files.filter(purged_at=None)
        column = OrderBy(
            self.ORDERS[self.sort.removeprefix("-")],
            descending=self.sort.startswith("-"),
            nulls_last=True,
        )
        return files.order_by(column, "-created_at", "pk")
