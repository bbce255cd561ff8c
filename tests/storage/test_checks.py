"""What ``manage.py check --deploy`` says of the storage."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks

from config.storage_url import storage_backend


def messages(*, deploy: bool = True) -> list[str]:
    return [
        message.msg for message in run_checks(tags=["storage"], include_deployment_checks=deploy)
    ]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("batchapp", []),
        ("elsewhere", ["The object storage refused the request (NoSuchBucket)"]),
    ],
)
def test_a_deployment_whose_storage_cannot_be_written_is_told_so(
    settings: LazySettings, server: str, tmp_path: Path, path: str, said: list[str]
) -> None:
    url = f"s3+http://key:secret@{server}/{path}"
    settings.STORAGES = {"default": storage_backend(url, copies_dir=tmp_path)}

    assert messages() == [f"The storage cannot be written: {reason}." for reason in said]
    assert messages(deploy=False) == []


def test_a_folder_that_cannot_be_written_is_said(settings: LazySettings, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where a folder should be")
    settings.STORAGES = {"default": storage_backend("filesystem://localhost", copies_dir=tmp_path)}
    settings.MEDIA_ROOT = tmp_path / "files"

    assert messages() == ["The storage cannot be written: Not a directory."]
