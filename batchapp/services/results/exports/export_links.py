"""Links to the files of exports, which a person can give on to others of the project."""

from datetime import UTC, datetime

from django.core.signing import BadSignature, Signer
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Export
from batchapp.models.batches.export import RETENTION

DIGEST_LENGTH = 16  # characters of the checksum; they tell the files of one export apart


class UnknownLink(Exception):
    """The portal made no such link."""


def make_link(export: Export) -> str:
    """Return the text by which ``require_linked_file`` knows the file that ``export`` has now.

    The link says until when it works. It gives nobody a right: who follows it must be in the
    project.
    """
    if export.expires_at is None:
        raise ValueError(f"export {export.pk} has no file")
    until = int(export.expires_at.timestamp())
    return _signer(export).sign(f"{until}-{export.sha256[:DIGEST_LENGTH]}")


def require_file(export: Export) -> None:
    """Raise ``Refused`` if the file of ``export`` was deleted, or is to be deleted by now."""
    if export.expires_at and export.expires_at <= timezone.now():
        raise _expired(export, export.expires_at)
    if export.status == Export.Status.EXPIRED and export.finished_at:
        raise _expired(export, export.finished_at + RETENTION)


def require_linked_file(export: Export, link: str) -> None:
    """Raise unless ``link`` still leads to the file that ``export`` has.

    Raises:
        UnknownLink: the portal did not make it.
        Refused: its time is over, or the export was written again since.
    """
    try:
        until, _, digest = _signer(export).unsign(link).partition("-")
    except BadSignature as exc:
        raise UnknownLink from exc
    end = datetime.fromtimestamp(int(until), UTC)
    if end <= timezone.now():
        raise _expired(export, end)
    if digest != export.sha256[:DIGEST_LENGTH]:
        raise _refused(Refusal.EXPORT_REPLACED, export)


def lost(export: Export) -> Refused:
    """Return the refusal of a file that should be in the storage, and is not."""
    return _refused(Refusal.EXPORT_LOST, export)


def _signer(export: Export) -> Signer:
    return Signer(sep=".", salt=f"batchapp export {export.pk}")


def _expired(export: Export, at: datetime) -> Refused:
    return _refused(Refusal.EXPORT_EXPIRED, export, at=at.isoformat())


def _refused(code: Refusal, export: Export, **facts: str) -> Refused:
    return Refused(code, batch=export.batch.name, exports_of=str(export.batch_id), **facts)
