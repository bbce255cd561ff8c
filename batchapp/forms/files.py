"""Files as people send them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from batchapp.models import Connection

MIB = 1024 * 1024

SAMPLES = [
    ("chat", "Chat: 300 requests"),
    ("structured", "Structured output: 20"),
    ("tools", "Tools: 20"),
    ("embeddings", "Embeddings: 30"),
]


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


class UploadForm(forms.Form):
    """All of the chosen files or none: an error names the file that is in the way."""

    file = FilesField(label="Request files")

    def __init__(self, *args: Any, connection: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection = connection
        attributes = self.fields["file"].widget.attrs
        attributes["accept"] = ".jsonl,.ndjson,.json,.txt,application/jsonl"
        attributes["data-max-bytes"] = connection.max_file_bytes

    def clean_file(self) -> list["UploadedFile[bytes]"]:
        files: list[UploadedFile[bytes]] = self.cleaned_data["file"]
        faults = [fault for file in files if (fault := self._fault(file))]
        if faults and len(files) > 1:
            faults.append("None of the files was uploaded. Leave these out and upload the rest.")
        if faults:
            raise ValidationError(faults)
        return files

    def _fault(self, file: "UploadedFile[bytes]") -> str:
        limit = self.connection.max_file_bytes
        if not file.size:
            return f"{file.name} is empty. Choose a file with one request on each line."
        if file.size > limit:
            return (
                f"{file.name} has {file.size / MIB:,.1f} MiB, and {self.connection} takes at most "
                f"{limit / MIB:,.1f} MiB a file. Split it into smaller files."
            )
        return ""
