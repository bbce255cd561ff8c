"""An HTTP client that signs in, uploads, orders and downloads as a person does in a browser."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
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
        return self.submit(upload, self.order_form(upload, window=window))

    def order_form(self, upload: UUID, *, window: str) -> dict[str, str]:
        """Return what the review page of the order would send with the preselected key."""
        choices = _form_values(self._get(f"/files/{upload}/batch/window/").text)
        if "key" not in choices:
            raise UnexpectedPage("no provider key is preselected")
        query = urlencode({"window": window, "key": choices["key"]})
        form = _form_values(self._get(f"/files/{upload}/batch/review/?{query}").text)
        if "submission" not in form:
            raise UnexpectedPage("the review page has no form")
        return form

    def submit(self, upload: UUID, form: dict[str, str]) -> UUID:
        """Submit the review page; the same form always names the same batch."""
        return _id_in_url(self._post(f"/files/{upload}/batch/review/", data=form), "batches")

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


def _form_values(page: str) -> dict[str, str]:
    """Return the value of each hidden field, chosen radio button or checkbox, and select."""
    parser = _FormParser()
    parser.feed(page)
    return parser.values


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        field = dict(attrs)
        if tag == "select":
            self._select = field.get("name") or ""
        # A browser sends the first option if none is selected.
        if tag == "option" and ("selected" in field or self._select not in self.values):
            self.values[self._select] = field.get("value") or ""
        if tag == "input" and (field.get("type") == "hidden" or "checked" in field):
            self.values[field.get("name") or ""] = field.get("value") or ""
