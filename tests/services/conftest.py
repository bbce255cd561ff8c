from collections.abc import Iterator

import pytest

from batchapp import tasks
from batchapp.models import ProviderBatch
from batchapp.pipeline import provider_access
from batchapp.services.lifecycle import prepare
from tests.make import make_batch
from tests.provider import Provider
from tests.steps import due


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """What the tasks speak to in the place of a real provider."""
    provider = Provider()
    monkeypatch.setattr(provider_access, "provider_client", provider.client)
    return provider


@pytest.fixture
def running(provider: Provider) -> ProviderBatch:
    """A part of three requests that the provider works on."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    tasks.submit(str(provider_batch.pk))
    return due(provider_batch)
