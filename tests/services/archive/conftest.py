"""A storage that has the files of one test alone."""

from pathlib import Path

import pytest
from django.conf import LazySettings

DISK = "batchapp.storage.disk.DiskStorage"


@pytest.fixture(autouse=True)
def stored(settings: LazySettings, tmp_path: Path) -> Path:
    """The folder in which files are stored."""
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": DISK}}
    return tmp_path
