"""The file of a provider's batch that was made elsewhere: found, and fetched.

A provider gives out requests as it keeps them, written anew: the same ones, not the same bytes.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings
from django.core.files.base import File

from batchapp.models import BatchImport, Project
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import ABOUT_KEYS, ProviderRejected
from batchapp.providers.remote_objects import RemoteBatch, RemoteFile

NAME_LENGTH = 200
"""Characters of what a batch on its way is called; of a longer file name its end is kept."""

MIB = 1024 * 1024


class Refused(Exception):
    """The batch cannot be brought in; the message is a sentence for the person."""


def retrieve_remote_batch(batch_import: BatchImport, provider: ProviderClient) -> RemoteBatch:
    """The provider's batch as it is now.

    Raises:
        Refused: it is not there, is followed here already, or who asked for it has left.
        UpstreamError: it could not be asked for.
    """
    if (
        not Project.objects.writable_by(batch_import.asked_by)
        .filter(pk=batch_import.project_id)
        .exists()
    ):
        raise Refused(
            f"{batch_import.asked_by}, who asked for this, works in the project no more. Dismiss "
            "this, and bring the batch in again."
        )
    try:
        remote = provider.retrieve_batch(batch_import.remote_id)
    except ProviderRejected as exc:
        if exc.reason in ABOUT_KEYS:
            raise
        raise Refused(
            f"{batch_import.connection} knows no batch {batch_import.remote_id} under the key "
            f"{batch_import.key}: the id is mistyped, the batch was deleted there, or it was made "
            "with a key of another account. Dismiss this, and choose the key it was made with."
        ) from exc
    if remote.id != batch_import.remote_id:
        raise Refused(
            f"{batch_import.connection} calls this batch {remote.id}. Dismiss this, and bring it in "
            "by that id."
        )
    if BatchImport.objects.followed_ids(batch_import.connection, [remote]):
        raise Refused("This batch is in the portal already. Dismiss this.")
    return remote


@contextmanager
def fetched_file(batch_import: BatchImport, provider: ProviderClient) -> "Iterator[File[bytes]]":
    """The file that the provider's batch was made of, under the name it has there.

    Raises:
        Refused: it cannot be had, or is no file for here.
        UpstreamError: nothing was written but signs of life.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    remote = retrieve_remote_batch(batch_import, provider)
    file = _input_file(batch_import, remote, provider)
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
        lines = _download(batch_import, file, provider, content)
        if remote.total and lines != remote.total:
            raise Refused(
                f"{batch_import.connection} counts {remote.total:,} requests in this batch, and gave "
                f"out {lines:,}. Try again; if it happens again, the batch cannot be brought in "
                "as it is."
            )
        name = file.name or f"{batch_import.remote_id}.jsonl"
        batch_import.renew_lease(name=name[-NAME_LENGTH:])
        content.seek(0)
        yield File(content, name=name)


def _input_file(
    batch_import: BatchImport, remote: RemoteBatch, provider: ProviderClient
) -> RemoteFile:
    gone = (
        f"The file that this batch was made of was deleted at {batch_import.connection}, so nobody "
        "can say which answer belongs to which request. Download its results there."
    )
    if not remote.input_file_id:
        raise Refused(gone)
    try:
        file = provider.retrieve_file(remote.input_file_id)
    except ProviderRejected as exc:
        if exc.reason in ABOUT_KEYS:
            raise
        raise Refused(gone) from exc
    if file.bytes > batch_import.connection.max_upload_bytes:
        raise _too_large(batch_import)
    return file


def _download(
    batch_import: BatchImport, file: RemoteFile, provider: ProviderClient, content: IO[bytes]
) -> int:
    """Write the requests of ``file`` to ``content``, and return how many there are."""
    lines = size = 0
    sign = batch_import.lease_renewer()
    with provider.open_content(file.id, on_progress=sign) as remote:
        for line in remote.lines():
            lines += 1
            size += content.write(line + b"\n")
            if size > batch_import.connection.max_upload_bytes:
                raise _too_large(batch_import)
    return lines


def _too_large(batch_import: BatchImport) -> Refused:
    limit = batch_import.connection.max_upload_bytes / MIB
    return Refused(
        f"Its file is larger than the portal takes: {limit:,.0f} MiB. Ask an operator to raise "
        "the connection's limit, then try again."
    )
