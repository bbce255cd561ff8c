"""What every endpoint needs: the settings, the store, the faults, the time."""

import time
from dataclasses import dataclass

from starlette.requests import Request

from batchapp.sandbox.faults.book import FaultBook
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Sandbox:
    settings: Settings
    store: Store
    book: FaultBook


def sandbox_of(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


def now() -> float:
    """Unix seconds. Read once per request, so that one answer shows one moment."""
    return time.time()
