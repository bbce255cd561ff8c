"""A retry runs the selected requests again, and changes nothing but what was asked for."""

import json
import random
from typing import Any

from batchapp.domain.results.best_attempt import ANSWERS, outcomes_at_least_as_good
from batchapp.domain.results.outcome import SUCCEEDED, Outcome
from batchapp.domain.results.retry_selection import (
    ADVICE,
    DEFAULT_OUTCOMES,
    RETRYABLE_IN_PLACE,
    RequestChanger,
    Selection,
)
from batchapp.domain.tokens.counting import MAX_OUTPUT

CHAT = "/v1/chat/completions"


def line(body: dict[str, Any], url: str = CHAT, **layout: Any) -> bytes:
    request = {"custom_id": "row-1", "method": "POST", "url": url, "body": body}
    return json.dumps(request, **layout).encode()


def change(data: bytes, outcome: Outcome = Outcome.TRUNCATED, **changes: Any) -> bytes:
    return RequestChanger(Selection(frozenset(Outcome), **changes)).change(data, outcome)


def body_of(data: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(data)["body"]
    return body


def test_a_request_that_failed_for_want_of_credits_is_run_again_by_default() -> None:
    assert Outcome.UNPAID in DEFAULT_OUTCOMES & RETRYABLE_IN_PLACE
    assert "add credits, then run it again" in ADVICE[Outcome.UNPAID].reason


def test_every_other_outcome_can_be_run_again_and_says_why_or_why_not() -> None:
    assert ADVICE.keys() == set(Outcome) - {Outcome.OK, Outcome.PENDING, Outcome.REUSED}
    assert all(advice.reason for advice in ADVICE.values())


def test_a_request_that_would_end_the_same_is_not_run_again_by_default() -> None:
    assert ADVICE.keys() - DEFAULT_OUTCOMES == {
        *(Outcome.INVALID_REQUEST, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID_SCHEMA)
    }
    assert not RETRYABLE_IN_PLACE & {Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY}


def test_the_limit_of_a_cut_short_answer_is_raised_whatever_its_name() -> None:
    chat = {"model": "m", "max_tokens": 100}
    both = {"model": "m", "max_tokens": 100, "max_completion_tokens": 200}
    response = {"model": "m", "max_output_tokens": 50}

    assert body_of(change(line(chat), max_tokens_factor=2)) == chat | {"max_tokens": 200}
    raised = body_of(change(line(both), max_tokens_factor=4))
    assert raised == both | {"max_tokens": 400, "max_completion_tokens": 800}
    again = body_of(change(line(response, "/v1/responses"), max_tokens_factor=2))
    assert again["max_output_tokens"] == 100


def test_no_limit_is_invented_and_none_is_raised_beyond_all_models() -> None:
    without = line({"model": "m", "max_tokens": None})
    changer = RequestChanger(Selection(frozenset(Outcome), max_tokens_factor=2))

    assert changer.change(without, Outcome.TRUNCATED) == without
    assert changer.unlimited == 1
    highest = change(line({"model": "m", "max_tokens": MAX_OUTPUT - 1}), max_tokens_factor=8)
    assert body_of(highest)["max_tokens"] == MAX_OUTPUT


def test_a_limit_is_raised_for_nothing_else() -> None:
    data = line({"model": "m", "max_tokens": 100})

    for outcome in set(Outcome) - {Outcome.TRUNCATED}:
        assert change(data, outcome, max_tokens_factor=8) == data


def test_embeddings_get_no_temperature() -> None:
    data = line({"model": "m", "input": "a"}, "/v1/embeddings")

    assert change(data, temperature=0.5) == data


def test_a_line_that_already_has_the_values_keeps_every_byte() -> None:
    data = line({"model": "m", "temperature": 0.5}, indent=None, separators=(" , ", " : "))

    assert change(data, model="m", temperature=0.5) == data


def test_every_digit_of_a_changed_line_stays() -> None:
    data = line({"model": "m"}).replace(
        b'"m"', b'"m", "seed": 12345678901234567890123, "top_p": 1.0, "stop": "\\u00e4"'
    )

    changed = change(data, model="n")

    for text in (b"12345678901234567890123", b'"top_p":1.0', b'"\\u00e4"'):
        assert text in changed


def test_in_any_request_only_the_requested_values_change() -> None:
    """Bodies and layouts at random, always the same ones."""
    dice = random.Random(5)
    for _ in range(500):
        body = _any_body(dice)
        data = line(body, indent=None, separators=dice.choice([(",", ":"), (", ", ": ")]))
        changes: dict[str, Any] = {}
        expected = dict(body)
        outcome = dice.choice(list(Outcome))
        if dice.random() < 0.5:
            changes["max_tokens_factor"] = 2
            if outcome is Outcome.TRUNCATED and "max_tokens" in body:
                expected["max_tokens"] = 2 * body["max_tokens"]
        if dice.random() < 0.5:
            changes["model"] = expected["model"] = dice.choice(["m", "n"])
        if dice.random() < 0.5:
            changes["temperature"] = expected["temperature"] = dice.choice([0.0, 0.7])

        changed = change(data, outcome, **changes)

        assert json.loads(changed) == json.loads(data) | {"body": expected}
        if expected == body:
            assert changed == data


def _any_body(dice: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {"model": dice.choice(["m", "o"])}
    extras = {
        "max_tokens": dice.randrange(1, 5_000),
        "temperature": dice.choice([0.0, 0.3, 1.0]),
        "messages": [{"role": "user", "content": dice.choice(["a\n", "ä", '"', "\u2028"])}],
        "metadata": {"max_tokens": 7, "model": "x", "deep": [[{}], None, True, 1e-7]},
    }
    names = [name for name in extras if dice.random() < 0.6]
    dice.shuffle(names)
    return body | {name: extras[name] for name in names}


def test_the_summary_has_counts_and_changes() -> None:
    selection = Selection(
        frozenset({Outcome.MISSING, Outcome.TRUNCATED}),
        max_tokens_factor=2,
        model="n",
        counts={Outcome.TRUNCATED: 3, Outcome.MISSING: 1_200},
    )

    assert selection.summary == (
        "no result: 1,200, cut short: 3; 2 times max_tokens where cut short, model n"
    )
    assert Selection(frozenset()).summary == ""


def test_a_better_answer_is_never_replaced_by_a_worse_one() -> None:
    assert set(ANSWERS) >= {outcome.value for outcome in SUCCEEDED}
    assert outcomes_at_least_as_good("ok") == ("ok",)
    assert "refused" not in outcomes_at_least_as_good("truncated")
    assert set(outcomes_at_least_as_good("refused")) == set(ANSWERS)
    assert set(outcomes_at_least_as_good("missing")) == set(ANSWERS)
