"""A real S3 server, and a storage of each kind."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from batchapp.storage.blob_storage import BlobStorage
from batchapp.storage.disk import DiskStorage
from batchapp.storage.object_storage import ObjectStorage
from config.storage_url import storage_backend

BUCKET = "batchapp"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return host and port of an S3 server with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    object_storage_at(f"{host}:{port}", Path()).connection.create_bucket(Bucket=BUCKET)
    yield f"{host}:{port}"
    server.stop()


def object_storage_at(address: str, copies_dir: Path, **query: Any) -> ObjectStorage:
    options = "&".join(f"{name}={value}" for name, value in query.items())
    url = f"s3+http://key:secret@{address}/{BUCKET}/team?{options}"
    return ObjectStorage(**storage_backend(url, copies_dir=copies_dir)["OPTIONS"])


@pytest.fixture(scope="session")
def object_storage(server: str, tmp_path_factory: pytest.TempPathFactory) -> ObjectStorage:
    return object_storage_at(server, tmp_path_factory.mktemp("objects") / "copies")


@pytest.fixture(params=["disk", "objects"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStorage:
    if request.param == "disk":
        return DiskStorage(location=tmp_path)
    objects: ObjectStorage = request.getfixturevalue("object_storage")
    return objects


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
