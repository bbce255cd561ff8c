"""A person at the console, without a browser: signs in, uploads, orders, downloads over HTTP."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlencode
from uuid import UUID

import httpx

UUID_PATTERN = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class UnexpectedPage(Exception):
    """The console did not do what a person would have expected; the message says what it did."""


class ConsoleClient:
    """One signed-in session with the portal at ``base_url``."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(
            base_url=base_url, follow_redirects=True, timeout=60, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def sign_in(self, email: str, password: str) -> None:
        self._http.get("/sign-in/").raise_for_status()
        page = self._post("/sign-in/", data={"username": email, "password": password})
        if page.url.path == "/sign-in/":
            raise UnexpectedPage(f"{email} could not sign in")

    def upload(self, project: str, path: Path, *, progress: Callable[[int], None]) -> UUID:
        """Send a file to a project; ``progress`` hears the bytes read so far."""
        with path.open("rb") as content:
            watched = _Watched(content, progress)
            page = self._post(
                f"/projects/{project}/files/",
                files={"file": (path.name, watched, "application/jsonl")},
            )
        return _identified(page, "files")

    def order(self, upload: UUID, *, window: str) -> UUID:
        """Take the steps to a new batch as they stand, with the key they propose, and submit."""
        choices = self._get(f"/files/{upload}/batch/window/").text
        key = _found(rf'name="key" value="({UUID_PATTERN})"[^>]* checked', choices)
        review = self._get(
            f"/files/{upload}/batch/review/?{urlencode({'window': window, 'key': key})}"
        )
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', review.text)
        page = self._post(
            f"/files/{upload}/batch/review/",
            data={name: unescape(value) for name, value in fields},
        )
        return _identified(page, "batches")

    def lines(self, batch: UUID, kind: str) -> int:
        """How many lines the download of ``kind`` (output or error) has."""
        return self._get(f"/batches/{batch}/{kind}.jsonl").content.count(b"\n")

    def _get(self, url: str) -> httpx.Response:
        page = self._http.get(url)
        if page.status_code != 200:
            raise UnexpectedPage(f"{url} answered {page.status_code}")
        return page

    def _post(self, url: str, **kwargs: object) -> httpx.Response:
        token = self._http.cookies.get("csrftoken") or ""
        page = self._http.post(url, headers={"X-CSRFToken": token}, **kwargs)  # type: ignore[arg-type]
        if page.status_code != 200:
            raise UnexpectedPage(f"{url} answered {page.status_code}")
        return page


class _Watched:
    """A file that tells how far it was read; has what httpx asks of a stream."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(self._file.tell())
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def _identified(page: httpx.Response, noun: str) -> UUID:
    found = re.fullmatch(rf"/{noun}/({UUID_PATTERN})/", page.url.path)
    if not found:
        raise UnexpectedPage(f"the console stayed at {page.url.path}")
    return UUID(found[1])


def _found(pattern: str, page: str) -> str:
    found = re.search(pattern, page, re.DOTALL)
    if not found:
        raise UnexpectedPage(f"the page has nothing like {pattern}")
    return found[1]
