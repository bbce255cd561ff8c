"""An HTTP client that signs in, uploads, orders and downloads as a person does in a browser."""

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
    """The portal responded otherwise than expected; the message says how."""


class ConsoleClient:
    """A session with the portal at ``base_url``."""

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
        """Send a file to a project; ``progress`` is called with the bytes read so far."""
        with path.open("rb") as content:
            reader = _ProgressReader(content, progress)
            page = self._post(
                f"/projects/{project}/files/",
                files={"file": (path.name, reader, "application/jsonl")},
            )
        return _id_in_url(page, "files")

    def order(self, upload: UUID, *, window: str) -> UUID:
        """Go through the steps to a new batch with the preselected key, and submit."""
        choices = self._get(f"/files/{upload}/batch/window/").text
        key = _search(rf'name="key" value="({UUID_PATTERN})"[^>]* checked', choices)
        review = self._get(
            f"/files/{upload}/batch/review/?{urlencode({'window': window, 'key': key})}"
        )
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', review.text)
        page = self._post(
            f"/files/{upload}/batch/review/",
            data={name: unescape(value) for name, value in fields},
        )
        return _id_in_url(page, "batches")

    def count_lines(self, batch: UUID, kind: str) -> int:
        """Count the lines of the download of ``kind``, which is output or error."""
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


class _ProgressReader:
    """A file that reports how far it was read, with the methods that httpx needs."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(self._file.tell())
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def _id_in_url(page: httpx.Response, noun: str) -> UUID:
    match = re.fullmatch(rf"/{noun}/({UUID_PATTERN})/", page.url.path)
    if not match:
        raise UnexpectedPage(f"the portal stayed at {page.url.path}")
    return UUID(match[1])


def _search(pattern: str, page: str) -> str:
    match = re.search(pattern, page, re.DOTALL)
    if not match:
        raise UnexpectedPage(f"the page has nothing like {pattern}")
    return match[1]
