"""Batches that were made elsewhere with the same provider key, brought into a project.

Nothing is created, changed or cancelled at the provider: the file is fetched and checked, and from
then on the batch is one like any other.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from batchapp.models import (
    Adoption,
    Batch,
    Connection,
    Part,
    Project,
    ProviderKey,
    StaleRow,
    Upload,
    User,
)
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import UpstreamError
from batchapp.providers.remote_objects import RemoteBatch

PAGE = 50

LOOK_AGAIN = timedelta(seconds=1)
"""While the file is being checked."""

FAULTS_TOLD = 3


class Refused(Exception):
    """The batch cannot be brought in; the message is a sentence for the person."""


class Candidate(NamedTuple):
    """A provider's batch that is not here; ``file_name`` is "" where it is not known."""

    remote: RemoteBatch
    file_name: str


class Candidates(NamedTuple):
    """A page of them: how many were left out as they are here, and the next page's ``after``."""

    rows: list[Candidate]
    here: int
    after: str


class Begun(NamedTuple):
    """What is on its way, and the ids that are in the portal already, wherever that is."""

    adoptions: list[Adoption]
    here: list[str]


def candidates(key: ProviderKey, upstream: UpstreamClient, after: str = "") -> Candidates:
    """A page of the batches that ``key`` sees and the portal does not follow, the newest first.

    Raises:
        UpstreamError: the list could not be read.
    """
    page = upstream.list_batches(limit=PAGE, after=after or None)
    here = Adoption.objects.here(key.connection, page.data)
    fresh = [remote for remote in page.data if remote.id not in here]
    names = _file_names(upstream) if fresh else {}
    return Candidates(
        rows=[Candidate(remote, names.get(remote.input_file_id, "")) for remote in fresh],
        here=len(page.data) - len(fresh),
        after=(page.last_id or "") if page.has_more else "",
    )


def begin(project: Project, user: User, key: ProviderKey, ids: Iterable[str]) -> Begun:
    """Put the batches ``ids`` in line to be brought in; asking twice changes nothing.

    One that could not be brought in before, whoever tried, is tried anew.

    Raises:
        Refused: nothing was written.
    """
    if not ProviderKey.objects.usable_by(user, project).filter(pk=key.pk).exists():
        raise Refused("Choose one of your own provider keys or one of the project's.")
    asked = list(dict.fromkeys(ids))
    there = key.connection.same_provider()
    parts = Part.objects.filter(batch__connection__in=there, upstream_id__in=asked)
    rows = Adoption.objects.exclude(connection=key.connection)
    here = set(parts.values_list("upstream_id", flat=True)) | rows.taken_in(key.connection, asked)
    begun = Begun([], [])
    for each in asked:
        adoption = None if each in here else _begin_one(project, user, key, each)
        if adoption:
            begun.adoptions.append(adoption)
        else:
            begun.here.append(each)
    return begun


def try_again(adoption: Adoption) -> None:
    """Fetch from the beginning what could not be brought in.

    Raises:
        StaleRow: somebody else did the same at this very moment.
    """
    adoption.move_to(
        Adoption.Status.FETCHING, upload=None, trouble="", failures=0, name=adoption.upstream_id
    )


def dismiss(adoption: Adoption) -> bool:
    """Forget one that could not be brought in; False if it is on its way after all."""
    rows = Adoption.objects.filter(pk=adoption.pk, status=Adoption.Status.FAILED)
    return bool(rows.delete()[0])


def keep(adoption: Adoption, upload: Upload) -> None:
    """Write down that the file is here, and is checked next."""
    adoption.move_to(Adoption.Status.CHECKING, upload=upload, trouble="", failures=0)


def is_being_checked(adoption: Adoption) -> bool:
    return adoption.upload is not None and adoption.upload.status == Upload.Status.CHECKING


def checked(adoption: Adoption) -> Upload:
    """The file, fit to be followed.

    Raises:
        Refused: it is not.
    """
    upload = adoption.upload
    if upload is None:
        raise Refused("The file was deleted here before its check had ended. Try again.")
    if upload.status == Upload.Status.READY and upload.report:
        return upload
    raise Refused(_objection(upload, adoption.connection))


def finish(adoption: Adoption, batch: Batch) -> None:
    """Write down that ``batch`` follows it now; in one transaction with the batch itself."""
    adoption.move_to(Adoption.Status.DONE, batch=batch, trouble="", failures=0)


def refuse(adoption: Adoption, sentence: str) -> None:
    """Leave it to a person, who reads ``sentence``."""
    adoption.move_to(Adoption.Status.FAILED, trouble=sentence)


def _begin_one(project: Project, user: User, key: ProviderKey, each: str) -> Adoption | None:
    """Return the one row of the batch ``each``; None if it is not for this project to have."""
    asked = {"project": project, "key": key, "asked_by": user}
    adoption, is_new = Adoption.objects.get_or_create(
        connection=key.connection,
        upstream_id=each,
        defaults={**asked, "name": each, "next_check_at": timezone.now()},
    )
    if not is_new and adoption.status == Adoption.Status.FAILED:
        try:
            again = {"upload": None, "trouble": "", "failures": 0, "name": each}
            adoption.move_to(Adoption.Status.FETCHING, **asked, **again)
        except StaleRow:
            return None
    is_ours = adoption.project_id == project.pk
    return adoption if is_ours and adoption.status != Adoption.Status.DONE else None


def _file_names(upstream: UpstreamClient) -> dict[str, str]:
    """File -> its name, of the newest files; a list of batches is of use without."""
    try:
        return {file.id: file.name for file in upstream.list_files().data}
    except UpstreamError:
        return {}


def _objection(upload: Upload, connection: Connection) -> str:
    """Why a batch of this file cannot be followed, and what can be done."""
    report = upload.report
    if report is None:
        return upload.error or "Its file could not be checked. Try again."
    faults = [fault for fault in report.faults if fault.severity == "error"]
    told = " ".join(f"Line {each.line:,}: {each.message}" for each in faults[:FAULTS_TOLD])
    if "duplicate_custom_id" in report.fault_totals:
        reason = "Several of its requests have the same custom_id, and results come back by it"
    else:
        reason = f"{connection} took its file, but the check here finds errors in it"
    return (
        f"{reason}, so the portal cannot account for every request. Download the results there, "
        f"or correct the copy of the file here and submit it anew, which is paid again. {told}"
    )
