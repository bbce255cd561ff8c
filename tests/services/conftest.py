from collections.abc import Iterator

import pytest

from batchapp import tasks
from batchapp.models import Part
from batchapp.pipeline import provider_access
from batchapp.services.lifecycle import prepare
from tests.make import make_batch
from tests.provider import Provider
from tests.steps import due


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """What the tasks speak to in the place of a real provider."""
    provider = Provider()
    monkeypatch.setattr(provider_access, "upstream_client", provider.client)
    return provider


@pytest.fixture
def running(provider: Provider) -> Part:
    """A part of three requests that the provider works on."""
    part = Part.objects.get(batch=make_batch())
    prepare.prepare(part)
    tasks.submit(str(part.pk))
    return due(part)
