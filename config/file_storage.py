"""The storage of files, which keeps nothing of a file that could not be stored whole."""

from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class FileStorage(FileSystemStorage):
    """A folder of files; a full disk leaves no half of one behind."""

    def _save(self, name: str, content: "File[bytes]") -> str:
        path = Path(self.path(name))
        was_there = path.exists()
        try:
            saved: str = super()._save(name, content)  # type: ignore[misc]
        except OSError:
            if not was_there:
                path.unlink(missing_ok=True)
            raise
        return saved
