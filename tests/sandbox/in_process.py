"""A sandbox in the test process, with a clock that the test sets."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from batchapp.sandbox.application import SandboxApplication, make_application
from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import Api

KEY = "sk-in-process"


class Clock:
    """Unix seconds that only change when a test says so."""

    def __init__(self, moment: float = 1_800_000_000.0) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += seconds


class _Transport(httpx.BaseTransport):
    def __init__(self, app: SandboxApplication) -> None:
        self._transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5000))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> httpx.Response:
            response = await self._transport.handle_async_request(
                httpx.Request(
                    request.method, request.url, headers=request.headers, content=request.read()
                )
            )
            content = await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=content)

        return asyncio.run(call())


class InProcess:
    """A sandbox whose time stands still between the calls."""

    def __init__(self, app: SandboxApplication, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._app = app

    def api(self, key: str = KEY) -> Api:
        """Return a client whose ``wait`` lets a second pass between two looks at a batch."""
        http = httpx.Client(
            transport=_Transport(self._app),
            base_url="http://sandbox",
            headers={"Authorization": f"Bearer {key}"},
        )
        return Api(http, lambda: self.clock.advance(1))

    def finish(self, api: Api, batch: dict[str, Any]) -> dict[str, Any]:
        """Let the time pass until the batch has ended and is billed; return its analytics."""
        requests = batch["request_counts"]["total"]
        duration = self.settings.working_seconds(requests) * self.settings.slow_factor
        self.clock.advance(duration + 10)
        analytics: dict[str, Any] = api.http.get(f"/v1/batches/{batch['id']}/analytics").json()
        return analytics

    def run(self, api: Api, rows: list[str], **changes: Any) -> dict[str, Any]:
        """Run a batch of ``rows``; return its analytics, with the batch as ``batch``."""
        batch = api.batch("\n".join(rows), **changes)
        return self.finish(api, batch) | {"batch": batch}


@contextmanager
def sandbox_in_process(settings: Settings) -> Iterator[InProcess]:
    clock = Clock()
    app = make_application(settings, clock)
    yield InProcess(app, settings, clock)
    app.store.close()
