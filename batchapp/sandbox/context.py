"""The objects that every endpoint uses, among them the clock."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from batchapp.sandbox.faults.registry import FaultRegistry
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import Store

CLOCK_SECONDS = 0.05  # between two looks at the clock while a call waits


@dataclass(frozen=True, slots=True)
class Sandbox:
    settings: Settings
    store: Store
    faults: FaultRegistry
    # Returns Unix seconds; each call reads it once, so that its response is consistent.
    now: Callable[[], float]

    async def sleep(self, seconds: float) -> None:
        """Return when the clock, which may be one that a test sets, shows ``seconds`` more."""
        end = self.now() + seconds
        while (remaining := end - self.now()) > 0:
            await asyncio.sleep(min(remaining, CLOCK_SECONDS))


def sandbox_of(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox
