"""Every page of the console in every state, on a portal that stands still.

Only the web process runs, on rows that nobody works on: each state stays as it was made.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.faults.desk import Desk, desk
from tests.processes.portal import ROOT, free_port, install, is_up, stack, until

TOO_LARGE = 3 * 1024 * 1024 // 2
FORM = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class Place:
    """One page. ``opens`` is what to press for its dialog, more than once with " then " between.

    ``posts`` is a body it is asked with.
    """

    name: str
    path: str
    person: str = "ada"
    status: int = 200
    opens: str = ""
    posts: bytes | None = None

    def __str__(self) -> str:
        return self.name


def price_list(line: str) -> bytes:
    """The body of a form that sends a CSV of one price, to be compared."""
    fields = {"csrfmiddlewaretoken": 32 * "a", "action": "compare", "connection": "1"}
    provider_batches = [f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    csv = f"model,window,input_usd,output_usd\n{line}\nmeta-llama/Llama-4,24h,0.10,0.30\n"
    provider_batches.append(f'name="csv"; filename="prices.csv"\r\n\r\n{csv}')
    bodies = "".join(
        f"--x\r\nContent-Disposition: form-data; {provider_batch}\r\n"
        for provider_batch in provider_batches
    )
    return f"{bodies}--x--\r\n".encode()


NOTHING_TICKED = b'--x\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
NOTHING_TICKED += 32 * b"a" + b"\r\n--x--\r\n"
"""The body of a form that is sent as it must not be."""

PLACES = [
    Place("sign-in", "/sign-in/", person=""),
    Place("home", "/"),
    Place("home-empty", "/", person="new"),
    Place("home-busy", "/", person="alan"),
    Place("styleguide", "/styleguide/"),
    Place("search", "/palette/?q=a"),
    Place("profile", "/profile/"),
    Place("profile-empty", "/profile/", person="new"),
    Place("password", "/profile/password/"),
    Place("projects", "/projects/"),
    Place("projects-empty", "/projects/", person="new"),
    Place("project-new", "/projects/new/"),
    Place("project", "/projects/support/"),
    Place("project-empty", "/projects/empty/"),
    Place("project-sandbox", "/projects/playground/", person="alan"),
    Place("members", "/projects/support/members/"),
    Place("members-looked-at", "/projects/support/members/", person="grace"),
    Place("member-remove", "/projects/support/members/{grace}/remove/"),
    Place("member-remove-dialog", "/projects/support/members/", opens="text=Remove…"),
    Place("project-settings", "/projects/support/settings/"),
    Place("keys", "/projects/support/keys/"),
    Place("keys-empty", "/projects/empty/keys/"),
    Place("keys-on-the-way-to-a-batch", "/profile/?next=/files/{ready}/batch/"),
    Place("key-replace", "/keys/{key}/replace/"),
    Place("key-replace-dialog", "/profile/", opens="text=Replace…"),
    Place("key-remove", "/keys/{key}/remove/"),
    Place("key-webhook", "/keys/{key}/webhook/"),
    Place("key-webhook-dialog", "/profile/", opens="text=Webhook…"),
    Place("key-webhook-empty", "/keys/{key_of_project}/webhook/"),
    Place("files", "/projects/support/files/"),
    Place("files-none-matches", "/projects/support/files/?q=nothing"),
    Place("files-empty", "/projects/empty/files/"),
    Place("file-checking", "/files/{checking}/"),
    Place("file-ready", "/files/{ready}/"),
    Place("file-faulty", "/files/{faulty}/"),
    Place("file-failed", "/files/{failed}/"),
    Place("file-unreadable", "/files/{unreadable}/"),
    Place("file-twin", "/files/{twin}/"),
    Place("file-repair", "/files/{faulty}/correct/"),
    Place("file-repair-all", "/files/{mixed}/correct/"),
    Place("file-misspelt", "/files/{misspelt}/"),
    Place("file-repair-model", "/files/{misspelt}/correct/?corrections=set_model&every_model=on"),
    Place("file-corrected", "/files/{corrected}/"),
    Place("file-being-corrected", "/files/{correcting}/"),
    Place("file-delete", "/files/{ready}/delete/"),
    Place("file-delete-dialog", "/files/{ready}/", opens="#delete"),
    Place("builder", "/projects/support/tables/new/"),
    Place("builder-empty", "/projects/empty/tables/new/"),
    Place("builder-mapping", "/tables/{table}/"),
    Place("builder-reading", "/tables/{table_reading}/"),
    Place("builder-refused", "/tables/{table_refused}/"),
    Place("builder-wide", "/tables/{table_wide}/"),
    Place("builder-preview", "/tables/{table}/preview/"),
    Place("builder-making", "/tables/{table_making}/preview/"),
    Place("builder-faults", "/tables/{table_faulty}/preview/"),
    Place("builder-delete", "/tables/{table}/delete/"),
    Place("template", "/prompt-templates/{template}/"),
    Place("template-delete", "/prompt-templates/{template}/delete/"),
    Place("file-origin", "/files/{from_table}/origin/"),
    Place("file-origin-none", "/files/{ready}/origin/"),
    Place("batch-start", "/batches/new/"),
    Place("batch-start-nowhere", "/batches/new/", person="new"),
    Place("batch-file", "/projects/support/batches/new/"),
    Place("batch-file-empty", "/projects/empty/batches/new/"),
    Place("batch-file-none-matches", "/projects/support/batches/new/?q=nothing"),
    Place("batch-file-sandbox", "/projects/playground/batches/new/", person="alan"),
    Place("batch-check", "/files/{ready}/batch/"),
    Place("batch-check-running", "/files/{checking}/batch/"),
    Place("batch-check-faulty", "/files/{faulty}/batch/"),
    Place("batch-check-failed", "/files/{failed}/batch/"),
    Place("batch-window", "/files/{ready}/batch/window/"),
    Place("batch-window-wrong", "/files/{ready}/batch/window/?window=&key=&name="),
    Place("batch-window-no-key", "/files/{keyless}/batch/window/", person="grace"),
    Place("batch-review", "/files/{ready}/batch/review/?window=1h&key={key}&name=November"),
    Place("batch-review-again", "/files/{ready}/batch/review/?window=24h&key={key}&name=Twice"),
    Place(
        "batch-review-divided",
        "/files/{divided_file}/batch/review/?window=1h&fallback=24h&key={key}&name=Many",
    ),
    Place("batch-ready", "/files/{ready}/batch/ready/?window=1h&key={key}&name=Now"),
    Place(
        "batch-review-submitted",
        "/files/{ready}/batch/review/?window=1h&key={key}&name=Done&submission={submission}",
    ),
    Place("batches", "/batches/"),
    Place("batches-empty", "/batches/", person="new"),
    Place("batches-none-matches", "/batches/?q=nothing"),
    Place("batches-of-project", "/projects/support/batches/"),
    Place("adopting", "/projects/support/batches/import/"),
    Place("adopting-no-key", "/projects/translations/batches/import/", person="grace"),
    Place("batch-queued", "/batches/{queued}/"),
    Place("batch-running", "/batches/{running}/"),
    Place("batch-divided", "/batches/{divided}/"),
    Place("batch-stalled", "/batches/{stalled}/"),
    Place("batch-failing", "/batches/{failing}/"),
    Place("batch-sandbox", "/batches/{quiet}/", person="alan"),
    Place("batch-cancelling", "/batches/{cancelling}/"),
    Place("batch-needs-attention", "/batches/{stuck}/"),
    Place("batch-completed", "/batches/{completed}/"),
    Place("batch-with-errors", "/batches/{errors}/"),
    Place("batch-cancelled", "/batches/{cancelled}/"),
    Place("cancel", "/batches/{running}/cancel/"),
    Place("cancel-dialog", "/batches/{running}/", opens="#cancel"),
    Place("batch-paused", "/batches/{paused}/"),
    Place("pause", "/batches/{running}/pause/"),
    Place("pause-dialog", "/batches/{running}/", opens="#pause"),
    Place("pause-not-now", "/batches/{paused}/pause/"),
    Place("resume", "/batches/{paused}/resume/"),
    Place("resume-dialog", "/batches/{paused}/", opens="#resume"),
    Place("retry-in-place", "/batches/{errors}/retry-in-place/"),
    Place(
        "retry-in-place-dialog", "/batches/{errors}/", opens="#more summary then #retry-in-place"
    ),
    Place("try-again", "/batches/{stuck}/try-again/"),
    Place("try-again-dialog", "/batches/{stuck}/", opens="#try-again"),
    Place("retry", "/batches/{retried}/retry/"),
    Place("retry-wrong", "/batches/{retried}/retry/", posts=NOTHING_TICKED),
    Place("retry-nothing", "/batches/{completed}/retry/"),
    Place("file-retry", "/files/{retry_file}/"),
    Place("batch-check-retry-writing", "/files/{retry_begun}/batch/"),
    Place("batch-retried", "/batches/{retried}/"),
    Place("batch-retry", "/batches/{retry}/"),
    Place("results-merged", "/batches/{retried}/results/?after=280"),
    Place("result-retried", "/batches/{retried}/results/291/"),
    Place("results", "/batches/{completed}/results/"),
    Place("results-failed", "/batches/{errors}/results/?outcome=failed"),
    Place("batch-doubtful", "/batches/{doubtful}/"),
    Place("results-doubtful", "/batches/{doubtful}/results/"),
    Place("result-other-model", "/batches/{doubtful}/results/1/"),
    Place("set-aside", "/batches/{doubtful}/unmatched/"),
    Place("set-aside-none", "/batches/{completed}/unmatched/"),
    Place("results-none-matches", "/batches/{completed}/results/?q=nothing"),
    Place("result", "/batches/{completed}/results/2/"),
    Place("result-failed", "/batches/{errors}/results/290/"),
    Place("report", "/report/"),
    Place("report-by-model", "/report/?by=model"),
    Place("report-by-month", "/report/?first=2025-01-01&last=2026-12-31&sandbox=on&sort=name"),
    Place("accuracy", "/report/accuracy/"),
    Place("report-empty", "/report/?first=2020-01-01&last=2020-01-31"),
    Place("prices", "/prices/"),
    Place("prices-history", "/prices/?show=all&sort=-since&q=Qwen3"),
    Place("prices-none-matches", "/prices/?q=nothing"),
    Place(
        "prices-tried",
        "/prices/?q=llama&try-connection=1&try-model=meta-llama/Llama-4-Scout"
        "&try-at=2030-01-01T12:00",
    ),
    Place("prices-missing", "/prices/missing/"),
    Place("prices-import", "/prices/import/"),
    Place("prices-compared", "/prices/import/", posts=price_list("Qwen/Qwen3.5-9B,24h,0.04,0.3")),
    Place("prices-compared-badly", "/prices/import/", posts=price_list("Qwen/Qwen3.5-9B,24h,,1")),
    Place("price-add", "/prices/add/?connection=1&model=mistralai/Small&window=1h"),
    Place("price-correct", "/prices/correct/?price={price}"),
    Place("price-correct-dialog", "/prices/", opens="text=Correct…"),
    Place("price-end", "/prices/end/?price={price}"),
    Place("price-end-dialog", "/prices/", opens="text=End…"),
    Place("price-withdraw", "/prices/withdraw/?price={announced}"),
    Place("not-understood", f"/batches/?{'&' * 1100}", status=400),
    Place("not-allowed", "/files/{foreign}/batch/", status=403),
    Place("form-out-of-date", "/profile/", status=403, posts=urlencode({"name": ""}).encode()),
    Place("not-found", "/projects/nowhere/", status=404),
    Place("too-large", "/projects/support/files/", status=413, posts=bytes(TOO_LARGE)),
    Place("broken", "/projects/broken/batches/", person="edsger", status=500),
]
PAGES = [place for place in PLACES if not place.opens]


@dataclass
class Gallery:
    """The portal, and how to get to each place in it."""

    url: str
    paths: dict[str, str]
    sessions: dict[str, str]
    env: dict[str, str]
    console: Desk
    log: IO[str]
    web: "subprocess.Popen[bytes]" = field(init=False)

    def path_of(self, place: Place) -> str:
        return place.path.format_map(self.paths)

    def enter(self, browser: Browser, place: Place, **options: Any) -> BrowserContext:
        """A fresh browser, signed in as the person of ``place``."""
        context = browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(20_000)
        cookies = {"csrftoken": 32 * "a"}  # without one, no form is even looked at
        if session := self.sessions.get(place.person):
            cookies["sessionid"] = session
        context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in cookies.items()]
        )
        return context

    def visit(self, page: Page, place: Place) -> int:
        """Go to ``place`` and open its dialog; the status it was answered with."""
        path = self.path_of(place)
        if place.posts is not None:
            page.route(f"{self.url}{path}", lambda route: _posted(route, place, self.url), times=1)
        response = page.goto(path)
        assert response
        if place.opens:
            for step in place.opens.split(" then "):
                page.locator(step).first.click()
            page.locator("dialog[open] h1").wait_for()
        return response.status

    def change(self, code: str) -> str:
        """Run ``code`` on the portal's rows, as one of its workers might; what it printed."""
        return self.console.run("shell", "--no-imports", "--command", code)

    def stop(self) -> None:
        self.web.terminate()
        self.web.wait(30)

    def start(self) -> None:
        """The web process, once more after ``stop``."""
        command = [sys.executable, "manage.py", "serve", "web"]
        self.web = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=self.log, stderr=subprocess.STDOUT
        )
        until(lambda: is_up(f"{self.url}/healthz"), self.url, self.tail)

    def tail(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()[-4000:]


def _posted(route: Route, place: Place, origin: str) -> None:
    kind = "application/x-www-form-urlencoded" if place.status == 403 else FORM
    headers = route.request.headers | {"content-type": kind, "origin": origin}
    route.fulfill(response=route.fetch(method="POST", headers=headers, post_data=place.posts))


@contextmanager
def gallery(folder: Path) -> Iterator[Gallery]:
    """Serve every state from an empty database; end it afterwards."""
    port = free_port()
    url = f"http://localhost:{port}"
    with stack() as urls, (folder / "web.log").open("w+") as log:
        env = os.environ | urls
        env |= {
            "DATA_DIR": str(folder),
            "PORT": str(port),
            "PUBLIC_URL": url,
            "MAX_UPLOAD_MIB": "1",
            "LOG_LEVEL": "WARNING",
        }
        env.pop("DEBUG", None)

        install(env)
        command = [sys.executable, "-m", "tests.browser.seed"]
        seeded = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
        made = json.loads(seeded.stdout)
        with desk(env) as console:
            it = Gallery(url, made["paths"], made["sessions"], env, console, log)
            try:
                it.start()
                yield it
            finally:
                it.stop()
