"""Batches that were made elsewhere with the same provider key, brought into a project.

Nothing is created, changed or cancelled at the provider: the file is fetched and checked, and from
then on the batch is one like any other.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

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
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import ProviderError
from batchapp.providers.remote_objects import RemoteBatch

PAGE = 50

LOOK_AGAIN = timedelta(seconds=1)
"""While the file is being checked."""

FINDINGS_NAMED = 3


class Refused(Exception):
    """The batch cannot be brought in; the message is a sentence for the person."""


class Candidate(NamedTuple):
    """A provider's batch that is not here; ``file_name`` is "" where it is not known."""

    remote: RemoteBatch
    file_name: str


class Candidates(NamedTuple):
    """A page of them: how many were left out as they are here, and the next page's ``after``."""

    rows: list[Candidate]
    left_out: int
    after: str


class StartedImports(NamedTuple):
    """What is on its way, and the ids that are in the portal already, wherever that is."""

    batch_imports: list[BatchImport]
    ids_in_portal: list[str]


def candidates(key: ProviderKey, provider: ProviderClient, after: str = "") -> Candidates:
    """A page of the batches that ``key`` sees and the portal does not follow, the newest first.

    Raises:
        UpstreamError: the list could not be read.
    """
    page = provider.list_batches(limit=PAGE, after=after or None)
    here = BatchImport.objects.ids_in_portal(key.connection, page.data)
    fresh = [remote for remote in page.data if remote.id not in here]
    names = _file_names(provider) if fresh else {}
    return Candidates(
        rows=[Candidate(remote, names.get(remote.input_file_id, "")) for remote in fresh],
        left_out=len(page.data) - len(fresh),
        after=(page.last_id or "") if page.has_more else "",
    )


def request_imports(
    project: Project, user: User, key: ProviderKey, ids: Iterable[str]
) -> StartedImports:
    """Put the batches ``ids`` in line to be brought in; asking twice changes nothing.

    One that could not be brought in before, whoever tried, is tried anew.

    Raises:
        Refused: nothing was written.
    """
    if not ProviderKey.objects.usable_by(user, project).filter(pk=key.pk).exists():
        raise Refused("Choose one of your own provider keys or one of the project's.")
    asked = list(dict.fromkeys(ids))
    there = key.connection.same_provider()
    provider_batches = ProviderBatch.objects.filter(
        batch__connection__in=there, remote_id__in=asked
    )
    rows = BatchImport.objects.exclude(connection=key.connection)
    here = set(provider_batches.values_list("remote_id", flat=True)) | rows.imported_ids(
        key.connection, asked
    )
    begun = StartedImports([], [])
    for each in asked:
        batch_import = None if each in here else _request_import(project, user, key, each)
        if batch_import:
            begun.batch_imports.append(batch_import)
        else:
            begun.ids_in_portal.append(each)
    return begun


def try_again(batch_import: BatchImport) -> None:
    """Fetch from the beginning what could not be brought in.

    Raises:
        StaleRow: somebody else did the same at this very moment.
    """
    batch_import.move_to(
        BatchImport.Status.FETCHING,
        upload=None,
        trouble="",
        failures=0,
        name=batch_import.remote_id,
    )


def dismiss(batch_import: BatchImport) -> bool:
    """Forget one that could not be brought in; False if it is on its way after all."""
    rows = BatchImport.objects.filter(pk=batch_import.pk, status=BatchImport.Status.FAILED)
    return bool(rows.delete()[0])


def attach_file(batch_import: BatchImport, upload: Upload) -> None:
    """Write down that the file is here, and is checked next."""
    batch_import.move_to(BatchImport.Status.CHECKING, upload=upload, trouble="", failures=0)


def is_being_checked(batch_import: BatchImport) -> bool:
    return batch_import.upload is not None and batch_import.upload.status == Upload.Status.CHECKING


def checked_upload(batch_import: BatchImport) -> Upload:
    """The file, fit to be followed.

    Raises:
        Refused: it is not.
    """
    upload = batch_import.upload
    if upload is None:
        raise Refused("The file was deleted here before its check had ended. Try again.")
    if upload.status == Upload.Status.READY and upload.report:
        return upload
    raise Refused(_why_not_followable(upload, batch_import.connection))


def finish(batch_import: BatchImport, batch: Batch) -> None:
    """Write down that ``batch`` follows it now; in one transaction with the batch itself."""
    batch_import.move_to(BatchImport.Status.DONE, batch=batch, trouble="", failures=0)


def refuse(batch_import: BatchImport, sentence: str) -> None:
    """Leave it to a person, who reads ``sentence``."""
    batch_import.move_to(BatchImport.Status.FAILED, trouble=sentence)


def _request_import(
    project: Project, user: User, key: ProviderKey, each: str
) -> BatchImport | None:
    """Return the one row of the batch ``each``; None if it is not for this project to have."""
    asked = {"project": project, "key": key, "asked_by": user}
    batch_import, is_new = BatchImport.objects.get_or_create(
        connection=key.connection,
        remote_id=each,
        defaults={**asked, "name": each, "next_check_at": timezone.now()},
    )
    if not is_new and batch_import.status == BatchImport.Status.FAILED:
        try:
            again = {"upload": None, "trouble": "", "failures": 0, "name": each}
            batch_import.move_to(BatchImport.Status.FETCHING, **asked, **again)
        except StaleRow:
            return None
    is_ours = batch_import.project_id == project.pk
    return batch_import if is_ours and batch_import.status != BatchImport.Status.DONE else None


def _file_names(provider: ProviderClient) -> dict[str, str]:
    """File -> its name, of the newest files; a list of batches is of use without."""
    try:
        return {file.id: file.name for file in provider.list_files().data}
    except ProviderError:
        return {}


def _why_not_followable(upload: Upload, connection: Connection) -> str:
    """Why a batch of this file cannot be followed, and what can be done."""
    report = upload.report
    if report is None:
        return upload.error or "Its file could not be checked. Try again."
    findings = [finding for finding in report.findings if finding.severity == "error"]
    told = " ".join(f"Line {each.line:,}: {each.message}" for each in findings[:FINDINGS_NAMED])
    if "duplicate_custom_id" in report.finding_totals:
        reason = "Several of its requests have the same custom_id, and results come back by it"
    else:
        reason = f"{connection} took its file, but the check here finds errors in it"
    return (
        f"{reason}, so the portal cannot account for every request. Download the results there, "
        f"or correct the copy of the file here and submit it anew, which is paid again. {told}"
    )
