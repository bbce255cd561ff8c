"""Notices of every kind for the gallery, some of them read."""

from datetime import timedelta

from django.utils import timezone

from batchapp.models import Batch, InboxItem, Notice, NoticeKind, Project, User
from batchapp.services.notifications.email_links import make_token
from tests.notices import BUDGET, deliver, record, record_end

K = NoticeKind
PROBLEM = {"code": "step_broke_off", "data": {}}


def seed(project: Project, person: User, batches: dict[str, Batch]) -> dict[str, str]:
    """Fill the inbox of ``person``; return the token of a link in an e-mail."""
    Notice.objects.all().delete()  # of batches that the seed has ended
    done, failed = batches["completed"], batches["errors"]
    late = {"due": (timezone.now() - timedelta(hours=2)).isoformat(), "done": 4, "requests": 5}
    refused = {"connection": "Doubleword", "key": "main (…1234)", "problem": PROBLEM}
    deliver(
        record_end(done, state="completed", usable=10_000, failed=0, missing=0),
        record(K.INVITED, project, person=person, inviter="Edith Clarke", role="editor"),
        record(K.BATCH_LATE, project, batch=batches["running"], name="Nightly run", **late),
        record(K.BUDGET_THRESHOLD, project, **BUDGET),
        record(K.KEY_REFUSED, project, **refused),
        record(K.BATCH_NEEDS_ATTENTION, project, batch=done, name="A", problem=PROBLEM),
        record_end(failed, name=f"A batch with {9 * 'a very long '}name.jsonl"),
    )
    oldest = InboxItem.objects.filter(person=person).order_by("pk")[:2]
    InboxItem.objects.filter(pk__in=[item.pk for item in oldest]).update(read_at=timezone.now())
    return {"email_off": make_token(person, K.BATCH_FINISHED)}
