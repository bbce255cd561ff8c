"""Request, retry and end imports of batches that were created outside the portal.

An import creates, changes and cancels nothing at the provider: the portal fetches the file, checks
it, and from then on follows the batch like any other.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    Batch,
    BatchImport,
    Connection,
    Project,
    ProviderBatch,
    ProviderKey,
    StaleRow,
    Upload,
    User,
)
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderError
from batchapp.providers.remote_objects import RemoteBatch

PAGE_SIZE = 50
CHECK_POLL_INTERVAL = timedelta(seconds=1)  # between two looks at a file that is being checked
MAX_FINDINGS = 3  # findings that a refusal of a file names


class Candidate(NamedTuple):
    """A provider's batch that can be imported; ``file_name`` is "" if unknown."""

    remote: RemoteBatch
    file_name: str


class Candidates(NamedTuple):
    """A page of candidates; ``left_out`` counts the batches that are in the portal already.

    ``after`` is the id from which the next page starts, "" on the last page.
    """

    rows: list[Candidate]
    left_out: int
    after: str


class StartedImports(NamedTuple):
    """The imports of this project, and the ids that are in the portal elsewhere or followed."""

    batch_imports: list[BatchImport]
    ids_in_portal: list[str]


def list_candidates(
    project: Project, user: User, key: ProviderKey, provider: Provider, after: str = ""
) -> Candidates:
    """Return a page of the batches of ``key`` that are not in the portal, the newest first.

    Raises:
        NotAllowed: the provider was not asked.
        ProviderError: the list could not be read.
    """
    access.require_choose_key(user, key, project)
    page = provider.list_batches(limit=PAGE_SIZE, after=after or None)
    ids_in_portal = BatchImport.objects.ids_in_portal(key.connection, page.data)
    remotes = [remote for remote in page.data if remote.id not in ids_in_portal]
    names = _file_names(provider) if remotes else {}
    return Candidates(
        rows=[Candidate(remote, names.get(remote.input_file_id, "")) for remote in remotes],
        left_out=len(page.data) - len(remotes),
        after=(page.last_id or "") if page.has_more else "",
    )


def request_imports(
    project: Project, user: User, key: ProviderKey, ids: Iterable[str]
) -> StartedImports:
    """Queue the import of the batches ``ids``; a second request for an id changes nothing.

    A failed import is started again, whoever requested it first.

    Raises:
        NotAllowed: nothing was written.
        Refused: nothing was written.
    """
    access.require_choose_key(user, key, project)
    if not ProviderKey.objects.filter(pk=key.pk).exclude(ciphertext="").exists():
        raise Refused(Refusal.KEY_REMOVED)
    if key.connection.archived_at:
        raise Refused(Refusal.CONNECTION_ARCHIVED, connection=key.connection.name)
    remote_ids = list(dict.fromkeys(ids))
    provider_batches = ProviderBatch.objects.filter(
        batch__connection__in=key.connection.same_provider(), remote_id__in=remote_ids
    )
    batch_imports = BatchImport.objects.exclude(connection=key.connection)
    unavailable = {
        *provider_batches.values_list("remote_id", flat=True),
        *batch_imports.imported_ids(key.connection, remote_ids),
    }
    started = StartedImports([], [])
    for remote_id in remote_ids:
        if remote_id not in unavailable and (
            batch_import := _request_import(project, user, key, remote_id)
        ):
            started.batch_imports.append(batch_import)
        else:
            started.ids_in_portal.append(remote_id)
    return started


def retry_import(batch_import: BatchImport, user: User, **fields: Any) -> None:
    """Start a failed import from the beginning, with ``fields`` changed.

    Raises:
        NotAllowed: nothing was written.
        StaleRow: another person started it at the same instant.
    """
    access.require_write(user, fields.get("project", batch_import.project))
    fields |= {"upload": None, "name": batch_import.remote_id, **BatchImport.NO_PROBLEM}
    batch_import.move_to(BatchImport.Status.FETCHING, **fields)


def dismiss(batch_import: BatchImport, user: User) -> bool:
    """Delete a failed import; return False if the import is not in this state any more.

    Raises:
        NotAllowed: nothing was deleted.
    """
    access.require_write(user, batch_import.project)
    rows = BatchImport.objects.filter(pk=batch_import.pk, status=BatchImport.Status.FAILED)
    return bool(rows.delete()[0])


def attach_file(batch_import: BatchImport, upload: Upload) -> None:
    """Record that the file was fetched and is checked next."""
    batch_import.move_to(BatchImport.Status.CHECKING, upload=upload, **BatchImport.NO_PROBLEM)


def is_being_checked(batch_import: BatchImport) -> bool:
    return batch_import.upload is not None and batch_import.upload.status == Upload.Status.CHECKING


def get_checked_upload(batch_import: BatchImport) -> Upload:
    """Return the fetched file, which has no errors.

    Raises:
        Refused: the file has errors, or was deleted.
    """
    upload = batch_import.upload
    if upload is None:
        raise Refused(Refusal.IMPORT_FILE_DELETED)
    if upload.status == Upload.Status.READY and upload.report:
        return upload
    raise _why_not_followable(upload, batch_import.connection)


def record_batch(batch_import: BatchImport, batch: Batch) -> None:
    """End the import; call this in the transaction that enters ``batch``."""
    batch_import.move_to(BatchImport.Status.DONE, batch=batch, **BatchImport.NO_PROBLEM)


def fail_import(batch_import: BatchImport, problem: Problem) -> None:
    """Leave the import to a person, who reads of ``problem``."""
    batch_import.move_to(BatchImport.Status.FAILED, problem=problem)


def _request_import(
    project: Project, user: User, key: ProviderKey, remote_id: str
) -> BatchImport | None:
    """Return the import of the batch ``remote_id``; None if it is of another project, or over."""
    fields = {"project": project, "key": key, "requested_by": user}
    batch_import, is_new = BatchImport.objects.get_or_create(
        connection=key.connection,
        remote_id=remote_id,
        defaults={**fields, "name": remote_id, "next_check_at": timezone.now()},
    )
    if not is_new and batch_import.status == BatchImport.Status.FAILED:
        try:
            retry_import(batch_import, user, **fields)
        except StaleRow:
            return None
    is_ours = batch_import.project_id == project.pk
    return batch_import if is_ours and batch_import.status != BatchImport.Status.DONE else None


def _file_names(provider: Provider) -> dict[str, str]:
    """Return file id -> name of the newest files; empty if the list cannot be read."""
    try:
        return {file.id: file.name for file in provider.list_files().data}
    except ProviderError:
        return {}


def _why_not_followable(upload: Upload, connection: Connection) -> Refused:
    """Return why a batch of this file cannot be imported."""
    report = upload.report
    if report is None:
        problem = upload.problem
        return Refused(Refusal.IMPORT_FILE_UNCHECKED, problem=problem and asdict(problem))
    errors = [finding for finding in report.findings if finding.severity == "error"]
    findings = [[error.line, error.message] for error in errors[:MAX_FINDINGS]]
    if "duplicate_custom_id" in report.finding_totals:
        return Refused(Refusal.IMPORT_IDS_REPEATED, findings=findings)
    return Refused(Refusal.IMPORT_FILE_FAULTY, connection=connection.name, findings=findings)
