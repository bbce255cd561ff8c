from collections.abc import Iterator
from uuid import uuid4

import pytest

from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import Api, client
from tests.sandbox.processes import sandbox_thread


@pytest.fixture(scope="session")
def provider(tmp_path_factory) -> Iterator[Api]:
    """Start the sandbox, which checks uploads as the provider does."""
    with (
        sandbox_thread(Settings(data=tmp_path_factory.mktemp("provider"))) as url,
        client(url, f"sk-{uuid4().hex}") as http,
    ):
        yield Api(http)
