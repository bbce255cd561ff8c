"""Orders at once on budgets that have room for a part of them; nothing may be overspent.

python -m tests.stack python -m tests.faults.budget_race --submits 10000 --threads 16 --seed 7
"""

import argparse
import os
import random
import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

FREED = 0.3  # of the batches end while others are ordered, at a part of what they reserved


@dataclass
class Outcome:
    """What came of the orders; ``overspent`` are the states in which a budget was exceeded."""

    placed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    looks: int = 0
    overspent: list[str] = field(default_factory=list)
    unused: Decimal = Decimal(0)  # of the project's budget, in batches, when nothing more fits
    seconds: float = 0.0


def race(submits: int, threads: int, seed: int) -> Outcome:
    """Let ``threads`` people order ``submits`` batches together, end some, and look meanwhile.

    The budgets of the project, of each person and of the model have room for about a third.
    """
    from tests.make import (  # noqa: PLC0415  # the settings must be loaded first
        MODEL,
        make_batch,
        make_budget,
        make_key,
        make_project,
        make_upload,
        writer_in,
    )

    team = make_project()
    upload, key = make_upload(team), make_key(team)
    people = [writer_in(team) for _ in range(threads)]
    cost = make_batch(team, people[0], upload=upload, key=key).reservations.get().reserved_usd
    assert cost
    room = submits // 3
    budgets = [make_budget(team, cost * room + cost / 2), make_budget(team, cost * room, MODEL)]
    budgets += [make_budget(team, cost * (2 * room // threads), person) for person in people]
    outcome, lock, done = Outcome(placed=1), threading.Lock(), threading.Event()
    start = threading.Barrier(threads + 1)

    def work(number: int) -> None:
        dice = random.Random(seed * 1_000 + number)  # no secret
        person = people[number]
        start.wait()
        for _ in range(submits // threads):
            _order_and_end(team, person, upload, key, dice, outcome, lock)

    def watch() -> None:
        start.wait()
        while not done.is_set():
            _look(team, budgets, outcome)
            time.sleep(0.05)

    began = time.monotonic()
    with ThreadPoolExecutor(threads + 1) as pool:
        watching = pool.submit(_closing, watch)
        workers = [pool.submit(_closing, work, number) for number in range(threads)]
        for worker in workers:
            worker.result()
        done.set()
        watching.result()
    outcome.seconds = time.monotonic() - began
    _look(team, budgets, outcome)
    _compare_with_batches(team, outcome)
    outcome.unused = _free(team, budgets[0]) / cost
    return outcome


def _order_and_end(team, person, upload, key, dice, outcome, lock) -> None:  # type: ignore[no-untyped-def]
    from django.db import transaction  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from batchapp.domain.refused import Refused  # noqa: PLC0415
    from batchapp.models import Batch, Reservation  # noqa: PLC0415
    from batchapp.services.orders import place_order  # noqa: PLC0415

    try:
        batch = place_order.place_order(
            team, person, upload, key, window="24h", submission=uuid.uuid4()
        )
    except Refused as exc:
        with lock:
            outcome.refused[exc.data["budget_kind"]] += 1
        return
    ends = dice.random() < FREED
    if ends:
        (row,) = batch.model_costs.all()
        share = Decimal(dice.randrange(100)) / 100
        row.answers, row.cost_usd = 1, (row.estimated_cost_usd or 0) * share
        with transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(
                status=Batch.Status.COMPLETED, finished_at=timezone.now()
            )
            batch.refresh_from_db()
            Reservation.objects.settle(batch, [row])
    with lock:
        outcome.placed += 1
        outcome.ended += ends


def _closing(call, *arguments) -> None:  # type: ignore[no-untyped-def]
    from django.db import connection  # noqa: PLC0415

    try:
        call(*arguments)
    finally:
        connection.close()


def _look(team, budgets, outcome: Outcome) -> None:  # type: ignore[no-untyped-def]
    from batchapp.models import Reservation  # noqa: PLC0415
    from batchapp.models.budgets.month import month_of  # noqa: PLC0415

    parts = Reservation.objects.parts(team, month_of())
    outcome.looks += 1
    for budget in budgets:
        limit = budget.limit(parts)
        if limit.is_exceeded:
            outcome.overspent.append(f"{budget}: {limit.use.total} of {limit.amount}")


def _compare_with_batches(team, outcome: Outcome) -> None:  # type: ignore[no-untyped-def]
    from batchapp.models import Batch, Reservation  # noqa: PLC0415

    stored = Batch.objects.filter(project=team).count()
    reserved = Reservation.objects.filter(project=team).count()
    if not stored == reserved == outcome.placed:
        outcome.overspent.append(f"{stored} batches, {reserved} reserved, {outcome.placed} placed")


def _free(team, budget) -> Decimal:  # type: ignore[no-untyped-def]
    from batchapp.models import Reservation  # noqa: PLC0415
    from batchapp.models.budgets.month import month_of  # noqa: PLC0415

    free: Decimal = budget.limit(Reservation.objects.parts(team, month_of())).free
    return free


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--submits", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    with ExitStack() as stack:
        _set_up(stack)
        outcome = race(options.submits, options.threads, options.seed)
    refused = ", ".join(f"{number:,} by {kind}" for kind, number in outcome.refused.items())
    print(  # noqa: T201
        f"{options.submits:,} submits by {options.threads} threads, seed {options.seed}: "
        f"{outcome.placed:,} placed ({outcome.ended:,} ended meanwhile), refused {refused}; "
        f"{outcome.looks:,} looks; overspent: {outcome.overspent or 'never'}; room left for "
        f"{outcome.unused:.2f} batches; {outcome.seconds:,.0f} seconds"
    )
    raise SystemExit(bool(outcome.overspent))


def _set_up(stack: ExitStack) -> None:
    """Load the settings with a folder and a migrated database that are removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="batchapp-race-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ["DATA_DIR"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ.setdefault("LOG_LEVEL", "WARNING")

    import django  # noqa: PLC0415

    from tests.installed import migrated_database  # noqa: PLC0415

    django.setup()
    from django.db import connection  # noqa: PLC0415

    if server := os.environ.get("DATABASE_URL"):
        from tests import postgres  # noqa: PLC0415

        name = f"race_{os.getpid()}"
        postgres.create_database(server, name)
        stack.callback(postgres.drop_database, server, name)
    else:
        name = str(folder / "race.sqlite3")
        shutil.copy(migrated_database(), name)
    connection.settings_dict["NAME"] = name  # of every thread
    stack.callback(connection.close)


if __name__ == "__main__":
    main()
