"""Receive a file that is stored only if its check finds no error, as scripts send it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.utils import timezone

from batchapp import access
from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import Report
from batchapp.models import Project, StaleRow, Upload, User
from batchapp.models.files.upload import CHUNK_BYTES
from batchapp.services.files.upload_intake import store, store_report, unpacked


class FaultyFile(Exception):
    """The check found errors, which ``report`` has; nothing was stored."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.severities)
        self.report = report


def receive_checked_file(
    project: Project,
    user: User,
    content: "File[bytes]",
    *,
    name: str,
    submission: UUID | None = None,
    further_fields: Callable[[Upload, Report], dict[str, Any]] | None = None,
) -> Upload:
    """Check ``content``, and store it with its report, ready to be ordered.

    ``submission`` and ``further_fields`` are those of ``receive_file`` and ``check_upload``. If
    this process dies after the bytes are stored, a worker checks the file again.

    Raises:
        NotAllowed: nothing was stored.
        FaultyFile: nothing was stored.
        StaleRow: somebody deleted the file at this moment.
    """
    access.require_write(user, project)
    with unpacked(content, project) as plain:
        report = check_file.check(plain.chunks(CHUNK_BYTES), project.connection.check_limits)
        if not report.is_valid:
            raise FaultyFile(report)
        leased_until = timezone.now() + settings.LEASE
        plain.seek(0)
        upload = store(
            project,
            user,
            plain,
            name=name if plain is content else name.removesuffix(".gz"),
            submission=submission,
            leased_until=leased_until,
        )
    # Of the same call before, which another process may be at.
    if upload.status != Upload.Status.CHECKING or upload.leased_until != leased_until:
        return upload
    try:
        store_report(upload, report, further_fields(upload, report) if further_fields else {})
    except StaleRow as exc:  # a worker was faster
        try:
            upload.refresh_from_db()
        except Upload.DoesNotExist:
            raise exc from None
    return upload
