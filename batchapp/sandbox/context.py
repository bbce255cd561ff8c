"""The objects that every endpoint uses, among them the clock."""

from collections.abc import Callable
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
    # Returns Unix seconds; each call reads it once, so that its response is consistent.
    now: Callable[[], float]


def sandbox_of(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox
