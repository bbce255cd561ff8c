"""The inbox: what a person was told, the number of it on every page, and what is new."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, InboxItem, Membership, Notice, NoticeKind, Project, User
from batchapp.services.notifications import inbox
from tests.html import Page, page_of
from tests.make import make_batch, make_project, make_user
from tests.notices import ENDED, deliver, record, record_end

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    return make_batch(project, user, name="Reviews")


def titles(browser: Client, **query: str) -> list[str]:
    return page_of(browser, "/inbox/", **query).texts("a[id^=item-]")


def test_an_empty_inbox_says_what_comes_there(browser: Client) -> None:
    assert "Nothing new" in page_of(browser, "/inbox/").one("#rows").text


def test_unread_notices_come_first_and_can_be_marked(browser: Client, batch: Batch) -> None:
    deliver(record_end(batch, name="First"), record_end(batch, name="Second"))
    second = InboxItem.objects.get(notice__data__name="Second")

    browser.post("/inbox/mark/", {"action": "read", "item": second.pk})
    assert titles(browser) == [
        "First is completed with errors",
        "Second is completed with errors",
    ]
    browser.post("/inbox/mark/", {"action": "unread", "item": second.pk})

    assert titles(browser)[0].startswith("Second")


def test_all_can_be_marked_read_and_that_can_be_undone(browser: Client, batch: Batch) -> None:
    deliver(record_end(batch), record_end(batch))
    InboxItem.objects.filter(pk=InboxItem.objects.first().pk).update(read_at=timezone.now())

    answer = browser.post("/inbox/mark/", {"action": "all"}, follow=True)

    assert not InboxItem.objects.unread().exists()
    undo_at = Page(answer).one("input[name=at]")["value"]
    browser.post("/inbox/mark/", {"action": "undo", "at": undo_at})
    assert InboxItem.objects.unread().count() == 1


def test_marking_all_keeps_to_what_the_filter_shows(
    browser: Client, batch: Batch, user: User
) -> None:
    other = make_batch(make_project(user, slug="letters"), user)
    deliver(record_end(batch), record_end(other))

    browser.post("/inbox/mark/?project=letters", {"action": "all"})

    assert InboxItem.objects.unread().get().notice.batch == batch


def test_the_inbox_is_filtered_by_project_and_kind(
    browser: Client, batch: Batch, user: User
) -> None:
    other = make_batch(make_project(user, slug="letters"), user)
    late = {"due": timezone.now().isoformat(), "done": 1, "requests": 2}
    deliver(
        record_end(batch),
        record(NoticeKind.BATCH_LATE, other.project, batch=other, name="Letters", **late),
    )

    assert titles(browser, project="letters") == ["Letters is late"]
    assert titles(browser, kind="batch_finished") == ["Reviews is completed with errors"]
    assert titles(browser, project="support", kind="batch_late") == []
    assert "No notice matches" in page_of(browser, "/inbox/", kind="invited").html
    assert len(titles(browser, project="unknown", kind="x")) == 2


def test_a_long_inbox_has_pages(
    browser: Client,
    batch: Batch,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    notices = [record_end(batch) for _ in range(51)]
    InboxItem.objects.bulk_create([InboxItem(person=user, notice=row) for row in notices])

    with django_assert_max_num_queries(8):
        assert len(titles(browser)) == 50
    assert len(titles(browser, page="2")) == 1


def test_an_inbox_of_ten_thousand_is_as_quick_and_as_long_as_a_small_one(
    browser: Client,
    batch: Batch,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    number = 10_000
    Notice.objects.bulk_create(
        Notice(
            kind=NoticeKind.BATCH_FINISHED, project=batch.project, batch=batch, data=dict(ENDED)
        )
        for _ in range(number)
    )
    rows = Notice.objects.order_by("created_at", "pk")
    InboxItem.objects.bulk_create(InboxItem(person=user, notice=row) for row in rows)
    with connection.cursor() as cursor:  # PostgreSQL may take both tables for empty
        for model in (Notice, InboxItem):
            cursor.execute(f"ANALYZE {model._meta.db_table}")

    with django_assert_max_num_queries(8):
        first = page_of(browser, "/inbox/")
    with django_assert_max_num_queries(8):
        last = page_of(browser, "/inbox/", page="200")
    with django_assert_max_num_queries(8):
        beyond = page_of(browser, "/inbox/", page="99999")
    with django_assert_max_num_queries(6):
        poll = browser.get("/inbox/unread/", {"after": "0"}).content.decode()
    with django_assert_max_num_queries(12):
        marked = page_of(browser, browser.post("/inbox/mark/", {"action": "all"})["Location"])
    unread = InboxItem.objects.unread().count()
    browser.post("/inbox/mark/", marked.one("form.note").values | {"action": "undo"})

    for page in (first, last, beyond):
        assert len(page.all("a[id^=item-]")) == 50
        assert len(page.html) < 200_000
    assert first.one("#inbox-count").text.startswith("99+")
    assert first.one("title").text.startswith("(99+)")
    assert "99+" in poll
    assert len(poll) < 10_000
    assert unread == 0
    assert "10,000 notices marked as read." in marked.text
    assert InboxItem.objects.unread().count() == number


def test_every_page_has_the_number_of_unread_notices(browser: Client, batch: Batch) -> None:
    assert page_of(browser, "/").one("title").text.startswith("Home")
    deliver(record_end(batch), record_end(batch))

    page = page_of(browser, "/")

    assert page.one("title").text.startswith("(2) Home")
    assert page.one("#inbox-count").text.startswith("2")
    assert page.one("[data-unread-copy]").text == "2"


def test_a_number_above_99_is_not_counted(batch: Batch, user: User, browser: Client) -> None:
    notices = Notice.objects.bulk_create(
        [Notice(kind=NoticeKind.BATCH_FINISHED, project=batch.project) for _ in range(150)]
    )
    InboxItem.objects.bulk_create([InboxItem(person=user, notice=row) for row in notices])

    assert inbox.unread_of(user).badge == "99+"


def test_the_page_of_a_batch_marks_its_notices_read(
    browser: Client, batch: Batch, user: User
) -> None:
    other = make_batch(batch.project, user)
    deliver(record_end(batch), record_end(other))

    page = page_of(browser, batch.get_absolute_url())

    assert InboxItem.objects.unread().get().notice.batch == other
    assert page.one("#inbox-count").text.startswith("1")


def test_a_colleague_who_opens_the_batch_marks_nothing_of_mine(
    client: Client, batch: Batch
) -> None:
    deliver(record_end(batch))
    colleague = make_user()
    Membership.objects.create(user=colleague, project=batch.project)
    client.force_login(colleague)

    client.get(batch.get_absolute_url())

    assert InboxItem.objects.unread().count() == 1


def test_a_poll_says_what_is_new_and_costs_one_query_without_news(
    browser: Client, batch: Batch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    deliver(record_end(batch, name="Old"), record_end(batch, name="R&D <b>"))
    old, new = InboxItem.objects.order_by("pk")

    first = page_of(browser, "/inbox/unread/", after=str(old.pk)).one("#inbox-count")
    with django_assert_num_queries(3):  # session, person, unread items
        second = page_of(browser, "/inbox/unread/", after=str(new.pk)).one("#inbox-count")

    (news,) = json.loads(str(first["data-news"]))
    assert (news["id"], news["url"]) == (new.pk, batch.get_absolute_url())
    assert news["title"] == "R&D <b> is completed with errors"
    assert first["data-unread"] == second["data-unread"] == "2"
    assert json.loads(str(second["data-news"])) == []
    assert f"after={new.pk}" in str(first["hx-get"])


@pytest.mark.parametrize("after", ["", "x", "-1", "²", "9" * 30])
def test_a_poll_with_an_odd_position_is_answered(browser: Client, after: str) -> None:
    assert browser.get("/inbox/unread/", {"after": after}).status_code == 200


def test_notices_of_a_project_that_a_person_has_left_are_not_shown(
    browser: Client, batch: Batch, user: User
) -> None:
    deliver(record_end(batch))
    Membership.objects.filter(user=user).delete()

    assert titles(browser) == []
    assert inbox.unread_of(user).number == 0
    Membership.objects.create(user=user, project=batch.project)
    assert len(titles(browser)) == 1
    Project.objects.update(deleted_at=timezone.now())
    assert titles(browser) == []


def test_nobody_marks_what_is_anothers(client: Client, batch: Batch) -> None:
    deliver(record_end(batch))
    client.force_login(make_user())

    client.post("/inbox/mark/", {"action": "read", "item": InboxItem.objects.get().pk})
    client.post("/inbox/mark/", {"action": "all"})

    assert InboxItem.objects.unread().count() == 1


@pytest.mark.parametrize("data", [{}, {"action": "x"}, {"action": "read", "item": "0"}])
def test_a_broken_form_marks_nothing(browser: Client, data: dict[str, str]) -> None:
    assert browser.post("/inbox/mark/", data).status_code == 302
