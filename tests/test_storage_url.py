"""STORAGE_URL: one line that says where bytes are stored, and what is wrong with a bad one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.storage_url import COPIES_MIB, OPTIONS, storage_backend
from tests.documents import section, table_rows
from tests.variables import ROOT

COPIES = Path("/data/copies")


def options(url: str) -> dict[str, object]:
    backend = storage_backend(url, copies_dir=COPIES)
    assert backend["BACKEND"] == "batchapp.storage.object_storage.ObjectStorage"
    return dict(backend["OPTIONS"])


def test_without_an_object_storage_files_are_in_a_folder() -> None:
    assert storage_backend("filesystem://localhost", copies_dir=COPIES) == {
        "BACKEND": "batchapp.storage.disk.DiskStorage"
    }


def test_a_server_of_the_team_is_reached_by_its_host() -> None:
    assert options("s3+http://key:s%2Fe%40cret@minio:9000/batchapp/team/?region=garage") == {
        "bucket_name": "batchapp",
        "location": "team",
        "endpoint_url": "http://minio:9000",
        "region_name": "garage",
        "addressing_style": "path",
        "use_checksums": True,
        "copies_dir": "/data/copies",
        "copies_bytes": 2048 * 1024 * 1024,
        "access_key": "key",
        "secret_key": "s/e@cret",
        "security_token": None,
    }
    assert options("s3://key:secret@[::1]:9000/batchapp")["endpoint_url"] == "https://[::1]:9000"
    assert options("s3://key:secret@host/batchapp")["endpoint_url"] == "https://host"


def test_without_a_host_it_is_aws_and_without_a_key_the_library_looks_for_one() -> None:
    found = options("s3:///batchapp?region=eu-central-1")

    assert (found["endpoint_url"], found["region_name"]) == (None, "eu-central-1")
    assert found["addressing_style"] == "virtual"
    assert not {"access_key", "secret_key", "security_token"} & set(found)


def test_the_options_are_read() -> None:
    found = options(
        "s3://k:s@host/batchapp?addressing=virtual&checksums=no&copies_mib=10&region=eu"
    )

    assert (found["addressing_style"], found["use_checksums"]) == ("virtual", False)
    assert found["copies_bytes"] == 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3://key:hidden@host", "the bucket is missing"),
        ("s3://key:hidden@host/no bucket", "the bucket is missing or no name"),
        ("s3:///batchapp", "without a host it is AWS, which needs"),
        ("s3://key@host/batchapp", "a key needs its secret"),
        ("s3://key:hid/den@host/batchapp", "a / or @ in the secret is written"),
        ("s3://key:hidden@host/batchapp?regoin=eu", "'regoin' is not an option"),
        ("s3://key:hidden@host/batchapp?region", "has to be name=value"),
        ("s3://key:hidden@host/batchapp?addressing=x", "addressing is path or virtual"),
        ("s3://key:hidden@host/batchapp?checksums=x", "checksums is yes or no"),
        ("s3://key:hidden@host/batchapp?copies_mib=²", "copies_mib is a whole number"),
        ("s3://key:hidden@[host/batchapp", "is not a URL"),
    ],
)
def test_a_url_that_is_wrong_is_named_without_its_secret(url: str, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^STORAGE_URL: .*{reason}") as raised:
        storage_backend(url, copies_dir=COPIES)

    assert "hid" not in str(raised.value)


def test_the_document_has_every_option_and_its_examples_can_be_read() -> None:
    text = section(ROOT / "docs/deployment.md", "Object storage")
    examples = re.findall(r"^STORAGE_URL=(\S+)", text, re.MULTILINE)

    assert {row[0].strip("`") for row in table_rows(text)} == OPTIONS
    assert len(examples) == 4
    assert all(options(example)["bucket_name"] == "bucket" for example in examples)
    assert f"| `{COPIES_MIB}` |" in text


def test_a_process_that_stores_on_disk_does_not_load_the_library_of_objects(
    tmp_path: Path,
) -> None:
    code = (
        "import sys, django; django.setup(); import config.urls, batchapp.tasks; "
        "print([name for name in sys.modules if name.startswith(('boto', 'storages'))])"
    )
    variables = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"}

    printed = subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, env=variables | {"DATA_DIR": str(tmp_path)}
    )

    assert printed == b"[]\n"
