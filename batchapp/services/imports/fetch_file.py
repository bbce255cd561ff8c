"""The file of a provider's batch that was made elsewhere: found, and fetched.

A provider gives out requests as it keeps them, written anew: the same ones, not the same bytes.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings
from django.core.files.base import File

from batchapp.models import Adoption, Project
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import ABOUT_KEYS, UpstreamRejected
from batchapp.providers.remote_objects import RemoteBatch, RemoteFile

NAME_LENGTH = 200
"""Characters of what a batch on its way is called; of a longer file name its end is kept."""

MIB = 1024 * 1024


class Refused(Exception):
    """The batch cannot be brought in; the message is a sentence for the person."""


def look(adoption: Adoption, upstream: UpstreamClient) -> RemoteBatch:
    """The provider's batch as it is now.

    Raises:
        Refused: it is not there, is followed here already, or who asked for it has left.
        UpstreamError: it could not be asked for.
    """
    if not Project.objects.writable_by(adoption.asked_by).filter(pk=adoption.project_id).exists():
        raise Refused(
            f"{adoption.asked_by}, who asked for this, works in the project no more. Dismiss "
            "this, and bring the batch in again."
        )
    try:
        remote = upstream.retrieve_batch(adoption.upstream_id)
    except UpstreamRejected as exc:
        if exc.reason in ABOUT_KEYS:
            raise
        raise Refused(
            f"{adoption.connection} knows no batch {adoption.upstream_id} under the key "
            f"{adoption.key}: the id is mistyped, the batch was deleted there, or it was made "
            "with a key of another account. Dismiss this, and choose the key it was made with."
        ) from exc
    if remote.id != adoption.upstream_id:
        raise Refused(
            f"{adoption.connection} calls this batch {remote.id}. Dismiss this, and bring it in "
            "by that id."
        )
    if Adoption.objects.followed(adoption.connection, [remote]):
        raise Refused("This batch is in the portal already. Dismiss this.")
    return remote


@contextmanager
def fetched(adoption: Adoption, upstream: UpstreamClient) -> "Iterator[File[bytes]]":
    """The file that the provider's batch was made of, under the name it has there.

    Raises:
        Refused: it cannot be had, or is no file for here.
        UpstreamError: nothing was written but signs of life.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    remote = look(adoption, upstream)
    file = _input_file(adoption, remote, upstream)
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
        lines = _download(adoption, file, upstream, content)
        if remote.total and lines != remote.total:
            raise Refused(
                f"{adoption.connection} counts {remote.total:,} requests in this batch, and gave "
                f"out {lines:,}. Try again; if it happens again, the batch cannot be brought in "
                "as it is."
            )
        name = file.name or f"{adoption.upstream_id}.jsonl"
        adoption.renew(name=name[-NAME_LENGTH:])
        content.seek(0)
        yield File(content, name=name)


def _input_file(adoption: Adoption, remote: RemoteBatch, upstream: UpstreamClient) -> RemoteFile:
    gone = (
        f"The file that this batch was made of was deleted at {adoption.connection}, so nobody "
        "can say which answer belongs to which request. Download its results there."
    )
    if not remote.input_file_id:
        raise Refused(gone)
    try:
        file = upstream.retrieve_file(remote.input_file_id)
    except UpstreamRejected as exc:
        if exc.reason in ABOUT_KEYS:
            raise
        raise Refused(gone) from exc
    if file.bytes > adoption.connection.max_upload_bytes:
        raise _too_large(adoption)
    return file


def _download(
    adoption: Adoption, file: RemoteFile, upstream: UpstreamClient, content: IO[bytes]
) -> int:
    """Write the requests of ``file`` to ``content``, and return how many there are."""
    lines = size = 0
    sign = adoption.keep_alive()
    with upstream.open_content(file.id, on_progress=sign) as remote:
        for line in remote.lines():
            lines += 1
            size += content.write(line + b"\n")
            if size > adoption.connection.max_upload_bytes:
                raise _too_large(adoption)
    return lines


def _too_large(adoption: Adoption) -> Refused:
    limit = adoption.connection.max_upload_bytes / MIB
    return Refused(
        f"Its file is larger than the portal takes: {limit:,.0f} MiB. Ask an operator to raise "
        "the connection's limit, then try again."
    )
