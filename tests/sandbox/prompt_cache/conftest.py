"""Sandboxes with a prompt cache, and requests with prompts of a known length."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from batchapp.sandbox.api.catalogue import CHAT_MODELS
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings
from batchapp.sandbox.settings import Settings
from tests.sandbox.in_process import InProcess, sandbox_in_process


@pytest.fixture
def sandbox_with(tmp_path) -> Iterator[Callable[..., InProcess]]:
    """Make sandboxes with the given settings; the prompt cache is on for all models."""
    with ExitStack() as stack:

        def make(**settings) -> InProcess:
            cache = CacheSettings.for_models(CHAT_MODELS)
            changed = Settings(**({"data": tmp_path, "cache": cache} | settings))
            return stack.enter_context(sandbox_in_process(changed))

        yield make
