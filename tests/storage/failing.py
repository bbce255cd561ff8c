"""A storage that takes no files for a while, as a server that restarts, or a full disk."""

from typing import Any, ClassVar

from batchapp.storage.disk import DiskStorage


class FailingStorage(DiskStorage):
    """A folder; as long as ``error`` is set, opening or saving a file raises it."""

    error: ClassVar[OSError | None] = None

    def _open(self, *args: Any, **kwargs: Any) -> Any:
        if FailingStorage.error:
            raise FailingStorage.error
        return super()._open(*args, **kwargs)

    def _save(self, *args: Any, **kwargs: Any) -> str:
        if FailingStorage.error:
            raise FailingStorage.error
        return super()._save(*args, **kwargs)
