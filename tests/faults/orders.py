"""Batches ordered through the console, each with a key whose weather is its own."""

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import httpx

from tests.faults.desk import Desk
from tests.faults.person import Person, patiently
from tests.processes.portal import PASSWORD, Portal

EMAIL = "ana@example.com"
CONNECTIONS = 4
"""Those who rest because of one batch's weather are not all."""

SHORT_GRACE = """
from batchapp.models import Connection
Connection.objects.update(create_grace_seconds=4)
"""
KEY = """
from batchapp.models import ProviderKey
print(ProviderKey.objects.exclude(ciphertext="").get(project__slug="%s").pk)
"""
LISTEN = """
from batchapp.models import ProviderKey
from batchapp.services.providers import provider_keys
provider_keys.set_webhook_secret(ProviderKey.objects.get(pk="%s"), "%s")
"""
UNFINISHED = "from batchapp.models import Batch; print(Batch.objects.unfinished().count())"
ACCEPTED = """
from batchapp.models import ProviderBatch
print(ProviderBatch.objects.filter(batch="%s").exclude(remote_id="").count())
"""


class Customer:
    """Signs in and orders; ``seed`` decides sizes, weather and who is stopped when."""

    def __init__(
        self,
        portal: Portal,
        console: Desk,
        person: Person,
        *,
        seed: int,
        weather: Sequence[str],
        requests: tuple[int, int],
        has_wishes: bool,
    ) -> None:
        self._portal, self._desk, self._person = portal, console, person
        self._chance = random.Random(f"orders {seed}")
        self._weather, self._coming = weather, list[str]()
        self._requests, self._has_wishes = requests, has_wishes
        self.keys: dict[str, str] = {}
        """Batch -> key."""
        self._set_up("first", "sk-first")
        patiently(lambda: self._person.sign_in(EMAIL, PASSWORD))

    def order_until(self, calm: threading.Event, *, least: int, at_once: int) -> None:
        """Keep ``at_once`` batches going until it is calm, and order no fewer than ``least``."""
        while not calm.is_set() or len(self.keys) < least:
            if self.open_batches() < at_once:
                self._order()
            else:
                time.sleep(0.5)

    def open_batches(self) -> int:
        return int(self._shell(UNFINISHED))

    def over_batches(self) -> int:
        return max(0, len(self.keys) - self.open_batches())

    def at_desk(self, *words: str) -> str:
        """For commands that may be repeated: the database may be away."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._desk.run(*words)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _order(self) -> None:
        if not self._coming:
            self._coming = self._chance.sample(self._weather, len(self._weather))
        weather, name = self._coming.pop(), f"storm{len(self.keys)}"
        key = f"sk-{name}-{self._chance.getrandbits(32)}~{weather}".rstrip("~")
        self._set_up(name, key)
        if "webhook" in weather:
            self._listen(name, key)
        file = Path(self._portal.env["DATA_DIR"]) / f"{name}.jsonl"
        requests = self._chance.randint(*self._requests)
        file.write_text("".join(_line(name, number) for number in range(requests)))
        batch = self._person.send(name, file)
        earlier = [*self.keys]
        self.keys[str(batch)] = key
        if self._has_wishes:
            self._wish(batch, earlier)

    def _wish(self, batch: UUID, earlier: list[str]) -> None:
        """Stop or reopen one batch of several, by the number of those ordered."""
        match len(self.keys) % 5:
            case 0 if self._is_accepted(batch):
                time.sleep(self._chance.uniform(0, 4))
                self._person.ask(batch, "cancel")
            case 2:
                self._pause(batch)
            case 4:  # one that is not over, or has nothing to run again, stays as it is
                self._person.ask(self._chance.choice(earlier), "retry-in-place")

    def _is_accepted(self, batch: UUID) -> bool:
        """Whether the provider has it by now: a create in doubt is looked for half an hour."""
        deadline = time.monotonic() + 60
        while not int(self._shell(ACCEPTED % batch)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    def _pause(self, batch: UUID) -> None:
        """Pause it whatever it is at, and have it go on."""
        time.sleep(self._chance.uniform(0, 4))
        self._person.ask(batch, "pause")
        time.sleep(self._chance.uniform(0, 6))
        self._person.ask(batch, "resume")

    def _set_up(self, project: str, key: str) -> None:
        connection = sum(project.encode()) % CONNECTIONS
        self.at_desk(
            *("bootstrap", "--email", EMAIL, "--password", PASSWORD, "--project", project),
            *("--connection", f"Sandbox {connection}", "--base-url", self._portal.sandbox_url),
            *("--provider-key", key, "--poll-seconds", "1"),
        )
        self._shell(SHORT_GRACE)

    def _listen(self, project: str, key: str) -> None:
        """Have the provider deliver to the project's key. Asked twice, it signs with two secrets
        of which one is refused."""
        row = self._shell(KEY % project).strip()
        made = patiently(
            lambda: httpx.post(
                f"{self._portal.sandbox_url}/admin/api/v1/users/current/webhooks",
                json={"url": f"{self._portal.url}/webhooks/{row}/"},
                headers={"Authorization": f"Bearer {key.replace('sk-', 'pk-', 1)}"},
                trust_env=False,
            ).raise_for_status()
        )
        self._shell(LISTEN % (row, made.json()["secret"]))

    def _shell(self, code: str) -> str:
        return self.at_desk("shell", "--no-imports", "--command", code)


Trouble = Callable[[Customer], None]
"""What happens while batches are ordered; when it returns, no more are."""


def _line(name: str, number: int) -> str:
    """One request; of fifty one is refused by the model."""
    body = {
        "model": "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": f"What is {number} in words?"}],
    }
    if number % 50 == 7:
        body["user"] = "sandbox:fail=400"
    request = {"custom_id": f"{name}-{number}", "method": "POST"}
    return json.dumps(request | {"url": "/v1/chat/completions", "body": body}) + "\n"
