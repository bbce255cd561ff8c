"""Receive tables, whichever page they were sent to."""

from batchapp.forms.files.received_file import ReceivedFile
from batchapp.http import Request
from batchapp.models import Project, PromptTemplateVersion, SourceTable
from batchapp.services.tables import table_import
from batchapp.tasks import run, wake


def receive(
    request: Request,
    project: Project,
    file: ReceivedFile,
    *,
    version: PromptTemplateVersion | None = None,
) -> SourceTable:
    """Store and read a table.

    Raises:
        Refused: the content is no table, or too large; nothing was stored.
    """
    table = table_import.receive_table(
        project, request.user, file.content, name=file.name, version=version
    )
    read(table)
    return table


def read(table: SourceTable) -> None:
    """Read a small table within the request, and let a worker read a large one."""
    if table_import.is_quick_to_read(table):
        run(table)
    else:
        wake(table)
