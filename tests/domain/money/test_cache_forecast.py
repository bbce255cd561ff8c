"""The forecast of the prompt cache against the shares that the provider's server billed."""

import random
from decimal import Decimal
from typing import Any

import pytest

from batchapp.domain.money.cache_forecast import forecast_markers, forecast_marking, mark_rule
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.prompt_cache.choice import choose_prompts
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from tests.domain.request_lines import check_bytes, make_body, make_file, make_line

PRICE = UnitPrice(
    Decimal(1),
    Decimal(2),
    cached_read=Decimal("0.1"),
    write_5m=Decimal("1.25"),
    write_1h=Decimal(2),
    min_prefix_tokens=1_024,
)
PROMPT = "word" * 2_000  # tokens of a model without a known vocabulary: one for four characters
MARKER = {"type": "ephemeral"}
OUTPUT = 132  # of each request, half of which is as dear as in the measured batches


def line(number: int, system: str = PROMPT, lifetime: str = "", last: str = "", **fields: Any):
    def block(text: str, ttl: str) -> list[dict[str, Any]]:
        marker = {"cache_control": MARKER | {"ttl": ttl}} if ttl else {}
        return [{"type": "text", "text": text} | marker]

    question = f"{number:04}" + "text" * (156 + number % 2)
    messages = [
        {"role": "system", "content": block(system, lifetime)},
        {"role": "user", "content": block(question, last)},
    ]
    return make_line(custom_id=f"r-{number}", body=make_body(messages=messages, **fields))


def group(number: int) -> str:
    return f"{number:04}" + PROMPT[4:]


def facts(lines: list[bytes]) -> tuple[PromptFacts, Usage]:
    report = check_bytes(make_file(*lines))
    tokens = report.models["m"].input_tokens
    return report.prompts["m"], Usage(len(lines), tokens, len(lines) * OUTPUT)


def share(usage: Usage, plain: Usage) -> Decimal:
    amounts = cost(usage, PRICE), cost(plain, PRICE)
    assert amounts[0] is not None
    assert amounts[1]
    return amounts[0] / amounts[1]


def marked_share(lines: list[bytes], concurrency: int) -> Decimal:
    prompts, plain = facts(lines)
    return share(forecast_markers(prompts, plain, PRICE, concurrency), plain)


@pytest.mark.parametrize(
    ("markers", "concurrency", "billed"),
    [
        ({"lifetime": "5m"}, 10, "0.306"),
        ({"lifetime": "5m"}, 100, "0.73"),
        ({"lifetime": "1h"}, 10, "0.337"),
        ({"last": "5m"}, 10, "1.22"),
        ({"cache_control": MARKER}, 10, "1.22"),
        ({"lifetime": "5m", "last": "5m"}, 10, "0.325"),
        ({}, 10, "1.00"),
    ],
)
def test_markers_cost_what_the_provider_billed_for_them(markers, concurrency, billed):
    lines = [line(number, **markers) for number in range(200)]

    assert marked_share(lines, concurrency) == pytest.approx(Decimal(billed), rel=Decimal("0.03"))


def test_a_prompt_below_the_floor_costs_the_list_price():
    lines = [line(number, PROMPT[:4_000], "5m") for number in range(200)]

    assert marked_share(lines, 10) == 1


@pytest.mark.parametrize(("is_sorted", "billed"), [(True, "1.18"), (False, "0.36")])
def test_the_order_of_groups_decides_what_their_markers_cost(is_sorted, billed):
    pairs = [(g, n) for n in range(10) for g in range(20)]
    pairs = sorted(pairs) if is_sorted else pairs
    lines = [line(10 * g + n, group(g), "5m") for g, n in pairs]

    assert marked_share(lines, 10) == pytest.approx(Decimal(billed), rel=Decimal("0.05"))


def planned_share(lines: list[bytes], lifetime: str = "5m", concurrency: int = 10) -> Decimal:
    prompts, plain = facts(lines)
    rule = mark_rule(PRICE, lifetime)
    assert rule
    return share(forecast_marking(prompts, plain, rule, concurrency), plain)


def test_marking_a_shared_prompt_is_forecast_as_it_will_be_billed():
    lines = [line(number) for number in range(200)]

    assert planned_share(lines) == pytest.approx(Decimal("0.306"), rel=Decimal("0.03"))
    assert planned_share(lines, "1h") == pytest.approx(Decimal("0.337"), rel=Decimal("0.03"))
    assert planned_share(lines, concurrency=100) == pytest.approx(
        Decimal("0.73"), rel=Decimal("0.03")
    )


def test_marked_groups_are_forecast_as_if_they_took_turns():
    lines = [line(10 * g + n, group(g)) for g in range(20) for n in range(10)]

    assert planned_share(lines) == pytest.approx(Decimal("0.36"), rel=Decimal("0.03"))


@pytest.mark.parametrize("requests", [1, 2, 12])
def test_a_prompt_of_too_few_requests_is_not_marked(requests):
    prompts, plain = facts([*(line(n) for n in range(requests)), line(99, "x"), line(98, "x")])
    rule = mark_rule(PRICE, "5m")
    assert rule

    assert forecast_marking(prompts, plain, rule, 10) == plain


@pytest.mark.parametrize(("documents", "chosen"), [(3, [90, 30, 30, 30]), (45, [90])])
def test_a_document_behind_the_prompt_of_all_is_marked_where_that_saves(documents, chosen):
    """With three documents in turn, each is written by some three of the ten at once."""
    rows = []
    for number in range(90):
        document = {"role": "user", "content": f"{number % documents:04}" + "long" * 2_000}
        request = [{"role": "system", "content": PROMPT}, document]
        body = make_body(messages=[*request, {"role": "user", "content": f"Question {number}"}])
        rows.append(make_line(custom_id=f"r-{number}", body=body))
    prompts, _ = facts(rows)
    rule = mark_rule(PRICE, "1h")
    assert rule

    prompts_to_mark = choose_prompts(prompts.shared, rule, 10)

    assert [row.requests for row in prompts_to_mark] == chosen


@pytest.mark.parametrize(
    "price",
    [
        UnitPrice(Decimal(1), Decimal(2)),
        UnitPrice(Decimal(1), Decimal(2), cached_read=Decimal(1), write_5m=Decimal(1)),
        UnitPrice(Decimal(0), Decimal(0), cached_read=Decimal(0), write_5m=Decimal(0)),
        UnitPrice(Decimal(1), Decimal(2), cached_read=Decimal("0.1")),
    ],
)
def test_without_cheaper_reads_nothing_is_marked(price):
    assert mark_rule(price, "5m") is None


def test_the_forecast_never_has_more_cached_tokens_than_input():
    draw = random.Random(3)
    for _ in range(20):
        lines = [
            line(
                n, group(draw.randrange(1, 5)), draw.choice(["5m", "1h"]), draw.choice(["", "5m"])
            )
            for n in range(draw.randrange(2, 40))
        ]
        prompts, plain = facts(lines)
        usage = forecast_markers(prompts, plain, PRICE, draw.choice([1, 10, 1_000]))

        assert usage.problem() is None
