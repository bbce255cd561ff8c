"""What it takes to tell many: ten thousand people of one event, and one program of as many events.

python -m tests.bench.tell_many [NUMBER]

One worker of this process does what two or more do in a portal: it takes the messages of real
ticks in turn, and sends to a receiver on this machine. A mark that is put into the queue with
every tick shows how long a step of a batch would wait behind what is told.
"""

import os
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

NUMBER = 10_000
HOUR = 3600
LATE = {"name": "Nightly run", "due": "2026-11-30T12:00:00+00:00", "done": 4, "requests": 5}
MARK = ("", "")


def main(number: int) -> None:
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        os.environ["DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        import django  # noqa: PLC0415  # only now is the folder its own
        from django.core.management import call_command  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        sys.stdout.write(tell_people(number))
        sys.stdout.write(tell_programs(number))


def tell_people(number: int) -> str:
    """Deliver one notice to so many people, with the e-mail of each; return a sentence."""
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext, override_settings  # noqa: PLC0415

    from batchapp.models import (  # noqa: PLC0415
        InboxItem,
        Membership,
        Notice,
        NoticeKind,
        OutgoingEmail,
        User,
        WaitingEmail,
    )
    from batchapp.pipeline import notice_steps  # noqa: PLC0415
    from tests.make import make_project  # noqa: PLC0415
    from tests.notices import BUDGET  # noqa: PLC0415

    team = make_project()
    people = [User(email=f"owner{n}@example.com") for n in range(number)]
    User.objects.bulk_create(people, batch_size=500)
    owners = [Membership(user=person, project=team, role="owner") for person in people]
    Membership.objects.bulk_create(owners, batch_size=500)
    notice = Notice.objects.record(NoticeKind.BUDGET_THRESHOLD, team, **BUDGET)
    claimed = Notice.objects.claim(notice.pk, Notice.Status.DELIVERING)
    assert claimed
    worked = Worker()
    with override_settings(EMAIL_SERVER={"host": "127.0.0.1", "port": 1, "timeout": 5}):
        cpu = time.process_time()
        with CaptureQueriesContext(connection) as queries:
            woken = list(notice_steps.deliver_notice(claimed) or ())
        cpu = time.process_time() - cpu
        assert InboxItem.objects.count() == number
        worked.work(lambda: not WaitingEmail.objects.exists())
    assert OutgoingEmail.objects.count() == number
    OutgoingEmail.objects.all().delete()
    return (
        f"One notice to {number:,} people: one transaction of {cpu:.1f} s CPU and {len(queries)} "
        f"queries, {len(woken)} messages for workers; then {worked.text('e-mails', number)}\n"
    )


def tell_programs(number: int) -> str:
    """Let one worker deliver so many notices to a webhook; return a sentence."""
    from django.test.utils import override_settings  # noqa: PLC0415

    from batchapp.models import Notice, NoticeKind, WebhookMessage  # noqa: PLC0415
    from tests.outbound.receiver import receiving  # noqa: PLC0415
    from tests.webhook_rows import make_endpoint  # noqa: PLC0415

    own_network = [ip_network("127.0.0.1")]
    with receiving() as receiver, override_settings(WEBHOOK_PRIVATE_NETWORKS=own_network):
        endpoint = make_endpoint(address=receiver.url)
        Notice.objects.bulk_create(
            Notice(kind=NoticeKind.BATCH_LATE, project=endpoint.project, data=dict(LATE))
            for _ in range(number)
        )
        waiting = WebhookMessage.objects.filter(status=WebhookMessage.Status.WAITING)
        undelivered = Notice.objects.filter(status=Notice.Status.DELIVERING)
        worked = Worker()
        worked.work(lambda: not undelivered.exists() and not waiting.exists())
        got = len({headers["webhook-id"] for headers, _ in receiver.received})
    assert got == len(receiver.received) == number
    return f"{number:,} notices to a webhook: {worked.text('messages', number)}\n"


@dataclass
class Worker:
    """One worker that takes messages in turn; ``waits`` are the seconds of the marks."""

    queue: deque[tuple[str, str]] = field(default_factory=deque)
    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0
    longest: int = 0

    def work(self, is_done: Any) -> None:
        """Tick, and do what the ticks ask for, until ``is_done`` returns True."""
        from django.conf import settings  # noqa: PLC0415

        from batchapp import tasks  # noqa: PLC0415

        send, send_emails = tasks.advance.delay, tasks.send_emails.delay
        tasks.advance.delay = lambda *message: self.queue.append(message)
        tasks.send_emails.delay = lambda: None
        marked: deque[float] = deque()
        began = next_tick = time.monotonic()
        try:
            while not is_done() or self.queue:
                if time.monotonic() >= next_tick:
                    next_tick += settings.TICK_SECONDS
                    tasks.tick()
                    self.queue.append(MARK)
                    marked.append(time.monotonic())
                    self.longest = max(self.longest, len(self.queue))
                if not self.queue:
                    time.sleep(max(0.0, min(0.05, next_tick - time.monotonic())))
                    continue
                message = self.queue.popleft()
                if message == MARK:
                    self.waits.append(time.monotonic() - marked.popleft())
                else:
                    tasks.advance(*message)
        finally:
            tasks.advance.delay, tasks.send_emails.delay = send, send_emails
        self.seconds = time.monotonic() - began

    def text(self, what: str, number: int) -> str:
        return (
            f"{number / self.seconds:.0f} {what} a second ({number / self.seconds * HOUR:,.0f} an "
            f"hour), a step of a batch waits {max(self.waits):.1f} s at most, "
            f"{self.longest} messages in the queue at most"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER)
