"""Fetch the provider's batch and its file for an import.

A provider may write the requests anew: the file has the same requests, not the same bytes.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings
from django.core.files.base import File

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import BatchImport
from batchapp.providers.base import Provider
from batchapp.providers.errors import KEY_REASONS, ProviderRejected, TooMuchContent
from batchapp.providers.remote_objects import RemoteBatch, RemoteFile

NAME_LENGTH = 200  # characters of an import's name; the end of a longer file name is kept


def retrieve_remote_batch(batch_import: BatchImport, provider: Provider) -> RemoteBatch:
    """Retrieve the provider's batch as it is now.

    Raises:
        Refused: it does not exist, is in the portal already, or the person who requested the
            import may not write in the project any more.
        ProviderError: the provider gave no usable answer.
    """
    connection = batch_import.connection
    if not access.can_write(batch_import.requested_by, batch_import.project):
        raise requester_left(batch_import)
    try:
        remote = provider.retrieve_batch(batch_import.remote_id)
    except ProviderRejected as exc:
        if exc.reason in KEY_REASONS:
            raise
        raise Refused(
            Refusal.REMOTE_BATCH_UNKNOWN,
            connection=connection.name,
            remote_id=batch_import.remote_id,
            key=str(batch_import.key),
        ) from exc
    if remote.id != batch_import.remote_id:
        raise Refused(
            Refusal.REMOTE_BATCH_RENAMED, connection=connection.name, remote_id=remote.id
        )
    if BatchImport.objects.followed_ids(connection, [remote]):
        raise Refused(Refusal.IN_PORTAL_ALREADY)
    return remote


def requester_left(batch_import: BatchImport) -> Refused:
    """Return why the person may not import any more: the project is archived, or they left."""
    batch_import.project.refresh_from_db(fields=["archived_at"])
    if batch_import.project.archived_at:
        return Refused(Refusal.PROJECT_ARCHIVED)
    return Refused(Refusal.REQUESTER_LEFT, person=str(batch_import.requested_by))


@contextmanager
def fetch_file(batch_import: BatchImport, provider: Provider) -> "Iterator[File[bytes]]":
    """Yield the input file of the provider's batch, under its name at the provider.

    Raises:
        Refused: the file was deleted there, is too large, or has fewer or more requests.
        ProviderError: the provider gave no usable answer; only the lease was renewed.
        StaleRow: the lease ran out, and another worker has the row now.
    """
    remote = retrieve_remote_batch(batch_import, provider)
    file = _input_file(batch_import, remote, provider)
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
        lines = _download(batch_import, file, provider, content)
        if remote.total and lines != remote.total:
            raise Refused(
                Refusal.REMOTE_FILE_INCOMPLETE,
                connection=batch_import.connection.name,
                requests=remote.total,
                lines=lines,
            )
        name = file.name or f"{batch_import.remote_id}.jsonl"
        batch_import.renew_lease(name=name[-NAME_LENGTH:])
        content.seek(0)
        yield File(content, name=name)


def _input_file(batch_import: BatchImport, remote: RemoteBatch, provider: Provider) -> RemoteFile:
    deleted = Refused(Refusal.REMOTE_FILE_DELETED, connection=batch_import.connection.name)
    if not remote.input_file_id:
        raise deleted
    try:
        file = provider.retrieve_file(remote.input_file_id)
    except ProviderRejected as exc:
        if exc.reason in KEY_REASONS:
            raise
        raise deleted from exc
    if file.bytes > batch_import.connection.max_upload_bytes:
        raise _too_large(batch_import)
    return file


def _download(
    batch_import: BatchImport, file: RemoteFile, provider: Provider, content: IO[bytes]
) -> int:
    """Write the requests of ``file`` to ``content``, and return their number."""
    lines = size = 0
    renew_lease = batch_import.lease_renewer()
    max_bytes = batch_import.connection.max_upload_bytes
    try:
        with provider.open_content(file.id, on_progress=renew_lease) as remote:
            for line in remote.lines(max_bytes=2 * max_bytes):  # blank lines are not kept
                lines += 1
                size += content.write(line + b"\n")
                if size > max_bytes:
                    raise _too_large(batch_import)
    except TooMuchContent as exc:
        raise _too_large(batch_import) from exc
    return lines


def _too_large(batch_import: BatchImport) -> Refused:
    limit = batch_import.connection.max_upload_bytes
    return Refused(Refusal.REMOTE_FILE_TOO_LARGE, limit_bytes=limit)
