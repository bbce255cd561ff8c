"""No page offers a link, a form or a button that ends in 403 or 404, whoever reads it.

For each person the test starts at the home page and follows every link, as far as new kinds of
pages appear; each form is sent as the page has it, and undone.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest
from django.core.files.storage import storages
from django.db import transaction
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Project, ProviderBatch, User
from batchapp.services.tables import requests_from_table
from batchapp.views import project_page
from tests.answered import make_export
from tests.html import Element, Page
from tests.make import (
    EDITOR,
    MODEL,
    OWNER,
    VIEWER,
    answer_line,
    ask_approval,
    error_line,
    finish,
    join,
    make_administrator,
    make_auditor,
    make_batch,
    make_budget,
    make_import,
    make_key,
    make_project,
    make_table,
    make_upload,
    make_user,
)
from tests.webhook_rows import make_endpoint, notify

pytestmark = pytest.mark.django_db

PROMPT = PromptSettings(model=MODEL, prompt="{text}")
# A portal has no console page there: files for scripts, the admin, and what signs a person out.
LEFT_OUT = {"logout", "api_model_list", "api_report", "index"}
# Pages of one kind that are opened; those of batches differ by the state of the batch.
SEEN_OF_ONE_KIND = {"batch_detail": 7, "file_detail": 2}


NAMES = [
    *(f"{role} of the active project" for role in ("viewer", "editor", "owner")),
    *(f"{role} of the archived project" for role in ("viewer", "editor", "owner")),
    *("outsider", "auditor", "administrator"),
]


class Offer(NamedTuple):
    """What a page offers: a GET of ``url``, or a POST with ``data``."""

    method: str
    url: str
    data: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> tuple[str, str, str]:
        """Return what is alike in all offers of the same link or form."""
        match = resolve(urlsplit(self.url).path)
        action = dict(self.data).get("action", "")
        return self.method, str(match.url_name), action


@pytest.fixture(scope="module")
def people(module_rows: None) -> dict[str, User]:
    """People of every role, in a project with rows of each kind; none owns anything else."""
    author = make_user("author@example.com")
    project = make_project(author, role=OWNER, name="Reviews", slug="reviews")
    old = make_project(author, role=OWNER, name="Old", slug="old")
    fill(project, author)
    fill(old, author)
    Project.objects.filter(pk=old.pk).update(archived_at=timezone.now())
    members = {
        f"{name} of the {title} project": join(make_user(), row, role)
        for title, row in (("active", project), ("archived", old))
        for name, role in (("viewer", VIEWER), ("editor", EDITOR), ("owner", OWNER))
    }
    return members | {
        "outsider": make_user(),
        "auditor": make_auditor(),
        "administrator": make_administrator(),
    }


def fill(project: Project, author: User) -> None:
    """Make files, tables, templates, an import and batches in several states."""
    key = make_key(project)
    make_budget(project, 1_000)
    upload = make_upload(project, author)
    make_upload(project, author, content=b"not a request\n")
    make_table(project, author, prompt_settings=PROMPT)
    requests_from_table.save_template(project, author, "Triage", PROMPT)
    make_import(project, author, status="failed", next_check_at=None)
    answered = finish(make_batch(project, author, upload=upload, key=key))
    make_export(answered)
    endpoint = make_endpoint(project)
    notify(endpoint)
    endpoint.messages.update(status="failed", next_attempt_at=None)
    failing = make_batch(project, author, upload=upload, key=key)
    finish(failing, [answer_line(1)], [error_line(2), error_line(3)])
    make_batch(project, author, upload=upload, key=key)
    ask_approval(project, author, upload=upload, key=key)
    Project.objects.filter(pk=project.pk).update(approval_if_unbounded=True)
    stopped = make_batch(project, author, upload=upload, key=key)
    paused = make_batch(project, author, upload=upload, key=key, pause_requested_at=timezone.now())
    parked = ProviderBatch.Parked
    for batch, reason in ((stopped, parked.NEEDS_ATTENTION), (paused, parked.PAUSED)):
        batch.provider_batches.update(parked_reason=reason, next_check_at=None)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_page_offers_is_refused(
    client: Client,
    people: dict[str, User],
    provider: object,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(tasks.advance, "delay", lambda *_: None)
    # The database undoes what a form deletes, and the files are needed by the forms that follow.
    monkeypatch.setattr(type(storages["default"]), "delete", lambda *_: None)
    client.force_login(people[name])

    statuses = dict(walk(client))

    refused = {offer: status for offer, status in statuses.items() if status in {403, 404}}
    assert refused == {}
    assert len(statuses) > 10


def walk(client: Client) -> Iterator[tuple[Offer, int]]:
    """Follow what pages offer from the home page on; yield each offer and its status."""
    waiting, known = [Offer("GET", "/")], {Offer("GET", "/")}
    seen: dict[tuple[str, str, str], int] = {}
    while waiting:
        offer = waiting.pop(0)
        try:
            kind = offer.kind
        except Resolver404:
            yield offer, 404
            continue
        number = seen[kind] = seen.get(kind, 0) + 1
        if number > SEEN_OF_ONE_KIND.get(kind[1], 1):
            continue
        status, page = answer(client, offer)
        yield offer, status
        new = [] if page is None else offers(page, offer.url)
        fresh = [each for each in dict.fromkeys(new) if each not in known]
        known.update(fresh)
        waiting += fresh


def answer(client: Client, offer: Offer) -> tuple[int, Page | None]:
    """Return the status, and the page of a GET; what a POST changes is undone."""
    if offer.method == "POST":
        with transaction.atomic():
            status = client.post(offer.url, dict(offer.data)).status_code
            transaction.set_rollback(True)
        return status, None
    response: Any = client.get(offer.url)
    if response.streaming:
        b"".join(response)  # a download keeps its file open until it is sent
        return response.status_code, None
    is_page = response.get("Content-Type", "").startswith("text/html")
    return response.status_code, Page(response) if is_page and response.content else None


def offers(page: Page, url: str) -> Iterator[Offer]:
    """Yield the links, and each form with each of its buttons, that lead into the portal."""
    for name in ("href", "hx-get"):
        for link in page.all(f"body [{name}]:not(form, use)"):
            target = urljoin(url, link[name]).partition("#")[0]
            if leads_into_portal(target):
                yield Offer("GET", target)
    for form in page.all("form[method=post]"):
        target = urljoin(url, attribute(form, "action")).partition("#")[0]
        buttons = form.all("button[name]")
        if leads_into_portal(target):
            for button in buttons or [None]:
                yield Offer("POST", target, data_of(form, button))


def attribute(element: Element, name: str) -> str:
    return element[name] if name in element else ""  # noqa: SIM401  # no dict


def data_of(form: Element, button: Element | None) -> tuple[tuple[str, str], ...]:
    values = dict(form.values)
    if button is not None:
        values[button["name"]] = attribute(button, "value")
    values.pop("csrfmiddlewaretoken", None)
    return tuple(values.items())


@cache
def leads_into_portal(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme not in {"", "http"} or parts.netloc not in {"", "testserver"}:
        return False
    try:
        match = resolve(parts.path)
    except Resolver404:
        return True
    return match.url_name not in LEFT_OUT and match.app_name != "admin"


def test_an_offer_that_is_refused_is_noticed(
    client: Client, people: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_page, "can_write", lambda *_: True)
    client.force_login(people["viewer of the active project"])

    assert 403 in (status for _, status in walk(client))
