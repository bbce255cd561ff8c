from decimal import Decimal

import msgspec
import pytest
from django.utils import timezone

from batchapp.domain.money.cache_forecast import forecast_markers
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.services.orders.other_models import MAX_MODELS, other_models
from tests.make import (
    answer_line,
    finish,
    join,
    make_batch,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_line,
)

pytestmark = pytest.mark.django_db

OTHER = "other/model"


def lines(model, *, system="Be brief.", limit=100):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Why?"}]
    body = {"model": model, "messages": messages, "max_tokens": limit}
    return "\n".join(request_line(number, body=body) for number in (1, 2, 3)).encode()


def run(project, tokens, model=OTHER, **asked):
    batch = make_batch(project, upload=make_upload(project, content=lines(model, **asked)))
    return finish(batch, [answer_line(number, tokens=(10, tokens)) for number in (1, 2, 3)])


def costs(upload, user, window="24h"):
    report = upload.report
    return other_models(report, upload.project, user, window, timezone.now())


@pytest.fixture
def connection(project):
    for model in ("own/model", OTHER, "third/model"):
        make_price(project.connection, "24h", Decimal(1), Decimal(1_000), model)
    return project.connection


@pytest.fixture
def upload(project, user, connection):
    return make_upload(project, user, content=lines("own/model"))


def test_another_model_costs_what_its_past_answers_were_long(
    user, project, upload, django_assert_max_num_queries
):
    for tokens in (40, 60):
        run(project, tokens)

    with django_assert_max_num_queries(3):
        [other] = costs(upload, user)

    assert (other.model, other.runs) == (OTHER, 2)
    sent = upload.report.models["own/model"].input_tokens
    assert other.cost_usd == Decimal(sent + 3 * 50 * 1_000) / 1_000_000


def test_the_same_instructions_count_before_other_prompts(user, project, upload):
    run(project, 90, system="Write a lot.")
    assert costs(upload, user)[0].cost_usd > Decimal("0.26")

    run(project, 10)

    [other] = costs(upload, user)
    assert other.runs == 1
    assert other.cost_usd < Decimal("0.04")


def test_other_prompts_say_nothing_of_requests_that_name_a_length(user, project, connection):
    upload = make_upload(project, user, content=lines("own/model", system="Answer yes or no."))
    run(project, 90, system="Write a lot.")

    assert costs(upload, user) == []


def test_batches_of_projects_that_a_person_cannot_see_do_not_count(user, upload):
    other = make_project(make_user("grace@example.org"), connection=upload.project.connection)
    run(other, 40)

    assert costs(upload, user) == []
    join(user, other)
    assert [row.model for row in costs(upload, user)] == [OTHER]


def test_models_without_a_price_are_not_named_and_only_the_most_used_are(user, project, upload):
    for _ in range(2):
        run(project, 40, model="unpriced/model")
    for number in range(MAX_MODELS + 1):
        batch = run(project, 40)
        make_price(project.connection, "24h", Decimal(1), Decimal(1), f"model-{number}")
        batch.model_costs.update(model=f"model-{number}")
    run(project, 40)
    run(project, 40)

    assert [row.model for row in costs(upload, user)] == [OTHER, "model-0", "model-1"]


def test_a_file_for_several_models_or_for_embeddings_is_not_compared(user, project, connection):
    run(project, 40)
    several = lines("own/model") + b"\n" + request_line(9, model="third/model").encode()
    embeddings = request_line(
        1, url="/v1/embeddings", body={"model": "own/model", "input": "x"}
    ).encode()

    for content in (several, embeddings):
        assert costs(make_upload(project, user, content=content), user) == []


CACHED = UnitPrice(Decimal(1), Decimal(10), cached_read=Decimal("0.1"), write_5m=Decimal("1.25"))


def marked_lines(requests=100):
    block = {"type": "text", "text": "rule " * 2_000, "cache_control": {"type": "ephemeral"}}
    return "\n".join(
        request_line(
            number,
            body={
                "model": "own/model",
                "max_tokens": 100,
                "messages": [
                    {"role": "system", "content": [block]},
                    {"role": "user", "content": f"Why {number}?"},
                ],
            },
        )
        for number in range(requests)
    ).encode()


@pytest.fixture
def marked(project, user, connection):
    connection.is_sandbox = True
    connection.save()
    return make_upload(project, user, content=marked_lines())


def set_price(connection, model, unit_price):
    row = connection.prices.get(model=model)
    row.unit_price = unit_price
    row.save()


def test_markers_count_for_another_model_with_prices_of_cached_tokens(
    user, project, marked, connection, django_assert_max_num_queries
):
    set_price(connection, OTHER, CACHED)
    run(project, 50)

    with django_assert_max_num_queries(4):  # one for the requests at once
        [other] = costs(marked, user)

    facts, prompts = marked.report.models["own/model"], marked.report.prompts["own/model"]
    usage = Usage(100, facts.input_tokens, 100 * 50)
    forecast = cost(forecast_markers(prompts, usage, CACHED, 10), CACHED)
    assert other.cost_usd == forecast
    assert forecast < cost(usage, CACHED)
    first = other_models(marked.report, project, user, "24h", timezone.now(), sends_first=True)
    assert first[0].cost_usd == cost(forecast_markers(prompts, usage, CACHED, 10, 1), CACHED)


def test_a_model_without_prices_of_cached_tokens_ignores_markers(
    user, project, marked, connection, django_assert_max_num_queries
):
    set_price(connection, "own/model", CACHED)
    run(project, 50)

    with django_assert_max_num_queries(3):
        [other] = costs(marked, user)

    facts = marked.report.models["own/model"]
    assert other.cost_usd == Decimal(facts.input_tokens + 100 * 50 * 1_000) / 1_000_000


def test_a_prompt_too_short_for_another_model_is_not_cached(user, project, marked, connection):
    run(project, 50)
    set_price(connection, OTHER, CACHED)
    cheaper = costs(marked, user)[0].cost_usd
    set_price(connection, OTHER, msgspec.structs.replace(CACHED, min_prefix_tokens=4_096))

    [other] = costs(marked, user)

    facts = marked.report.models["own/model"]
    plain = Decimal(facts.input_tokens + 100 * 50 * 10) / 1_000_000
    assert cheaper < other.cost_usd == plain
