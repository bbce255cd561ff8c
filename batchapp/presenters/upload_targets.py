"""Where the files that are dropped on a page go, and which a project takes."""

import json
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from batchapp.forms.files.received_file import ENDINGS, TABLE_ENDINGS
from batchapp.forms.files.uploads import MIB, UploadForm
from batchapp.models import Project
from batchapp.services.tables import table_import
from batchapp.templatetags.words import size


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """A project, and what the script of drop zones must know to send files to it."""

    project: Project
    facts: dict[str, Any]

    @property
    def json(self) -> str:
        return json.dumps(self.facts)

    @property
    def over(self) -> str:
        return f"Drop to upload to {self.project}"

    @property
    def file_hint(self) -> str:
        most, most_of_table = (
            size(self.facts[kind]["max_bytes"]).replace(".0 ", " ") for kind in ("files", "tables")
        )
        limit = "" if most == most_of_table else f", up to {most_of_table},"
        return f"Excel, CSV{limit} or JSONL (one request on each line), up to {most}"

    @property
    def request_hint(self) -> str:
        most = size(self.facts["files"]["max_bytes"]).replace(".0 ", " ")
        return f"JSONL, also packed as .gz, at most {most}"

    @property
    def table_hint(self) -> str:
        most = size(self.facts["tables"]["max_bytes"])
        return f"CSV, TSV, Excel (.xlsx) or JSON, at most {most}. Macros are never run."

    @property
    def endings(self) -> str:
        """Return the endings of files of requests and of tables, for a field for files."""
        return ",".join((*ENDINGS, *TABLE_ENDINGS))

    @property
    def table_endings(self) -> str:
        return ",".join((*TABLE_ENDINGS, ".txt", ".json", ".jsonl", ".ndjson"))


def upload_target(project: Project) -> UploadTarget:
    """Return where ``project`` takes files of requests and tables, and their limits."""
    facts = {
        "project": project.name,
        "files": {
            "url": reverse("file_list", args=[project.slug]),
            "endings": ENDINGS,
            "max_bytes": UploadForm(connection=project.connection).max_bytes,
        },
        "tables": {
            "url": reverse("table_add", args=[project.slug]),
            "endings": TABLE_ENDINGS,
            "max_bytes": table_import.max_mib() * MIB,
        },
    }
    return UploadTarget(project, facts)
