"""Notices are recorded with the change, and exactly once."""

from decimal import Decimal

import pytest
from django.db import transaction

from batchapp.models import Notice, NoticeKind
from batchapp.tasks import tick
from tests.make import make_batch, make_project, make_user
from tests.steps import advance

pytestmark = pytest.mark.django_db


def test_a_notice_holds_what_happened_and_is_due_at_once() -> None:
    batch, person = make_batch(), make_user()

    notice = Notice.objects.record(
        NoticeKind.BATCH_FINISHED, batch.project, batch=batch, person=person, cost=Decimal("1.50")
    )

    stored = Notice.objects.get()
    assert notice == stored
    assert (stored.kind, stored.project) == (NoticeKind.BATCH_FINISHED, batch.project)
    assert (stored.batch, stored.person, stored.data) == (batch, person, {"cost": "1.50"})
    assert stored.status == Notice.Status.DELIVERING
    assert stored.next_check_at is not None


def test_the_same_thing_is_recorded_once_for_a_project_batch_and_person() -> None:
    project, other = make_project(), make_project()
    kind = NoticeKind.BUDGET_THRESHOLD

    first = Notice.objects.record(kind, project, once="2026-11 80", percent=80)
    with transaction.atomic():
        again = Notice.objects.record(kind, project, once="2026-11 80", percent=81)
        assert Notice.objects.record(kind, other, once="2026-11 80")

    assert first is not None
    assert again is None
    assert Notice.objects.get(project=project).data == {"percent": 80}
    assert Notice.objects.record(kind, project, once="2026-11 100")
    assert Notice.objects.record(NoticeKind.BUDGET_EXCEEDED, project, once="2026-11 80")
    assert Notice.objects.record(kind, project, person=make_user(), once="2026-11 80")


def test_notices_without_a_key_are_all_recorded() -> None:
    project = make_project()

    for _ in range(2):
        assert Notice.objects.record(NoticeKind.KEY_REFUSED, project)

    assert Notice.objects.count() == 2


def test_a_notice_of_a_change_that_is_rolled_back_does_not_exist() -> None:
    class Failed(Exception):
        pass

    def change() -> None:
        with transaction.atomic():
            Notice.objects.record(NoticeKind.KEY_REFUSED, make_project(), once="key")
            raise Failed

    with pytest.raises(Failed):
        change()

    assert not Notice.objects.exists()


def test_a_tick_wakes_a_worker_that_delivers_a_notice(woken: list[str]) -> None:
    notice = Notice.objects.record(NoticeKind.KEY_REFUSED, make_project())
    assert notice is not None

    tick()
    advance(notice)

    assert woken == [str(notice.pk)]
    notice.refresh_from_db()
    assert notice.status == Notice.Status.DELIVERED
    assert notice.next_check_at is None
