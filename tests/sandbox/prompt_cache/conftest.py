"""Sandboxes whose prompt cache is on for all models."""

from collections.abc import Callable
from functools import partial

import pytest

from batchapp.sandbox.api.catalogue import CHAT_MODELS
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings
from tests.sandbox.in_process import InProcess


@pytest.fixture
def sandbox_with(sandbox_with) -> Callable[..., InProcess]:
    return partial(sandbox_with, cache=CacheSettings.for_models(CHAT_MODELS))
