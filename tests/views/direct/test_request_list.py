"""The list of the single requests of a project: its rows, filters, pages and CSV."""

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.direct_call import EMBEDDINGS, RESPONSES
from batchapp.models import AuditEvent, AuditKind, DirectRequest, Project, User
from batchapp.services.direct import request_list
from tests import html
from tests.direct import DirectRequests
from tests.make import OWNER, VIEWER, join, make_portal_key, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

State = DirectRequest.State
NOON = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


@pytest.fixture
def project(user: User) -> Project:
    return make_project(user, role=OWNER, name="Support", slug="support")


@pytest.fixture
def sent(project: Project, user: User) -> DirectRequests:
    return DirectRequests(project, user)


def page_of(browser: Client, **filters: object) -> str:
    page = browser.get(reverse("direct_request_list", args=["support"]), filters)
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def shown(browser: Client, **filters: object) -> set[str]:
    page = page_of(browser, **filters)
    return {str(row.pk) for row in DirectRequest.objects.all() if f"request-{row.pk}" in page}


def test_each_state_says_how_the_request_ended_and_no_unknown_cost_is_zero(
    browser: Client, sent: DirectRequests
) -> None:
    tokens = {"input_tokens": 1_200, "output_tokens": 30, "cached_tokens": 400}
    sent.make(NOON, "0.0125", **tokens)
    sent.make(NOON, None, **tokens, model="unpriced")
    sent.make(NOON, "0", state=State.REFUSED, status_code=429)
    sent.make(NOON, "0.5", state=State.BROKEN_OFF, is_estimated=True, **tokens)
    sent.make(None, None, reserved_usd=Decimal("0.75"))

    page = page_of(browser)

    assert "$0.0125" in page
    assert "no price" in page
    assert "Refused, 429" in page
    assert "~$0.50" in page
    assert "Under way" in page
    assert "~$0.75" in page
    assert page.count("$0.00<") == 1  # the refusal, which is free
    assert "1,200" in page


def test_a_row_says_by_which_endpoint_and_portal_key_the_request_came(
    browser: Client, project: Project, user: User, sent: DirectRequests
) -> None:
    key = make_portal_key(user, project, name="Nightly <job>").key
    sent.make(NOON, portal_key=key, endpoint=RESPONSES, tier="flex")
    sent.make(NOON, portal_key=None, endpoint=EMBEDDINGS)

    texts = html.page_of(browser, "/projects/support/single-requests/").texts("td.lead small")

    assert sorted(texts) == ["Embeddings", "Responses, flex, by Nightly <job>"]


def test_filters_leave_what_they_say(
    browser: Client, project: Project, sent: DirectRequests
) -> None:
    bob = join(make_user("bob@example.com"), project)
    key = make_portal_key(bob, project).key
    of_bob = sent.make(NOON, created_by=bob, portal_key=key)
    other = sent.make(NOON, model="Qwen/Other-9B")
    late = sent.make(NOON + timedelta(days=3), state=State.REFUSED, status_code=500)

    assert shown(browser, person=bob.pk) == {str(of_bob.pk)}
    assert shown(browser, portal_key=key.pk) == {str(of_bob.pk)}
    assert shown(browser, q="other-9b") == {str(other.pk)}
    assert shown(browser, state="refused") == {str(late.pk)}
    assert shown(browser, first="2026-11-21") == {str(late.pk)}
    assert shown(browser, last="2026-11-20") == {str(of_bob.pk), str(other.pk)}
    assert "No single request matches" in page_of(browser, q="nothing")


def test_pages_keep_their_rows_while_new_requests_arrive(
    user: User, project: Project, sent: DirectRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_list, "PAGE_SIZE", 2)
    rows = {sent.make(NOON).pk for _ in range(5)}  # all at one moment
    scope = request_list.RequestScope(user, project)

    page = request_list.read_page(scope)
    seen = [row.pk for row in page.requests]
    while page.next:
        sent.make(NOON + timedelta(minutes=1))
        page = request_list.read_page(scope, page.next)
        seen += [row.pk for row in page.requests]

    assert len(seen) == 5
    assert set(seen) == rows


def test_a_page_links_to_the_next_one(
    browser: Client, sent: DirectRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_list, "PAGE_SIZE", 2)
    oldest = sent.make(NOON)
    for minute in (1, 2):
        last = sent.make(NOON + timedelta(minutes=3 - minute))

    assert f"after={last.pk}" in page_of(browser)
    assert shown(browser, after=last.pk) == {str(oldest.pk)}


def test_a_project_without_any_says_how_to_send_one(browser: Client, project: Project) -> None:
    page = page_of(browser)

    assert "There are no single requests yet" in page
    assert reverse("guide_article", args=["single-requests"]) in page


def test_the_csv_has_the_requests_of_the_page_in_every_time_zone(
    browser: Client, user: User, sent: DirectRequests
) -> None:
    User.objects.filter(pk=user.pk).update(time_zone="Pacific/Kiritimati")
    midnight = datetime.fromisoformat("2026-10-31T10:00:00+00:00")  # there
    for moment in (midnight - timedelta(minutes=30), midnight + timedelta(minutes=30)):
        pk = sent.make(moment, "1").pk
        DirectRequest.objects.filter(pk=pk).update(created_at=moment)
    days = {"first": "2026-11-01", "last": "2026-11-01"}

    on_page = shown(browser, **days)
    content = b"".join(browser.get(reverse("direct_request_csv", args=["support"]), days)).decode()

    assert on_page == {str(pk)}
    assert content.count("\n") == 2


def test_the_csv_has_what_the_filters_leave_with_exact_amounts(
    browser: Client, project: Project, sent: DirectRequests
) -> None:
    sent.make(NOON, "0.00000012", model="=cmd()")
    sent.make(NOON, None)

    url = reverse("direct_request_csv", args=["support"])
    response = browser.get(url, {"q": "cmd"})
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode("utf-8-sig"))))  # type: ignore[arg-type]
    wrong = browser.get(url, {"first": "2026-12-01", "last": "2026-11-01"})

    assert [(row["cost_usd"], row["model"]) for row in rows] == [("0.00000012", "'=cmd()")]
    assert rows[0]["sent_utc"] == "2026-11-20T12:00:00.000+00:00"
    assert wrong.status_code == 302
    event = AuditEvent.objects.get(kind=AuditKind.DOWNLOADED)
    assert event.project == project


def test_viewers_read_the_list_and_outsiders_do_not(
    client: Client, project: Project, sent: DirectRequests
) -> None:
    sent.make(NOON)
    addresses = [
        reverse(name, args=["support"]) for name in ("direct_request_list", "direct_request_csv")
    ]

    client.force_login(join(make_user(), project, VIEWER))
    assert [client.get(url).status_code for url in addresses] == [200, 200]
    client.force_login(make_user())
    assert [client.get(url).status_code for url in addresses] == [404, 404]


def test_the_number_of_queries_does_not_grow_with_the_rows(
    browser: Client,
    project: Project,
    sent: DirectRequests,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(20):
        person = join(make_user(), project)
        key = make_portal_key(person, project).key
        sent.make(timezone.now(), created_by=person, portal_key=key)

    with django_assert_max_num_queries(12):
        page_of(browser)
