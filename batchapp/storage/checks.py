"""Ask the storage itself, when Django is asked to check a deployment."""

from collections.abc import Sequence
from typing import Any, cast

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.core.files.storage import default_storage

from batchapp.storage.blob_storage import BlobStorage

HINT = (
    "STORAGE_URL names host, bucket, region and key. The key must be allowed to put, get, list "
    "and delete objects of the bucket."
)


def check_storage(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Write a byte to the storage and delete it again."""
    try:
        cast(BlobStorage, default_storage).require_room(1)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        return [Error(f"The storage cannot be written: {reason}.", hint=HINT, id="batchapp.E001")]
    return []
