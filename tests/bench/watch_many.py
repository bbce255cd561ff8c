"""What it takes to follow ten thousand running batches: requests a round, and a worker's seconds.

python -m tests.bench.watch_many
"""

import json
import os
import statistics
import sys
import tempfile
import time
from typing import Any

import httpx

BATCHES, PAGE, ROUNDS = 10_000, 100, 5
NEWS = 0.02  # share of the batches of which a round has something to tell


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        os.environ["DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        import django  # noqa: PLC0415  # only now is the folder its own
        from django.core.management import call_command  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        sys.stdout.write(measure(BATCHES, ROUNDS))


def measure(batches: int, rounds: int) -> str:
    """Poll so many running batches of one key, and return what a round takes, as a sentence."""
    from django.db import connection  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from batchapp.models import KeyPoll, ProviderBatch  # noqa: PLC0415
    from batchapp.pipeline import poll_steps  # noqa: PLC0415
    from tests.doubleword import connect  # noqa: PLC0415

    key_id, ids = _seed(batches)
    pages = _Pages(ids)
    transport = httpx.MockTransport(pages)
    requests, cpu, written = [], [], []
    for number in range(rounds):
        ProviderBatch.objects.update(completed=0)
        news = pages.tell(number)
        KeyPoll.objects.update_or_create(key_id=key_id, defaults={"next_check_at": timezone.now()})
        key_poll = KeyPoll.objects.claim(key_id, KeyPoll.Status.POLLING)
        assert key_poll
        asked, said = pages.asked, _said(connection)
        started = time.process_time()
        with connect("https://provider.test", "sk-x", transport=transport) as provider:
            poll_steps.poll_running_batches_of_key(key_poll, provider)
        cpu.append(time.process_time() - started)
        told = ProviderBatch.objects.filter(completed=1).count()
        assert told == news, f"{told} of {news} changes were seen"
        requests.append(pages.asked - asked)
        written.append(_said(connection) - said)
    return (
        f"{batches:,} running batches of one key, news of {NEWS:.0%}: "
        f"{statistics.median(requests):.0f} list requests a round (target {batches // PAGE}), "
        f"{statistics.median(cpu):.2f} s of CPU, {statistics.median(written):.0f} rows written\n"
    )


def _said(connection: Any) -> int:
    """Return the number of rows written so far, which only SQLite counts."""
    return int(getattr(connection.connection, "total_changes", 0))


def _seed(number: int) -> tuple[int, list[str]]:
    from django.utils import timezone  # noqa: PLC0415

    from batchapp.models import Batch, ProviderBatch  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    first = make.make_batch()
    same = {
        field.attname: getattr(first, field.attname)
        for field in Batch._meta.concrete_fields
        if field.attname not in {"id", "submission", "name", "created_at"}
    }
    first.provider_batches.all().delete()
    batches = [Batch(**same, name=f"Batch {n}") for n in range(number)]
    Batch.objects.bulk_create(batches, batch_size=500)
    ids = [f"{n:08d}-0000-4000-8000-000000000000" for n in range(number)]
    provider_batches = [
        ProviderBatch(
            batch=batch,
            status=ProviderBatch.Status.RUNNING,
            remote_id=ids[n],
            remote_status="in_progress",
            output_file_id=f"out-{n}",
            error_file_id=f"err-{n}",
            total=1000,
            submitted_at=timezone.now(),
            next_check_at=timezone.now(),
        )
        for n, batch in enumerate(batches)
    ]
    ProviderBatch.objects.bulk_create(provider_batches, batch_size=500)
    return first.key_id, ids


class _Pages:
    """A provider's list, rendered beforehand so that only our own work is timed."""

    def __init__(self, ids: list[str]) -> None:
        self.ids, self.asked = ids, 0
        self.bodies: dict[str, bytes] = {}

    def tell(self, round_number: int) -> int:
        """Let some batches get further since the last round, and return their number."""
        told = range(round_number, len(self.ids), int(1 / NEWS))
        rows = [_row(n, each, completed=int(n in told)) for n, each in enumerate(self.ids)]
        for start in range(0, len(rows), PAGE):
            page = {"data": rows[start : start + PAGE], "has_more": start + PAGE < len(rows)}
            after = rows[start - 1]["id"] if start else ""
            self.bodies[after] = json.dumps(page).encode()
        return len(told)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(200, content=self.bodies[request.url.params.get("after", "")])


def _row(number: int, batch_id: str, *, completed: int) -> dict[str, Any]:
    return {
        "id": batch_id,
        "object": "batch",
        "status": "in_progress",
        "endpoint": "/v1/chat/completions",
        "input_file_id": f"in-{number}",
        "output_file_id": f"out-{number}",
        "error_file_id": f"err-{number}",
        "completion_window": "24h",
        "created_at": 1_790_000_000,
        "expires_at": 1_790_086_400,
        "request_counts": {"total": 1000, "completed": completed, "failed": 0},
        "metadata": {"portal_submission": f"{number:032x}"},
    }


if __name__ == "__main__":
    main()
