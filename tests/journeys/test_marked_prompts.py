"""Files of different shape, marked and run: the forecast is near what the sandbox bills."""

import json
from array import array
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import pytest

from batchapp.domain.corrections.prompt_marks import PromptMarker, take_turns
from batchapp.domain.money.cache_forecast import forecast_markers, forecast_marking, mark_rule
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.prompt_cache.choice import Marking
from batchapp.domain.request_files.check_file import Report
from batchapp.sandbox.api.catalogue import CHAT_MODELS
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings
from batchapp.sandbox.settings import Settings
from tests.domain.request_lines import LIMITS, check_bytes, make_file
from tests.sandbox.api_client import CHAT, CHAT_MODEL
from tests.sandbox.in_process import InProcess, sandbox_in_process

WORDS = (
    "the",
    "of",
    "to",
    "an",
    "order",
    "was",
    "late",
    "and",
    "refund",
    "agent",
    "asks",
    "price",
)
PRICE = UnitPrice(
    Decimal(1),
    Decimal(10),
    cached_read=Decimal("0.1"),
    write_5m=Decimal("1.25"),
    write_1h=Decimal(2),
    min_prefix_tokens=1_024,
)
Groups = list[int]  # of each request, in the order of the file


def prose(name: object, words: int) -> str:
    return " ".join(Random(str(name)).choices(WORDS, k=words))


def line(number: int, system: object, words: int, question: int, **fields: Any) -> bytes:
    content: Any = prose(system, words)
    if marker := fields.pop("marker", None):
        content = [{"type": "text", "text": content, "cache_control": marker}]
    messages = [
        {"role": "system", "content": content},
        {"role": "user", "content": prose(number, question)},
    ]
    body = {"model": CHAT_MODEL, "messages": messages, "max_tokens": 30} | fields
    request = {"custom_id": f"r-{number}", "method": "POST", "url": CHAT, "body": body}
    return json.dumps(request).encode()


def file(groups: Groups, words: int = 1_200, question: int = 40, **fields: Any) -> list[bytes]:
    return [line(n, group, words, question, **fields) for n, group in enumerate(groups)]


def tool(number: int) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": f"find_{number}", "description": prose(number, 1_200)},
    }


def mixed(groups: int, rows: int) -> Groups:
    order = [number for number in range(groups) for _ in range(rows)]
    Random(1).shuffle(order)
    return order


# Marked by the portal: a name and the requests.
PLAIN: dict[str, list[bytes]] = {
    "one prompt": file([0] * 120),
    "one prompt, few requests": file([0] * 30),
    "one long prompt": file([0] * 60, words=2_500),
    "long questions": file([0] * 100, question=500),
    "a prompt below the floor": file([0] * 100, words=100),
    "twenty groups, sorted": file([number for number in range(20) for _ in range(10)]),
    "twenty groups, in turn": file([*range(20)] * 10),
    "twenty groups, mixed": file(mixed(20, 10)),
    "three groups, sorted": file([number for number in range(3) for _ in range(40)]),
    "fifty small groups": file([number for number in range(50) for _ in range(4)]),
    "one large and five small groups": file(
        [0] * 150 + [number for number in range(1, 6) for _ in range(10)]
    ),
    "half of the requests alone": file([0 if n % 2 else n for n in range(200)]),
    "tools of groups": [line(n, "rules", 1_200, 30, tools=[tool(n // 40)]) for n in range(160)],
}
FIVE, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
# With markers of their own, in their own order.
MARKED: dict[str, list[bytes]] = {
    "marked": file([0] * 200, marker=FIVE),
    "marked for an hour": file([0] * 100, marker=HOUR),
    "marked on the last block": file([0] * 100, cache_control=FIVE),
    "marked twice": file([0] * 100, marker=FIVE, cache_control=FIVE),
    "marked groups, sorted": file([n for n in range(20) for _ in range(10)], marker=FIVE),
    "marked groups, in turn": file([*range(20)] * 10, marker=FIVE),
    "marked groups, mixed": file(mixed(20, 10), marker=FIVE),
    "marked below the floor": file([0] * 100, words=100, marker=FIVE),
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    cache = CacheSettings.for_models(CHAT_MODELS)
    settings = Settings(data=tmp_path_factory.mktemp("sandbox"), cache=cache)
    with sandbox_in_process(settings) as running:
        yield running


@pytest.fixture
def billed(sandbox: InProcess) -> Callable[[list[bytes]], tuple[Decimal, int]]:
    """Run lines as an account of their own; return the share of the list price, and the output."""
    number = next(accounts)

    def run(lines: list[bytes]) -> tuple[Decimal, int]:
        api = sandbox.api(f"sk-in-process-{number}")
        sandbox.clock.advance(7_200)  # nothing is left of the batches before
        bill = sandbox.run(api, [row.decode() for row in lines])
        share = Decimal(bill["total_cost"]) / Decimal(bill["total_list_cost"])
        return share, bill["total_completion_tokens"]

    return run


accounts = count()


def share(usage: Usage, plain: Usage) -> Decimal:
    amounts = cost(usage, PRICE), cost(plain, PRICE)
    assert amounts[0] is not None
    assert amounts[1]
    return amounts[0] / amounts[1]


def usage_of(report: Report, output: int) -> Usage:
    facts = report.models[CHAT_MODEL]
    return Usage(facts.requests, facts.input_tokens, output)


@pytest.mark.parametrize("name", PLAIN)
def test_the_forecast_of_a_marked_version_is_within_a_tenth_of_its_bill(name, billed):
    report, rule = check_bytes(make_file(*PLAIN[name])), mark_rule(PRICE, "5m")
    assert rule
    marking = Marking({CHAT_MODEL: rule})
    marked = [*PromptMarker(marking, LIMITS).run(lambda: [make_file(*PLAIN[name])])]
    order = take_turns(array("q", [group for group, _ in marked]), marking.concurrency)

    bill, output = billed([marked[index][1].rstrip() for index in order])

    plain = usage_of(report, output)
    forecast = forecast_marking(report.prompts[CHAT_MODEL], plain, rule, marking.concurrency)
    assert share(forecast, plain) == pytest.approx(bill, rel=Decimal("0.1"))
    assert bill <= 1


@pytest.mark.parametrize("name", MARKED)
def test_the_forecast_of_markers_in_a_file_is_within_a_tenth_of_its_bill(name, billed):
    report = check_bytes(make_file(*MARKED[name]))

    bill, output = billed(MARKED[name])

    plain = usage_of(report, output)
    forecast = forecast_markers(report.prompts[CHAT_MODEL], plain, PRICE, 10)
    assert share(forecast, plain) == pytest.approx(bill, rel=Decimal("0.1"))
