"""Every page of the portal in every state, on rows that no worker changes.

Only the web process runs, so each state stays as ``seed`` created it.
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

from tests.faults.management_shell import ManagementShell, management_shell
from tests.processes.portal import ROOT, free_port, install, is_up, stack, until
from tests.sandbox.processes import sandbox_process

TOO_LARGE = 3 * 1024 * 1024 // 2
FORM = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class PageState:
    """A page in one state; ``opens`` has the selectors to click for its dialog, with " then ".

    ``posts`` is the body of a POST request, instead of a GET.
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
    """Return the body of a form that sends a CSV of one price to compare."""
    csv = f"model,window,input_usd,output_usd\n{line}\nmeta-llama/Llama-4,24h,0.10,0.30\n"
    file = f'name="csv"; filename="prices.csv"\r\n\r\n{csv}'
    return multipart({"action": "compare", "connection": "1"}, file)


def multipart(fields: dict[str, str], *files: str) -> bytes:
    """Return the body of a form with these fields and parts of files."""
    fields = {"csrfmiddlewaretoken": 32 * "a", **fields}
    parts = [*(f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()), *files]
    bodies = "".join(f"--x\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    return f"{bodies}--x--\r\n".encode()


# The body of a form without a required choice.
NOTHING_TICKED = b'--x\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
NOTHING_TICKED += 32 * b"a" + b"\r\n--x--\r\n"

PAGE_STATES = [
    PageState("sign-in", "/sign-in/", person=""),
    PageState("home", "/"),
    PageState("home-empty", "/", person="new"),
    PageState("home-busy", "/", person="alan"),
    PageState("styleguide", "/styleguide/"),
    PageState("search", "/palette/?q=a"),
    PageState("guide", "/guide/"),
    PageState("guide-first-batch", "/guide/first-batch/"),
    PageState("guide-cost", "/guide/cost/"),
    PageState("guide-failures", "/guide/failures/"),
    PageState("guide-terms", "/guide/terms/"),
    PageState("guide-to-strangers", "/guide/cost/", person=""),
    PageState("help", "/guide/help/order_review/"),
    PageState("help-drawer", "/projects/", opens="#page-help"),
    PageState("profile", "/profile/"),
    PageState("profile-empty", "/profile/", person="new"),
    PageState("password", "/profile/password/"),
    PageState("projects", "/projects/"),
    PageState("projects-empty", "/projects/", person="new"),
    PageState("project-new", "/projects/new/"),
    PageState("project", "/projects/support/"),
    PageState("project-empty", "/projects/empty/"),
    PageState("project-sandbox", "/projects/playground/", person="alan"),
    PageState("members", "/projects/support/members/"),
    PageState("members-looked-at", "/projects/support/members/", person="grace"),
    PageState("member-remove", "/projects/support/members/{grace}/remove/"),
    PageState(
        "member-remove-dialog",
        "/projects/support/members/",
        opens="table summary then text=Remove…",
    ),
    PageState("project-settings", "/projects/support/settings/"),
    PageState("keys", "/projects/support/keys/"),
    PageState("keys-empty", "/projects/empty/keys/"),
    PageState("keys-on-the-way-to-a-batch", "/profile/?next=/files/{ready}/batch/"),
    PageState("key-replace", "/keys/{key}/replace/"),
    PageState("key-replace-dialog", "/profile/", opens="#keys summary then text=Replace…"),
    PageState("key-remove", "/keys/{key}/remove/"),
    PageState("key-webhook", "/keys/{key}/webhook/"),
    PageState("key-webhook-dialog", "/profile/", opens="#keys summary then text=Webhook…"),
    PageState("key-webhook-empty", "/keys/{key_of_project}/webhook/"),
    PageState("files", "/projects/support/files/"),
    PageState("files-none-matches", "/projects/support/files/?q=nothing"),
    PageState("files-empty", "/projects/empty/files/"),
    PageState("file-checking", "/files/{checking}/"),
    PageState("file-ready", "/files/{ready}/"),
    PageState("file-faulty", "/files/{faulty}/"),
    PageState("file-failed", "/files/{failed}/"),
    PageState("file-unreadable", "/files/{unreadable}/"),
    PageState("file-duplicate", "/files/{duplicate}/"),
    PageState("file-correct", "/files/{faulty}/correct/"),
    PageState("file-correct-all", "/files/{mixed}/correct/"),
    PageState("file-misspelt", "/files/{misspelt}/"),
    PageState(
        "file-correct-model", "/files/{misspelt}/correct/?corrections=set_model&every_model=on"
    ),
    PageState("file-many-findings", "/files/{many}/"),
    PageState("file-correct-many", "/files/{many}/correct/"),
    PageState("file-array", "/files/{array}/"),
    PageState("file-anthropic", "/files/{anthropic}/"),
    PageState("file-correct-anthropic", "/files/{anthropic}/correct/"),
    PageState("file-results", "/files/{results}/"),
    PageState("file-will-fail", "/files/{will_fail}/"),
    PageState("file-correct-parameters", "/files/{will_fail}/correct/"),
    PageState("batch-check-array", "/files/{array}/batch/"),
    PageState("file-corrected", "/files/{corrected}/"),
    PageState("file-being-corrected", "/files/{correcting}/"),
    PageState("file-delete", "/files/{ready}/delete/"),
    PageState("file-delete-dialog", "/files/{ready}/", opens="#more summary then #delete"),
    PageState("builder", "/projects/support/tables/new/"),
    PageState("builder-empty", "/projects/empty/tables/new/"),
    PageState("builder-mapping", "/tables/{table}/"),
    PageState("builder-reading", "/tables/{table_reading}/"),
    PageState("builder-refused", "/tables/{table_refused}/"),
    PageState("builder-text", "/tables/{table_text}/"),
    PageState("builder-wide", "/tables/{table_wide}/"),
    PageState("builder-notices", "/tables/{table_noticed}/"),
    PageState("builder-new", "/tables/{table_new}/"),
    PageState("builder-fields", "/tables/{table_fields}/"),
    PageState("builder-hostile", "/tables/{table_hostile}/"),
    PageState("builder-making", "/tables/{table_making}/"),
    PageState("builder-faults", "/tables/{table_faulty}/"),
    PageState("builder-delete", "/tables/{table}/delete/"),
    PageState("template", "/prompt-templates/{template}/"),
    PageState("template-delete", "/prompt-templates/{template}/delete/"),
    PageState("file-origin", "/files/{from_table}/origin/"),
    PageState("file-origin-none", "/files/{ready}/origin/"),
    PageState("batch-start", "/batches/new/"),
    PageState("batch-start-nowhere", "/batches/new/", person="new"),
    PageState("batch-file", "/projects/support/batches/new/"),
    PageState("batch-file-empty", "/projects/empty/batches/new/"),
    PageState("batch-file-none-matches", "/projects/support/batches/new/?q=nothing"),
    PageState("batch-file-sandbox", "/projects/playground/batches/new/", person="alan"),
    PageState("batch-check", "/files/{ready}/batch/"),
    PageState("batch-check-running", "/files/{checking}/batch/"),
    PageState("batch-check-faulty", "/files/{faulty}/batch/"),
    PageState("batch-check-failed", "/files/{failed}/batch/"),
    PageState("batch-window", "/files/{ready}/batch/window/"),
    PageState("batch-window-wrong", "/files/{ready}/batch/window/?window=&key=&name="),
    PageState("batch-window-fallback", "/files/{ready}/batch/window/?window=1h&fallback=24h"),
    PageState("batch-window-forty-models", "/files/{forty_models}/batch/window/"),
    PageState("batch-window-closed", "/files/{closed}/batch/window/"),
    PageState("batch-window-dear", "/files/{dear}/batch/window/"),
    PageState("batch-window-cheap", "/files/{cheap}/batch/window/"),
    PageState("batch-window-no-key", "/files/{keyless}/batch/window/", person="grace"),
    PageState("batch-review", "/files/{ready}/batch/review/?window=1h&key={key}&name=November"),
    PageState(
        "batch-review-again", "/files/{ready}/batch/review/?window=24h&key={key}&name=Twice"
    ),
    PageState(
        "batch-review-split",
        "/files/{split_file}/batch/review/?window=1h&fallback=24h&key={key}&name=Many",
    ),
    PageState(
        "batch-review-forty-models", "/files/{forty_models}/batch/review/?window=1h&key={key}"
    ),
    PageState("batch-review-dear", "/files/{dear}/batch/review/?window=24h&key={key}"),
    PageState("batch-ready", "/files/{ready}/batch/ready/?window=1h&key={key}&name=Now"),
    PageState(
        "batch-review-submitted",
        "/files/{ready}/batch/review/?window=1h&key={key}&name=Done&submission={submission}",
    ),
    PageState("batches", "/batches/"),
    PageState("batches-empty", "/batches/", person="new"),
    PageState("batches-none-matches", "/batches/?q=nothing"),
    PageState("batches-of-project", "/projects/support/batches/"),
    PageState("import", "/projects/support/batches/import/"),
    PageState("import-listed", "/projects/playground/batches/import/", person="alan"),
    PageState("import-no-key", "/projects/translations/batches/import/", person="grace"),
    PageState("batch-queued", "/batches/{queued}/"),
    PageState("batch-running", "/batches/{running}/"),
    PageState("batch-split", "/batches/{split}/"),
    PageState("batch-stalled", "/batches/{stalled}/"),
    PageState("batch-failing", "/batches/{failing}/"),
    PageState("batch-sandbox", "/batches/{quiet}/", person="alan"),
    PageState("batch-cancelling", "/batches/{cancelling}/"),
    PageState("batch-needs-attention", "/batches/{stuck}/"),
    PageState("batch-completed", "/batches/{completed}/"),
    PageState("batch-with-errors", "/batches/{errors}/"),
    PageState("batch-cancelled", "/batches/{cancelled}/"),
    PageState("cancel", "/batches/{running}/cancel/"),
    PageState("cancel-dialog", "/batches/{running}/", opens="#cancel"),
    PageState("batch-paused", "/batches/{paused}/"),
    PageState("pause", "/batches/{running}/pause/"),
    PageState("pause-dialog", "/batches/{running}/", opens="#pause"),
    PageState("pause-not-now", "/batches/{paused}/pause/"),
    PageState("resume", "/batches/{paused}/resume/"),
    PageState("resume-dialog", "/batches/{paused}/", opens="#resume"),
    PageState("retry-in-place", "/batches/{errors}/retry-in-place/"),
    PageState(
        "retry-in-place-dialog", "/batches/{errors}/", opens="#more summary then #retry-in-place"
    ),
    PageState("try-again", "/batches/{stuck}/try-again/"),
    PageState("try-again-dialog", "/batches/{stuck}/", opens="#try-again"),
    PageState("retry", "/batches/{retried}/retry/"),
    PageState("retry-wrong", "/batches/{retried}/retry/", posts=NOTHING_TICKED),
    PageState("retry-nothing", "/batches/{completed}/retry/"),
    PageState("file-retry", "/files/{retry_file}/"),
    PageState("batch-check-retry-writing", "/files/{retry_begun}/batch/"),
    PageState("batch-retried", "/batches/{retried}/"),
    PageState("batch-retry", "/batches/{retry}/"),
    PageState("results-merged", "/batches/{retried}/results/?after=280"),
    PageState("result-retried", "/batches/{retried}/results/291/"),
    PageState("results", "/batches/{completed}/results/"),
    PageState("results-failed", "/batches/{errors}/results/?outcome=failed"),
    PageState("batch-doubtful", "/batches/{doubtful}/"),
    PageState("results-doubtful", "/batches/{doubtful}/results/"),
    PageState("result-other-model", "/batches/{doubtful}/results/1/"),
    PageState("unmatched", "/batches/{doubtful}/unmatched/"),
    PageState("unmatched-none", "/batches/{completed}/unmatched/"),
    PageState("results-none-matches", "/batches/{completed}/results/?q=nothing"),
    PageState("result", "/batches/{completed}/results/2/"),
    PageState("result-failed", "/batches/{errors}/results/290/"),
    PageState("report", "/report/"),
    PageState("report-by-model", "/report/?by=model"),
    PageState("report-by-month", "/report/?first=2025-01-01&last=2026-12-31&sandbox=on&sort=name"),
    PageState("accuracy", "/report/accuracy/"),
    PageState("report-empty", "/report/?first=2020-01-01&last=2020-01-31"),
    PageState("prices", "/prices/"),
    PageState("prices-history", "/prices/?show=all&sort=-since&q=Qwen3"),
    PageState("prices-none-matches", "/prices/?q=nothing"),
    PageState(
        "prices-tried",
        "/prices/?q=llama&try-connection=1&try-model=meta-llama/Llama-4-Scout"
        "&try-at=2030-01-01T12:00",
    ),
    PageState("prices-missing", "/prices/missing/"),
    PageState("prices-import", "/prices/import/"),
    PageState(
        "prices-compared", "/prices/import/", posts=price_list("Qwen/Qwen3.5-9B,24h,0.04,0.3")
    ),
    PageState(
        "prices-compared-badly", "/prices/import/", posts=price_list("Qwen/Qwen3.5-9B,24h,,1")
    ),
    PageState("price-add", "/prices/add/?connection=1&model=mistralai/Small&window=1h"),
    PageState("price-correct", "/prices/correct/?price={price}"),
    PageState("price-correct-dialog", "/prices/", opens="table summary then text=Correct 24 h…"),
    PageState("price-end", "/prices/end/?price={price}"),
    PageState("price-end-dialog", "/prices/", opens="table summary then text=End 24 h…"),
    PageState("price-withdraw", "/prices/withdraw/?price={announced}"),
    PageState("models", "/models/"),
    PageState("models-none-matches", "/models/?q=nothing"),
    PageState("models-import", "/models/import/"),
    PageState(
        "models-import-refused",
        "/models/import/",
        posts=multipart({"action": "load", "shipped-connection": "2"}),
    ),
    PageState("model-add", "/models/add/"),
    PageState("model-edit", "/models/edit/?model={model}"),
    PageState("model-edit-dialog", "/models/", opens="table summary then text=Edit…"),
    PageState("model-remove", "/models/remove/?model={model}"),
    PageState("not-understood", f"/batches/?{'&' * 1100}", status=400),
    PageState("not-allowed", "/files/{foreign}/batch/", status=403),
    PageState("form-out-of-date", "/profile/", status=403, posts=urlencode({"name": ""}).encode()),
    PageState("not-found", "/projects/nowhere/", status=404),
    PageState("too-large", "/projects/support/files/", status=413, posts=bytes(TOO_LARGE)),
    PageState("broken", "/projects/broken/batches/", person="edsger", status=500),
]
PAGES = [page_state for page_state in PAGE_STATES if not page_state.opens]


@dataclass
class Gallery:
    """The portal with one browser session for each person."""

    url: str
    paths: dict[str, str]
    sessions: dict[str, str]
    env: dict[str, str]
    console: ManagementShell
    log: IO[str]
    web: "subprocess.Popen[bytes]" = field(init=False)

    def path_of(self, page_state: PageState) -> str:
        return page_state.path.format_map(self.paths)

    def enter(self, browser: Browser, page_state: PageState, **options: Any) -> BrowserContext:
        """Return a new browser context, signed in as the person of ``page_state``."""
        context = browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(20_000)
        cookies = {"csrftoken": 32 * "a"}  # without the token every form is refused
        if session := self.sessions.get(page_state.person):
            cookies["sessionid"] = session
        context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in cookies.items()]
        )
        return context

    def visit(self, page: Page, page_state: PageState) -> int:
        """Open the page and its dialog; return the HTTP status."""
        path = self.path_of(page_state)
        if page_state.posts is not None:
            page.route(
                f"{self.url}{path}", lambda route: _posted(route, page_state, self.url), times=1
            )
        response = page.goto(path)
        assert response
        if page_state.opens:
            for step in page_state.opens.split(" then "):
                page.locator(step).first.click()
            page.locator("dialog[open] h1").wait_for()
        return response.status

    def change(self, code: str) -> str:
        """Run Python ``code`` in the portal, as a worker might; return its output."""
        return self.console.run("shell", "--no-imports", "--command", code)

    def stop(self) -> None:
        self.web.terminate()
        self.web.wait(30)

    def start(self) -> None:
        """Start the web process, also again after ``stop``."""
        command = [sys.executable, "manage.py", "serve", "web"]
        self.web = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=self.log, stderr=subprocess.STDOUT
        )
        until(lambda: is_up(f"{self.url}/readyz"), self.url, self.tail)

    def tail(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()[-4000:]


def _posted(route: Route, page_state: PageState, origin: str) -> None:
    kind = "application/x-www-form-urlencoded" if page_state.status == 403 else FORM
    headers = route.request.headers | {"content-type": kind, "origin": origin}
    route.fulfill(response=route.fetch(method="POST", headers=headers, post_data=page_state.posts))


@contextmanager
def gallery(folder: Path) -> Iterator[Gallery]:
    """Serve every state from a new database until the block ends."""
    port = free_port()
    url = f"http://localhost:{port}"
    with (
        stack() as urls,
        (folder / "web.log").open("w+") as log,
        sandbox_process(folder / "sandbox") as (sandbox_url, _process),
    ):
        env = os.environ | urls
        env |= {
            "DATA_DIR": str(folder),
            "PORT": str(port),
            "PUBLIC_URL": url,
            "SANDBOX_URL": sandbox_url,
            "MAX_UPLOAD_MIB": "1",
            "LOG_LEVEL": "WARNING",
        }
        env.pop("DEBUG", None)

        install(env)
        command = [sys.executable, "-m", "tests.browser.seed"]
        seeded = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
        rows = json.loads(seeded.stdout)
        with management_shell(env) as console:
            portal = Gallery(url, rows["paths"], rows["sessions"], env, console, log)
            try:
                portal.start()
                yield portal
            finally:
                portal.stop()
