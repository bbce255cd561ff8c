"""A notice reaches the inbox by the channels that a person chose, and is kept for 90 days."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batchapp.models import Batch, InboxItem, Notice, NoticeKind, Project, User, WaitingEmail
from batchapp.models.notifications.preferences import Channels
from batchapp.pipeline import notice_steps
from batchapp.services.notifications import preferences
from batchapp.services.notifications.deliver import KEPT, WOKEN_AT_ONCE
from tests.make import OWNER, join, make_batch, make_user
from tests.notices import deliver, record, record_end
from tests.steps import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project: Project, user: User, settings: LazySettings) -> Batch:
    settings.EMAIL_SERVER = {"host": "127.0.0.1", "port": 1, "timeout": 5}
    return make_batch(project, user)


@pytest.mark.parametrize(
    ("channels", "items", "emails"),
    [
        (Channels(), 1, 1),
        (Channels(by_email=False), 1, 0),
        (Channels(in_inbox=False, in_browser=False), 0, 1),
        (Channels(in_inbox=False, by_email=False), 1, 0),  # the browser shows what is in the inbox
        (Channels(in_inbox=False, by_email=False, in_browser=False), 0, 0),
    ],
)
def test_a_notice_goes_by_the_channels_that_were_chosen(
    batch: Batch, user: User, channels: Channels, items: int, emails: int
) -> None:
    preferences.save_channels(user, None, {NoticeKind.BATCH_FINISHED: channels})

    advance(record_end(batch))

    assert (InboxItem.objects.count(), WaitingEmail.objects.count()) == (items, emails)
    assert all(item.in_browser == channels.in_browser for item in InboxItem.objects.all())


def test_the_choice_for_a_project_counts_before_that_for_all(batch: Batch, user: User) -> None:
    kind, no = NoticeKind.BATCH_FINISHED, Channels(False, False, False)
    preferences.save_channels(user, None, {kind: no})
    preferences.save_channels(user, batch.project, {kind: Channels()})
    advance(record_end(batch))
    assert InboxItem.objects.count() == 1

    preferences.forget_project(user, batch.project)
    advance(record_end(batch))
    assert InboxItem.objects.count() == 1


def test_old_notices_go_with_the_next_that_comes(batch: Batch) -> None:
    old, young = record_end(batch), record_end(batch)
    deliver(old, young)
    long_ago = timezone.now() - KEPT
    Notice.objects.filter(pk=old.pk).update(created_at=long_ago - timedelta(hours=1))
    Notice.objects.filter(pk=young.pk).update(created_at=long_ago + timedelta(hours=1))

    deliver(record_end(batch))

    assert not Notice.objects.filter(pk=old.pk).exists()
    assert InboxItem.objects.count() == 2


def test_a_notice_goes_with_its_batch(batch: Batch) -> None:
    deliver(record_end(batch))

    batch.delete()

    assert not InboxItem.objects.exists()


def test_a_crowd_is_told_in_as_many_queries_as_a_few_and_fills_no_queue(batch: Batch) -> None:
    def deliver_to(more: int) -> tuple[int, int]:
        for _ in range(more):
            join(make_user(), batch.project, OWNER)
        notice = record(NoticeKind.STATEMENT_READY, batch.project, month="2026-11-01")
        claimed = Notice.objects.claim(notice.pk, Notice.Status.DELIVERING)
        with CaptureQueriesContext(connection) as queries:
            woken = list(notice_steps.deliver_notice(claimed) or ())
        return len(queries), len(woken)

    few = deliver_to(2)

    many = deliver_to(30)

    assert few[1] == 2
    assert many == (few[0], WOKEN_AT_ONCE)
    assert InboxItem.objects.count() == WaitingEmail.objects.count() == 2 + 32
