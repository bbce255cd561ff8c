"""A person at the console who tries again when the web server dies."""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx

from batchapp.management.console_client import UUID_PATTERN, ConsoleClient, UnexpectedPage

PATIENCE_SECONDS = 300
Found = TypeVar("Found")


class Person(ConsoleClient):
    """Sends the same form again until it is answered, as a browser would."""

    def send_file(self, project: str, file: Path) -> UUID:
        return patiently(lambda: self.upload(project, file, progress=lambda _sent: None))

    def order_patiently(self, upload: UUID, *, window: str, fallback: str = "") -> UUID:
        """Order a batch of ``upload``; however often the form is sent, there is one batch."""
        form = patiently(lambda: self.order_form(upload, window=window))
        if fallback:
            form |= {"fallback": fallback}
        return patiently(lambda: self.submit(upload, form))

    def press(self, batch: UUID | str, button: str) -> None:
        """Press the button that is called ``button``: cancel, pause, resume or retry-in-place."""
        patiently(lambda: self._post(f"/batches/{batch}/{button}/"))

    def request_retry_file(self, batch: UUID, submission: UUID) -> UUID | None:
        """Request a file of the requests to retry, as preselected; None if there are none."""

        def request() -> UUID | None:
            page = self._get(f"/batches/{batch}/retry/").text
            outcomes = [value for name, value in _chosen_fields(page) if name == "outcomes"]
            if not outcomes:
                return None
            fields = {
                "submission": str(submission),
                "outcomes": outcomes,
                "max_tokens_factor": "2",
            }
            answer = self._post(f"/batches/{batch}/retry/", data=fields)
            found = re.match(rf"/files/({UUID_PATTERN})/", answer.url.path)
            if not found:
                raise UnexpectedPage(f"no retry file: the portal stayed at {answer.url.path}")
            return UUID(found[1])

        return patiently(request)

    def request_import(self, project: str, remote_id: str) -> None:
        patiently(
            lambda: self._post(f"/projects/{project}/batches/import/", data={"ids": remote_id})
        )

    def try_import_again(self, batch_import: str) -> None:
        patiently(lambda: self._post(f"/imports/{batch_import}/try-again/"))

    def download(self, batch: str, kind: str) -> list[str]:
        """Return the lines of a download: output, error or merged."""
        page = patiently(lambda: self._get(f"/batches/{batch}/{kind}.jsonl"))
        return page.content.decode(errors="surrogateescape").split("\n")[:-1]


def patiently(attempt: Callable[[], Found]) -> Found:
    """Return what ``attempt`` returns, as soon as the other side answers as it should."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except (UnexpectedPage, httpx.HTTPError, ValueError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _chosen_fields(page: str) -> list[tuple[str, str]]:
    parser = _ChosenFields()
    parser.feed(page)
    return parser.fields


class _ChosenFields(HTMLParser):
    """Collects name and value of each ticked box, of which several may have one name."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        field = dict(attrs)
        if tag == "input" and "checked" in field:
            self.fields.append((field.get("name") or "", field.get("value") or ""))
