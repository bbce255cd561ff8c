"""From a browser's first byte of a 200 MB file to its estimate, beside what each part must take.

The same file is sent by a portal key as well, in turns with the browser.

python -m tests.bench.upload [MODEL [REQUESTS ROUNDS]]
"""

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import httpx
from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParser

from tests.bench import check_file
from tests.bench.request_files import MODEL, REQUESTS, make_lines
from tests.processes.portal import PASSWORD, portal

ROUNDS = 3
CHUNK = 1 << 20
SHARE = 1.5
TIMES = 1.5  # as long as the browser's way to the estimate, for a script to the answer
BEYOND = 1.0  # seconds that the page may come later than the check alone would let it

MAKE_KEY = """
from batchapp.models import PortalKey, Project, User
from batchapp.services.portal_keys.portal_keys import KeySettings, create
settings = KeySettings("Script", PortalKey.Scope.SUBMIT)
project, person = Project.objects.get(slug="demo"), User.objects.get(email="ana@example.com")
print(create(project, person, settings).secret)
"""


def main(model: str = MODEL, requests: str = str(REQUESTS), rounds: str = str(ROUNDS)) -> None:
    settings.configure()
    times = range(int(rounds))
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        path = Path(folder) / "requests.jsonl"
        with path.open("wb") as file:
            file.writelines(islice(make_lines("one program", model), int(requests)))
        parses = [_parsed(path) for _ in times]
        checks = [check_file.time_check(path) for _ in times]
        sends, waits, scripts = [], [], []
        with portal(Path(folder) / "data") as it:
            it.bootstrap()
            secret = it.manage("shell", "--verbosity", "0", "--command", MAKE_KEY).stdout.strip()
            with _signed_in(it.url) as session:
                for number in times:
                    sent, waited = _sent(session, path)
                    sends.append(sent)
                    waits.append(waited)
                    scripts.append(_sent_by_script(it.url, secret, path, f"{number}.jsonl"))
    parse, check = statistics.median(parses), statistics.median(checks)
    send, wait = statistics.median(sends), statistics.median(waits)
    ratio, script = (send + wait) / (parse + check), statistics.median(scripts)
    times_of_page = script / (send + wait)
    sys.stdout.write(
        f"multipart alone   {parse:6.2f} s\ncheck alone       {check:6.2f} s\n"
        f"upload            {send:6.2f} s\nlast byte to page {wait:6.2f} s, "
        f"{wait - check:+.2f} s beyond the check (target {BEYOND:.0f})\n"
        f"ratio             {ratio:6.2f}, target {SHARE}, "
        f"{'reached' if ratio <= SHARE else 'NOT reached'}\n"
        f"POST /v1/files    {script:6.2f} s, {times_of_page:.2f} times the page, target {TIMES}, "
        f"{'reached' if times_of_page <= TIMES else 'NOT reached'}\n"
    )


def _parsed(path: Path) -> float:
    """Seconds that Django takes to read the form, and nothing else."""
    boundary = "x" * 32
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = len(head) + path.stat().st_size + len(tail)
    meta = {
        "CONTENT_TYPE": f"multipart/form-data; boundary={boundary}",
        "CONTENT_LENGTH": str(length),
    }
    handler = TemporaryFileUploadHandler()
    handler.chunk_size = CHUNK
    start = time.perf_counter()
    with _Body(_pieces(path, head, tail)) as body:
        _, files = MultiPartParser(meta, body, [handler]).parse()  # type: ignore[arg-type]
    took = time.perf_counter() - start
    files["file"].close()
    return took


def _pieces(path: Path, head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece
    yield tail


class _Body:
    """What a server hands to Django: something with ``read``."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def __enter__(self) -> "_Body":
        return self

    def __exit__(self, *_: object) -> None:
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        found, self._left = self._left[:size], self._left[size:]
        return found


@contextmanager
def _signed_in(url: str) -> Iterator[httpx.Client]:
    client = httpx.Client(base_url=url, timeout=120, trust_env=False, follow_redirects=True)
    with client as session:
        session.get("/sign-in/")
        data = {"username": "ana@example.com", "password": PASSWORD}
        session.post("/sign-in/", data=data, headers=_token(session)).raise_for_status()
        yield session


def _token(session: httpx.Client) -> dict[str, str]:
    return {"X-CSRFToken": session.cookies["csrftoken"], "Accept": "application/json"}


def _sent(session: httpx.Client, path: Path) -> tuple[float, float]:
    """Seconds to the last byte's answer, and from there to a page with the estimate."""
    start = time.perf_counter()
    with path.open("rb") as file:
        answer = session.post(
            "/projects/demo/files/", files={"file": (path.name, file)}, headers=_token(session)
        )
    answer.raise_for_status()
    stored = time.perf_counter()
    url = answer.json()["files"][0]["url"]
    while not re.search(r"ready to be sent", session.get(url).text):
        if time.perf_counter() - stored > 120:
            sys.exit("the check did not end")
        time.sleep(0.1)
    return stored - start, time.perf_counter() - stored


def _sent_by_script(url: str, secret: str, path: Path, name: str) -> float:
    """Seconds until a script has the answer to its file, which is checked by then."""
    start = time.perf_counter()
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        httpx.Client(headers=headers, timeout=120, trust_env=False) as client,
        path.open("rb") as f,
    ):
        client.post(
            f"{url}/v1/files", files={"file": (name, f)}, data={"purpose": "batch"}
        ).raise_for_status()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:])
