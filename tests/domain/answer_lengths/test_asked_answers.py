from decimal import Decimal
from importlib.resources import files
from itertools import cycle, islice

import pytest

from batchapp.domain.answer_lengths.asked_answers import expect_answers
from batchapp.domain.answer_lengths.expectation import NO_OUTPUT
from batchapp.domain.model_card_csv import read_cards
from batchapp.domain.money.estimate import estimate
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.request_files.check_file import Limits, Report, check
from batchapp.domain.tables.row_requests import build_requests
from batchapp.domain.tokens.counting import limit_output
from batchapp.domain.tokens.vocabularies import qwen3
from batchapp.sandbox.files.validation import LINE_DECODER
from batchapp.sandbox.language_model.responses import token_usage
from tests.domain.answer_lengths.recipes import ANSWERS, MODEL, RECIPES, REVIEWS

CHAT = "/v1/chat/completions"
DATA = files("batchapp").joinpath("data")
LIMITS = Limits(10**9, models=read_cards(DATA.joinpath("doubleword_models.csv").read_text()).cards)
PRICE = UnitPrice(input=Decimal("0.05"), output=Decimal("0.20"))
ROWS = 30
QUESTION = "Is this so? Answer yes or no."


def ask(question, *, system="", url=CHAT, **fields):
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": MODEL, "messages": [*messages, {"role": "user", "content": question}]}
    return expect_answers(body | fields, url, limit_output(body | fields, url), None)


def asked_for(question, **fields):
    return ask(question, **fields).length.words


def estimate_of(report: Report):
    prices = dict.fromkeys(report.models, PRICE)
    return estimate(report.models, prices, "24h")


def cost_of(report: Report, output_tokens: int):
    input_tokens = sum(facts.input_tokens for facts in report.models.values())
    return cost(Usage(1, input_tokens, output_tokens), PRICE)


def requests_of(recipe):
    return [row.line for row in build_requests(islice(cycle(REVIEWS), ROWS), recipe)]


def sandbox_tokens(lines):
    return sum(token_usage(LINE_DECODER.decode(line), "")[1] for line in lines)


def is_within_twice(figure, actual):
    return actual / 2 <= figure <= actual * 2


@pytest.mark.parametrize("name", ["chat", "structured", "tools", "embeddings"])
def test_the_first_estimate_of_a_sample_is_within_twice_what_the_sandbox_bills(name):
    lines = DATA.joinpath(f"samples/{name}.jsonl").read_bytes().splitlines()
    report = check([b"\n".join(lines)], LIMITS)

    quote = estimate_of(report)

    actual = cost_of(report, sandbox_tokens(lines))
    assert is_within_twice(quote.expected_usd, actual)
    assert quote.low_usd <= actual <= quote.ceiling_usd


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_estimate_of_a_recipe_is_within_twice_the_real_answers(name):
    lines = requests_of(RECIPES[name])
    report = check([b"\n".join(lines)], LIMITS)
    # A server counts the mark at the end of an answer as well.
    real = sum(qwen3().count(answer) + 1 for answer in islice(cycle(ANSWERS[name]), ROWS))

    quote = estimate_of(report)

    [model] = quote.models
    assert is_within_twice(quote.expected_usd, cost_of(report, real))
    assert is_within_twice(model.output_expected, real)
    assert model.output_low <= real <= model.output_high
    assert model.basis.startswith("from the answers that the requests ask for: ")


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_estimate_of_a_recipe_is_within_twice_what_the_sandbox_bills(name):
    lines = requests_of(RECIPES[name])
    report = check([b"\n".join(lines)], LIMITS)

    assert is_within_twice(
        estimate_of(report).expected_usd, cost_of(report, sandbox_tokens(lines))
    )


def test_the_form_of_an_answer_counts_before_its_instructions_and_these_before_the_question():
    choice = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": choice}}
    rule = "Answer yes or no."

    assert asked_for("In two words?", system=rule, response_format=form) == (
        "one of 2 choices, as JSON"
    )
    assert asked_for("In two words?", system=rule) == "yes or no"
    assert asked_for("In two words?", system="You translate.") == "2 words"
    assert asked_for("Guten Tag", system="You translate.") == "a translation"
    assert asked_for("Guten Tag") == ""


def test_an_instruction_is_read_at_both_ends_of_a_question():
    long = "Lorem ipsum dolor sit amet. " * 200

    assert asked_for(f"{long}\nSummarise it in one sentence.") == "1 sentence"
    assert asked_for(f"Summarise it in one sentence:\n{long}") == "1 sentence"
    assert asked_for(f"{long} Answer in one word. {long}") == ""


def test_a_limit_bounds_the_answers_together_with_the_thinking():
    question = {"model": "Qwen/Qwen3.5-4B", "max_tokens": 30, "n": 2}

    assert ask("Hello?", **question).tokens(10).expected == 60
    assert ask("Hello?", **question | {"max_tokens": 10_000}).tokens(10).expected > 1_000
    assert ask("Hello?", **question | {"reasoning_effort": "none"}).tokens(10).expected < 60


def test_an_answer_that_is_written_again_is_as_long_as_the_text_of_the_question():
    translation = ask("Guten Tag", system="You translate into English.")

    short, long = (translation.tokens(tokens).expected for tokens in (100, 1_000))

    assert 50 <= short <= 120
    assert 900 <= long <= 1_200


def test_a_request_to_call_a_tool_expects_its_arguments():
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}

    assert asked_for("Why?", tools=[tool]) == "a call of the tool"
    assert asked_for("Why?", tools=[tool, tool]) == "a call of one of 2 tools"
    assert asked_for("Why?", tools=[tool], tool_choice="none") == ""


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]}, CHAT),
        ({"input": QUESTION}, "/v1/responses"),
        ({"instructions": QUESTION, "input": [{"role": "user", "content": "x"}]}, "/v1/responses"),
        ({"system": QUESTION, "messages": [{"role": "user", "content": "x"}]}, "/v1/messages"),
        ({"prompt": QUESTION}, "/v1/completions"),
    ],
)
def test_every_endpoint_is_read(body, url):
    expectation = expect_answers({"model": "m", **body}, url, limit_output(body, url), None)

    assert expectation.length.words == "yes or no"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}, None, 7]}]},
        {"messages": [{"role": "user", "content": "\ud800\0<b>" + "w" * 100_000}]},
        {"messages": [{"role": 7, "content": 7}], "tools": 7, "response_format": 7},
        {"messages": [], "tools": [7, {}, {"function": 7}], "response_format": {"type": 7}},
        {"messages": [], "response_format": {"type": "json_schema", "json_schema": 7}},
        {"messages": [{"role": ["tool"]}], "tools": [{}], "tool_choice": {"type": ["none"]}},
    ],
)
def test_odd_requests_are_read_without_an_error(body):
    assert expect_answers({"model": "m", **body}, CHAT, limit_output(body, CHAT), None)


def test_embeddings_expect_no_output():
    body = {"model": "m", "input": "Answer yes or no."}
    output = limit_output(body, "/v1/embeddings")

    assert expect_answers(body, "/v1/embeddings", output, None) is NO_OUTPUT
