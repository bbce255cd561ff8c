"""Watch during a storm that no provider has more batches at a time than it takes."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from batchapp.sandbox.accounts import account_id
from tests.faults.orders import SHAPES, Order
from tests.processes.portal import Portal

PAUSE_SECONDS = 1.0  # between two looks at the ledger
WORKING = {"validating", "in_progress"}


@contextmanager
def slot_watch(portal: Portal, orders: Mapping[str, Order]) -> Iterator[list[str]]:
    """Yield a list to which each excess is added; ``orders`` may grow meanwhile."""
    excesses: list[str] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(PAUSE_SECONDS):
            try:
                ledger = portal.ledger()["batches"]
            except (httpx.HTTPError, ValueError):  # the provider was killed
                continue
            excesses.extend(excesses_in(ledger, [*orders.values()]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield excesses
    finally:
        is_over.set()
        watcher.join()


def excesses_in(ledger: list[dict[str, str]], orders: list[Order]) -> list[str]:
    """Return a sentence for each connection with more working batches than slots."""
    shapes = {account_id(order.key): SHAPES[order.shape] for order in orders if not order.parent}
    limits = {shape.connection: shape.max_active for shape in shapes.values() if shape.max_active}
    working = [entry for entry in ledger if entry["status"] in WORKING]
    accounts = [entry["account"] for entry in working if entry["account"] in shapes]
    used = Counter(shapes[account].connection for account in accounts)
    return [
        f"{connection} had {used[connection]} batches in {limit} slots"
        for connection, limit in limits.items()
        if used[connection] > limit
    ]
