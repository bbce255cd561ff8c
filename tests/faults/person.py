"""Somebody at the console who tries again when the web server dies under them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx

from batchapp.management.console_client import ConsoleClient, UnexpectedPage

PATIENCE = 300
Found = TypeVar("Found")


class Person(ConsoleClient):
    """Sends the same form again until it is answered, as a browser would."""

    def send(self, project: str, file: Path) -> UUID:
        """Upload ``file`` and order a batch of it; however often it is tried, one batch."""
        upload = patiently(lambda: self.upload(project, file, progress=lambda _sent: None))
        form = patiently(lambda: self.order_form(upload, window="24h"))
        return patiently(lambda: self.submit(upload, form))

    def ask(self, batch: UUID | str, wish: str) -> None:
        """Press the button that is called ``wish``: cancel, pause, resume or retry-in-place."""
        patiently(lambda: self._post(f"/batches/{batch}/{wish}/"))

    def download(self, batch: str, kind: str) -> list[bytes]:
        return patiently(lambda: self._get(f"/batches/{batch}/{kind}.jsonl")).content.splitlines()


def patiently(attempt: Callable[[], Found]) -> Found:
    """Return what ``attempt`` returns, as soon as the console does what it should."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except (UnexpectedPage, httpx.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
