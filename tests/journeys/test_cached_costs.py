"""What the portal computes from the answers is what the provider bills, with cached prompts.

Each mix is a few batches with random markers, lifetimes, orders and pauses between them, billed by
the sandbox. The portal computes from the lines of the output files and the prices at the creation.
"""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost, total
from batchapp.domain.results.outcome import read_answer
from batchapp.models import Batch
from batchapp.providers.tariffs import ModelTariffs
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings, CacheTariff
from batchapp.sandbox.settings import Settings
from tests.make import make_batch, make_connection, make_price, make_project, make_upload
from tests.sandbox.api_client import Api, line
from tests.sandbox.in_process import Clock, InProcess, sandbox_in_process
from tests.sandbox.processes import sandbox_thread
from tests.sandbox.prompt_cache.prompts import FIVE_MINUTES, requests
from tests.steps import advance

MIXES = 50
MODELS = ("Qwen/Qwen3.5-9B", "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8", "openai/gpt-oss-20b")
LIFETIMES = ("5m", "1h", "24h")
MARKERS = ({"type": "ephemeral"}, *({"type": "ephemeral", "ttl": ttl} for ttl in LIFETIMES))
BAD_MARKERS = ("ephemeral", {"type": "x"}, {"type": "ephemeral", "ttl": "2h"})
OUTCOMES = ("sandbox:fail=400", "sandbox:fail-once=500", "sandbox:slow")


class Mix:
    """Random settings, requests and pauses; the same for the same ``seed``."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def settings(self, data: Path) -> Settings:
        rng = self.random
        cache = CacheSettings(
            enabled=rng.random() < 0.95,
            ttls=LIFETIMES if rng.random() < 0.8 else LIFETIMES[:2],
            tariffs={model: self._tariffs() for model in MODELS if rng.random() < 0.9},
        )
        # Answers take from seconds to hours, so that lifetimes end within and between batches.
        seconds = rng.choice((1.0, 1.0, 200.0, 2_000.0, 20_000.0))
        return Settings(data, cache=cache, base_seconds=seconds, concurrency=rng.randint(1, 6))

    def _tariffs(self) -> tuple[CacheTariff, ...]:
        """Return two tariffs, the second from before the first batch, during it, or later."""
        rng = self.random
        change = Clock().moment + rng.choice((-1.0, 30.0, 3_000.0))
        since, until = change - rng.choice((0.0, 1e9)), change + rng.choice((100.0, 1e9, 1e9))
        return self._tariff(since, change), self._tariff(change, until)

    def _tariff(self, since: float, until: float) -> CacheTariff:
        rng = self.random
        multipliers = [Decimal(rng.randint(0, 39_999)) / 10_000 for _ in range(4)]
        return CacheTariff(*multipliers, rng.choice((0, 300, 1_024)), since, until)

    def requests(self) -> list[str]:
        rows = [self._request(number) for number in range(self.random.randint(3, 30))]
        self.random.shuffle(rows)
        return rows

    def _request(self, number: int) -> str:
        rng = self.random
        prefix = rng.choice(("law ", "tax ")) * rng.choice((400, 1_500, 1_500))
        later = [self._block(f"part {n}", 0.2) for n in range(rng.choice((0, 0, 1, 3)))]
        parts = [self._block(prefix, 0.8), *later]
        question = self._block(f"Question {number}: tell me about kites.", 0.2)
        body: dict[str, Any] = {"model": rng.choice(MODELS), "max_tokens": rng.randint(1, 400)}
        if rng.random() < 0.1:
            body["cache_control"] = rng.choice(MARKERS)
        if rng.random() < 0.1:
            body["user"] = rng.choice(OUTCOMES)
        if rng.random() < 0.3:
            body |= {"system": parts, "messages": [{"role": "user", "content": [question]}]}
            return line(f"row-{number}", url="/v1/messages", **body)
        system = {"role": "system", "content": parts if rng.random() < 0.9 else prefix}
        body["messages"] = [system, {"role": "user", "content": [question]}]
        return line(f"row-{number}", **body)

    def _block(self, text: str, share: float) -> dict[str, Any]:
        """Return a block that has a marker with the probability ``share``."""
        block: dict[str, Any] = {"type": "text", "text": text}
        if self.random.random() < share:
            markers = BAD_MARKERS if self.random.random() < 0.02 else MARKERS
            block["cache_control"] = self.random.choice(markers)
        return block

    def pause(self) -> float:
        return self.random.choice((0.0, 0.0, 200.0, 400.0, 4_000.0, 100_000.0))


def prices(sandbox: InProcess, window: str) -> dict[str, UnitPrice]:
    """Return the price of each model at this moment, from the provider's list."""
    http = sandbox.api("pk-in-process").http
    listed = http.get("/admin/api/v1/models?include=pricing&limit=100").json()["data"]
    moment = datetime.fromtimestamp(sandbox.clock(), UTC)
    unit_prices = {}
    for entry in map(ModelTariffs.from_json, listed):
        tariff = entry.price(window)
        if entry.model in MODELS and tariff:
            unit_prices[entry.model] = entry.unit_price(tariff, moment)
    return unit_prices


def usages(api: Api, batch: dict[str, Any]) -> Iterator[tuple[str, Usage]]:
    """Yield the model and the tokens of each line of the output file, as a harvest reads them."""
    for row in api.content(batch["output_file_id"]).text.splitlines():
        answer = read_answer(row.encode())
        assert answer.input_tokens is not None
        assert answer.output_tokens is not None
        tokens = (answer.input_tokens, answer.output_tokens, *(answer.cache or ()))
        yield answer.model, Usage(1, *tokens)


def added(first: Usage, second: Usage) -> Usage:
    pairs = zip(msgspec.structs.astuple(first), msgspec.structs.astuple(second), strict=True)
    return Usage(*(one + other for one, other in pairs))


@pytest.mark.parametrize("seed", range(MIXES))
def test_the_computed_cost_is_the_billed_one_to_the_last_digit(tmp_path: Path, seed: int) -> None:
    mix = Mix(seed)
    with sandbox_in_process(mix.settings(tmp_path)) as sandbox:
        api = sandbox.api()
        for _number in range(mix.random.randint(1, 3)):
            window = mix.random.choice(("24h", "1h"))
            price_by_model = prices(sandbox, window)
            analytics = sandbox.run(api, mix.requests(), completion_window=window)
            batch = analytics["batch"]
            if mix.random.random() < 0.3 and api.post(batch, "retry").is_success:
                analytics = sandbox.finish(api, batch)

            sums: defaultdict[str, Usage] = defaultdict(Usage)
            for model, answer_usage in usages(api, batch):
                sums[model] = added(sums[model], answer_usage)
            answers = sum(model_usage.requests for model_usage in sums.values())
            computed = total([cost(sums[model], price_by_model[model]) for model in sums])

            assert answers == analytics["total_requests"]
            assert computed == (Decimal(analytics["total_cost"]) if answers else None)
            sandbox.clock.advance(mix.pause())


@pytest.mark.django_db
def test_a_batch_with_marked_prompts_is_settled_at_what_the_provider_bills(
    tmp_path: Path,
) -> None:
    cache = CacheSettings.for_models(MODELS)
    with sandbox_thread(Settings(tmp_path, speed=200.0, cache=cache)) as url:
        connection = make_connection(base_url=url, poll_seconds=1, create_grace_seconds=0)
        row = make_price(connection, "24h", Decimal("0.03"), Decimal("0.29"), model=MODELS[0])
        row.unit_price = UnitPrice(
            row.input_usd,
            row.output_usd,
            cached_read=Decimal("0.003"),
            write_5m=Decimal("0.0375"),
        )
        row.save()
        project = make_project(connection=connection)
        content = "\n".join(requests(25, system=FIVE_MINUTES)).encode()
        batch = make_batch(project, upload=make_upload(project, content=content))

        done = work_to_the_end(batch)

    assert done.succeeded == 25
    assert done.model_costs.get().cached_tokens == 15 * 2_000
    assert done.billed_cost_usd == done.actual_cost_usd


def work_to_the_end(batch: Batch) -> Batch:
    """Run the steps of ``batch`` until the billed cost is known."""
    deadline = time.monotonic() + 60
    while batch.billed_cost_usd is None:
        assert time.monotonic() < deadline
        for row in (*batch.provider_batches.exclude(next_check_at=None), batch):
            type(row).objects.filter(pk=row.pk).update(next_check_at=timezone.now())
            advance(row)
        time.sleep(0.05)
        batch = Batch.objects.get(pk=batch.pk)
    return batch
