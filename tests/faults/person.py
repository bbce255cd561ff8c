"""Somebody at the console who tries again when the web server dies under them."""

import re
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

import httpx

from batchapp.management.console_client import UUID_PATTERN, ConsoleClient, UnexpectedPage

PATIENCE = 300
Found = TypeVar("Found")


class Person(ConsoleClient):
    """Sends the same form again until it is answered, as a browser would."""

    def send(self, project: str, file: Path) -> UUID:
        """Upload ``file`` and order a batch of it; however often it is tried, one batch."""
        upload = patiently(lambda: self.upload(project, file, progress=lambda _sent: None))
        form = patiently(lambda: self._form(upload))
        page = patiently(lambda: self._post(f"/files/{upload}/batch/review/", data=form))
        found = re.fullmatch(rf"/batches/({UUID_PATTERN})/", page.url.path)
        if not found:
            raise UnexpectedPage(f"the console stayed at {page.url.path}: {page.text}")
        return UUID(found[1])

    def ask(self, batch: UUID | str, wish: str) -> None:
        """Press the button that is called ``wish``: cancel, pause, resume or retry-in-place."""
        patiently(lambda: self._post(f"/batches/{batch}/{wish}/"))

    def download(self, batch: str, kind: str) -> list[bytes]:
        return patiently(lambda: self._get(f"/batches/{batch}/{kind}.jsonl")).content.splitlines()

    def _form(self, upload: UUID) -> dict[str, str]:
        """What the review would send; refused until the file has been checked."""
        choices = self._get(f"/files/{upload}/batch/window/").text
        key = re.search(rf'name="key" value="({UUID_PATTERN})"[^>]* checked', choices)
        if not key:
            raise UnexpectedPage("no key is proposed")
        query = urlencode({"window": "24h", "key": key[1]})
        review = self._get(f"/files/{upload}/batch/review/?{query}").text
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', review)
        if "submission" not in dict(fields):
            raise UnexpectedPage("the review has no form")
        return {name: unescape(value) for name, value in fields}


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
