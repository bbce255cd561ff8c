from collections.abc import Iterator

import pytest

from batchapp import errands
from tests.provider import Provider


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """What the tasks speak to in the place of a real provider."""
    provider = Provider()
    monkeypatch.setattr(errands, "upstream_client", provider.client)
    return provider
