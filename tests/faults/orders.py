"""Batches ordered through the console in several ways, each with a key that has its own faults."""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx

from batchapp.providers import kinds
from tests.faults.management_shell import ManagementShell
from tests.faults.person import Person, patiently
from tests.faults.provider_faults import (
    FAULTS_BESIDE_SLOTS,
    FAULTS_OF_EVERY_FILE,
    NO_ROOM_FAULTS,
)
from tests.processes.portal import PASSWORD, Portal, until

EMAIL = "ana@example.com"
MODEL = "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"
CONNECTIONS = 8  # so that the circuit breaker of one does not stop all batches
# For a batch to get somewhere while processes are killed. A batch that must be cancelled and was
# perhaps created is searched for half an hour.
PATIENCE_SECONDS = 2_400
ELSEWHERE_KEY = "made_elsewhere"  # metadata of a batch that the portal did not create

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Shape:
    """One way to order a batch. Without slots there are several connections of the name."""

    connection: str = "Sandbox"
    is_split: bool = False
    max_active: int | None = None
    window: str = "24h"
    fallback: str = ""
    faults: Sequence[str] = ()
    is_imported: bool = False


SHAPES = {
    "plain": Shape(),
    "split": Shape("Split", is_split=True),
    "slots": Shape("One slot", max_active=1, faults=FAULTS_BESIDE_SLOTS),
    "split and slots": Shape(
        "Split, two slots", is_split=True, max_active=2, faults=FAULTS_BESIDE_SLOTS
    ),
    "fallback": Shape(window="1h", fallback="24h", faults=NO_ROOM_FAULTS),
    "split and fallback": Shape(
        "Split", is_split=True, window="1h", fallback="24h", faults=NO_ROOM_FAULTS
    ),
    "imported": Shape(is_imported=True),
}

# The steps that people take with a batch, in this order. "over" waits for its end; a retry is a
# batch of its own, to which the other steps happen.
ACTIONS = {
    "nothing": (),
    "cancel": ("accepted", "cancel"),
    "cancel, retry": ("accepted", "cancel", "over", "retry"),
    "cancel, retry in place": ("accepted", "cancel", "over", "retry-in-place"),
    "pause": ("pause", "resume"),
    "pause twice": ("pause", "resume", "pause", "resume"),
    "pause, cancel": ("accepted", "pause", "cancel"),
    "retry": ("over", "retry"),
    "retry in place": ("over", "retry-in-place"),
    "retry, retry in place": ("over", "retry", "over", "retry-in-place"),
    "retry early": ("accepted", "retry"),
}

STOPS = {"cancel", "pause"}


def actions_in(guise: str) -> list[str]:
    """Return the actions that are offered for a provider of this kind."""
    can = kinds.kind_named(guise).capabilities
    needs = {"pause": can.pause, "resume": can.pause, "retry-in-place": can.retry_in_place}
    return [
        name for name, steps in ACTIONS.items() if all(needs.get(step, True) for step in steps)
    ]


# While the sandbox refuses keys, the portal does not learn that it is one, and loads no prices.
SET_CONNECTION = """
from batchapp.access import OPERATOR
from batchapp.models import Connection
from batchapp.services.prices import price_table
rows = Connection.objects.filter(name="%s")
rows.update(create_grace_seconds=4, max_requests=%s, max_active=%s, is_sandbox=True, kind="%s")
if not rows.get().prices.exists():
    price_table.load_doubleword_list(rows.get(), OPERATOR)
"""
KEY = """
from batchapp.models import ProviderKey
print(ProviderKey.objects.exclude(ciphertext="").get(project__slug="%s").pk)
"""
SET_WEBHOOK = """
from batchapp.access import OPERATOR
from batchapp.models import ProviderKey
from batchapp.services.providers import provider_keys
provider_keys.set_webhook_secret(ProviderKey.objects.get(pk="%s"), OPERATOR, "%s")
"""
UNFINISHED = "from batchapp.models import Batch; print(Batch.objects.unfinished().count())"
IS_OVER = "from batchapp.models import Batch; print(int(Batch.objects.get(pk='%s').is_over))"
# A create that may or may not have happened is looked for half an hour if it must be cancelled.
IS_ACCEPTED = """
from batchapp.models import ProviderBatch
rows = ProviderBatch.objects.filter(batch="%s")
unconfirmed = rows.filter(remote_id="").exclude(create_attempted_at=None)
print(int(rows.exclude(remote_id="").exists() and not unconfirmed.exists()))
"""
UPLOAD_STATUS = "from batchapp.models import Upload; print(Upload.objects.get(pk='%s').status)"
IMPORT = """
from batchapp.models import BatchImport
row = BatchImport.objects.filter(remote_id="%s").first()
print(*([row.pk, row.status, row.batch_id] if row else ["", "absent", ""]), sep=",")
"""


@dataclass(frozen=True)
class Order:
    """A batch as it was ordered; the proof compares its end with this."""

    name: str
    key: str
    shape: str
    action: str
    window: str
    fallback: str
    requests: int
    max_requests: int | None = None
    parent: str = ""
    remote_id: str = ""  # of a batch that was created elsewhere


@dataclass(frozen=True)
class Mix:
    """Sizes, faults, shapes and actions of the batches; ``seed`` draws them."""

    seed: int
    requests: tuple[int, int]
    faults: Sequence[str]
    shapes: Sequence[str] = tuple(SHAPES)
    actions: Sequence[str] = tuple(ACTIONS)

    def order(self, number: int) -> Order:
        """Return order ``number``; every seed has its own sequence of orders."""
        shape_name = self.draw("shapes", self.shapes, number)
        shape, chance = SHAPES[shape_name], self.chance(number)
        own_faults = [line for line in shape.faults if line in self.faults] or shape.faults[:1]
        unfit = NO_ROOM_FAULTS + (FAULTS_OF_EVERY_FILE if shape.is_imported else [])
        common_faults = [line for line in self.faults if line not in unfit]
        name = f"storm{number}"
        faults = self.draw(shape_name, own_faults or common_faults, number // len(self.shapes))
        least, most = self.requests
        return Order(
            name=name,
            key=f"sk-{name}-{chance.getrandbits(32)}~{faults}".rstrip("~"),
            shape=shape_name,
            action=self.draw("actions", self.actions, number),
            window=shape.window,
            fallback=shape.fallback,
            requests=chance.randint(least, most),
            max_requests=max(2, most // 4) if shape.is_split else None,
        )

    def chance(self, number: int) -> random.Random:
        return random.Random(f"order {number} {self.seed}")

    def draw(self, what: str, choices: Sequence[Choice], number: int) -> Choice:
        """Return the choice of order ``number``: a round of orders has each choice once."""
        this_round, place = divmod(number, len(choices))
        return random.Random(f"{what} {this_round} {self.seed}").sample(choices, len(choices))[
            place
        ]


@dataclass
class Customer:
    """Signs in, orders batches, and acts on them as the mix says."""

    portal: Portal
    shell: ManagementShell
    person: Person
    mix: Mix
    orders: dict[str, Order] = field(default_factory=dict)  # by the id of the batch
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._set_up(self.mix.order(0), project="first", key="sk-first")
        patiently(lambda: self.person.sign_in(EMAIL, PASSWORD))

    def order_until(self, calm: threading.Event, *, least: int, at_once: int) -> None:
        """Keep ``at_once`` orders going until ``calm``, and make no fewer than ``least``."""

        def keep_ordering() -> None:
            while (number := self._next_number(calm, least)) is not None:
                self._order(number)

        with ThreadPoolExecutor(at_once) as threads:
            workers = [threads.submit(keep_ordering) for _ in range(at_once)]
        for worker in workers:
            worker.result()

    def open_batches(self) -> int:
        return int(self.shell.execute(UNFINISHED))

    def over_batches(self) -> int:
        return max(0, len(self.orders) - self.open_batches())

    def _next_number(self, calm: threading.Event, least: int) -> int | None:
        with self._lock:
            number = next(self._numbers)
            return None if calm.is_set() and number >= least else number

    def _order(self, number: int) -> None:
        """Order one batch, act on it, and wait until it is over."""
        order, chance = self.mix.order(number), self.mix.chance(-1 - number)
        self._set_up(order)
        if "webhook" in order.key:
            self._register_webhook(order)
        file = Path(self.portal.env["DATA_DIR"]) / f"{order.name}.jsonl"
        lines = [_line(order, number) for number in range(order.requests)]
        file.write_text("".join(lines))
        if SHAPES[order.shape].is_imported:
            remote_id = self._create_elsewhere(order, file)
            order = Order(**vars(order) | {"remote_id": remote_id})
            batch = self._import(order)
        else:
            upload = self.person.send_file(order.name, file)
            batch = self.person.order_patiently(
                upload, window=order.window, fallback=order.fallback
            )
        self.orders[str(batch)] = order
        for step in ACTIONS[order.action]:
            if step == "retry":
                retry = self._retry(batch, order, chance)
                if retry is None:
                    break
                batch = retry
            else:
                self._act(batch, step, chance)
        self._wait_until_over(batch)

    def _act(self, batch: UUID, step: str, chance: random.Random) -> None:
        if step == "over":
            self._wait_until_over(batch)
        elif step == "accepted":
            self._wait_for(IS_ACCEPTED % batch, f"batch {batch} to be accepted")
        else:
            if step != "retry-in-place":
                time.sleep(chance.uniform(0, 3))
            self.person.press(batch, step)

    def _retry(self, batch: UUID, order: Order, chance: random.Random) -> UUID | None:
        """Order a retry of ``batch``; None if there is nothing to retry by now."""
        upload = self.person.request_retry_file(batch, UUID(int=chance.getrandbits(128)))
        if upload is None:
            return None
        status = ""

        def is_checked() -> bool:
            nonlocal status
            status = self.shell.execute(UPLOAD_STATUS % upload)
            return status != "checking"

        until(is_checked, f"file {upload} to be checked", patience=PATIENCE_SECONDS)
        if status != "ready":
            return None
        retry = self.person.order_patiently(upload, window=order.window, fallback=order.fallback)
        changes = {"parent": str(batch), "shape": "retry", "remote_id": ""}
        self.orders[str(retry)] = Order(**vars(order) | changes)
        return retry

    def _wait_until_over(self, batch: UUID) -> None:
        self._wait_for(IS_OVER % batch, f"batch {batch} to be over")

    def _wait_for(self, code: str, what: str) -> None:
        until(
            lambda: int(self.shell.execute(code)) or time.sleep(1),
            what,
            self.portal.tail,
            patience=PATIENCE_SECONDS,
        )

    def _set_up(self, order: Order, *, project: str = "", key: str = "") -> None:
        shape = SHAPES[order.shape]
        project = project or order.name
        connection = shape.connection
        if shape.max_active is None:
            connection += f" {sum(project.encode()) % CONNECTIONS}"
        self.shell.run_again(
            *("bootstrap", "--email", EMAIL, "--project", project),
            *("--connection", connection, "--base-url", self.portal.sandbox_url),
            *("--provider-key", key or order.key, "--poll-seconds", "1"),
        )
        limits = order.max_requests or 50_000, shape.max_active
        self.shell.execute(SET_CONNECTION % (connection, *limits, self.portal.guise))

    def _register_webhook(self, order: Order) -> None:
        """Have the provider deliver to the key of the project.

        A second registration would sign with a second secret, and be refused.
        """
        row = self.shell.execute(KEY % order.name)
        made = patiently(
            lambda: httpx.post(
                f"{self.portal.sandbox_url}/admin/api/v1/users/current/webhooks",
                json={"url": f"{self.portal.url}/webhooks/{row}/"},
                headers={"Authorization": f"Bearer {order.key.replace('sk-', 'pk-', 1)}"},
                trust_env=False,
                timeout=60,
            ).raise_for_status()
        )
        self.shell.execute(SET_WEBHOOK % (row, made.json()["secret"]))

    def _create_elsewhere(self, order: Order, file: Path) -> str:
        """Create the batch at the provider without the portal, once; return its id."""

        def call(path: str, **kwargs: object) -> httpx.Response:
            return httpx.post(
                f"{self.portal.sandbox_url}/v1/{path}",
                headers={"Authorization": f"Bearer {order.key}"},
                trust_env=False,
                timeout=60,
                **kwargs,  # type: ignore[arg-type]
            ).raise_for_status()

        form = {"files": {"file": (file.name, file.read_bytes())}, "data": {"purpose": "batch"}}
        body = {
            "input_file_id": patiently(lambda: str(call("files", **form).json()["id"])),
            "endpoint": "/v1/chat/completions",
            "completion_window": order.window,
            "metadata": {ELSEWHERE_KEY: order.name},
        }

        def created() -> str:
            """Look before each create, because the reply to an earlier one may be lost."""
            for batch in self.portal.ledger()["batches"]:
                if batch["metadata"].get(ELSEWHERE_KEY) == order.name:
                    return str(batch["id"])
            call("batches", json=body)
            raise ValueError("the next look finds it")

        return patiently(created)

    def _import(self, order: Order) -> UUID:
        """Import the batch, requested twice; a person tries again if the provider refuses."""
        for _ in range(2):
            self.person.request_import(order.name, order.remote_id)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            row, status, batch = self.shell.execute(IMPORT % order.remote_id).split(",")
            if status == "done":
                return UUID(batch)
            if status == "failed":
                self.person.try_import_again(row)
            time.sleep(1)
        raise AssertionError(f"waited in vain for the import of {order}")


Trouble = Callable[[Customer], None]
"""Happens while batches are ordered; when it returns, no more are ordered."""


def _line(order: Order, number: int) -> str:
    """Return one request; some always fail, fail the first time, or are cut short.

    If the batch is to be stopped, some are slow, so that it still runs then.
    """
    body = {
        "model": MODEL,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": f"What is {number} in words?"}],
    }
    if number % 50 == 7:
        body["user"] = "sandbox:fail=400"
    elif number % 20 == 3:
        body["user"] = "sandbox:fail-once=500"
    elif number % 20 == 11:
        body["user"] = "sandbox:length"
    elif number % 5 == 4 and STOPS & {*ACTIONS[order.action]}:
        body["user"] = "sandbox:slow"
    request = {"custom_id": f"{order.name}-{number}", "method": "POST"}
    return json.dumps(request | {"url": "/v1/chat/completions", "body": body}) + "\n"
