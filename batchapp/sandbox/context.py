"""The objects that every endpoint uses, and the current time."""

import time
from dataclasses import dataclass

from starlette.requests import Request

from batchapp.sandbox.faults.registry import FaultRegistry
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Sandbox:
    settings: Settings
    store: Store
    faults: FaultRegistry


def sandbox_of(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


def now() -> float:
    """Return Unix seconds; each request calls this once, so that its response is consistent."""
    return time.time()
