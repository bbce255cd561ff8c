import json
from decimal import Decimal

import pytest

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Batch, DirectRequest, ModelCost, Result, UnmatchedLine
from batchapp.services.reports import cost_rows, waste
from batchapp.services.reports.waste import Waste, waste_of
from tests.html import page_of
from tests.make import (
    MODEL,
    answer_line,
    finish,
    make_batch,
    make_upload,
    request_line,
)

pytestmark = pytest.mark.django_db


def cut_short(line):
    response = json.loads(line)
    response["response"]["body"]["choices"][0]["finish_reason"] = "length"
    return json.dumps(response).encode()


def wasteful(project, user):
    """A batch of four requests, of which two are equal, with one answer that was cut short."""
    equal = {"messages": [{"role": "user", "content": "Why?"}], "model": MODEL, "max_tokens": 100}
    lines = [request_line(1), request_line(2)]
    lines += [request_line(number, body=equal) for number in (3, 4)]
    upload = make_upload(project, user, content="\n".join(lines).encode())
    batch = make_batch(project, user, upload=upload)
    answers = [answer_line(number, tokens=(100, 50)) for number in (1, 2, 3, 4)]
    answers[0] = cut_short(answers[0])
    return finish(batch, answers)


def add_unmatched_line(batch):
    result = Result.objects.filter(batch=batch).exclude(result_chunk=None).first()
    UnmatchedLine.objects.create(
        provider_batch=result.provider_batch,
        result_chunk=result.result_chunk,
        reason=UnmatchedLine.Reason.SECOND,
        custom_id="row-1",
        answer_at=0,
        answer_bytes=1,
    )


def csv_of(batch):
    header, *rows = cost_rows.csv_rows(
        ModelCost.objects.filter(batch=batch), DirectRequest.objects.none()
    )
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_batch_without_waste_has_none_and_says_nothing(browser, project, user):
    batch = finish(make_batch(project, user))

    assert waste_of(batch, batch.model_costs.all()) == Waste(
        cut_short_usd=Decimal(0), repeated_usd=Decimal(0)
    )
    said = page_of(browser, batch.get_absolute_url()).one("#cost").text
    assert not any(word in said for word in ("cut short", "repeat", "unmatched", "retries"))
    [row] = csv_of(batch)
    assert [row[name] for name in waste.CSV_COLUMNS] == [0, "0", 0, 0, 0, ""]


def test_what_was_paid_for_nothing_is_a_line_of_the_money_and_of_the_report(
    browser, project, user, django_assert_max_num_queries
):
    batch = wasteful(project, user)
    retry = finish(make_batch(project, user))
    Batch.objects.filter(pk=retry.pk).update(parent=batch, actual_cost_usd=Decimal("0.25"))
    add_unmatched_line(batch)

    with django_assert_max_num_queries(4) as queries:
        found = waste_of(batch, batch.model_costs.all())

    # A large batch has very many results, and its page is opened often.
    assert not any('"batchapp_result"' in query["sql"] for query in queries)

    one = Decimal(100 * 1 + 50 * 2) / 1_000_000
    assert (found.cut_short, found.cut_short_usd) == (1, one)
    assert (found.repeated, found.repeated_usd) == (1, one)
    assert (found.unmatched, found.retries, found.retries_usd) == (1, 1, Decimal("0.25"))
    said = page_of(browser, batch.get_absolute_url()).one("#cost").text
    assert "1 answer was cut short: about $0.0002 of the cost." in said
    assert "1 request repeats an earlier one: about $0.0002 of the cost." in said
    assert "1 unmatched line was returned; whether that was billed is not known." in said
    assert "Cost of retries, 1 batch: $0.25 more." in said
    [row] = csv_of(batch)
    assert (row["cut_short_answers"], Decimal(row["cut_short_cost_usd"])) == (1, one)
    assert (row["repeated_requests"], row["unmatched_lines"]) == (1, 1)
    assert csv_of(retry)[0]["retry_of"] == batch.pk


def test_repeats_in_a_file_with_markers_cost_what_cached_tokens_do(browser, project, user):
    price = UnitPrice(Decimal(1), Decimal(2), cached_read=Decimal("0.1"), write_5m=Decimal("1.25"))
    equal = {"messages": [{"role": "user", "content": "Why?"}], "model": MODEL, "max_tokens": 9}
    lines = [request_line(number, body=equal) for number in (1, 2, 3, 4)]
    batch = make_batch(
        project, user, upload=make_upload(project, user, content="\n".join(lines).encode())
    )
    batch.model_costs.update(unit_price=price)
    written = {"cache_creation": {"ephemeral_5m_input_tokens": 90}}
    read = {"prompt_tokens_details": {"cached_tokens": 90}}
    usages = [written, read, read, read]
    done = finish(
        batch, [answer_line(n, tokens=(100, 5), **usage) for n, usage in enumerate(usages, 1)]
    )

    found = waste_of(done, done.model_costs.all())

    by_answer = [Decimal("122.5") + 10, *[Decimal(19) + 10] * 3]  # in millionths of a USD
    assert done.actual_cost_usd == sum(by_answer) / 1_000_000
    assert found.repeated == 3
    assert found.repeated_usd == done.actual_cost_usd * 3 / 4
    assert found.repeated_usd < Decimal(3 * (100 + 10)) / 1_000_000  # without the cache


def test_answers_that_were_billed_twice_are_in_the_report(project, user):
    batch = finish(make_batch(project, user))
    Batch.objects.filter(pk=batch.pk).update(billed_answers=5)

    assert csv_of(batch)[0]["billed_answers_too_many"] == 2


def test_figures_of_a_whole_batch_stand_in_the_row_of_its_first_model(project, user):
    batch = wasteful(project, user)
    add_unmatched_line(batch)
    [cost] = batch.model_costs.all()
    cost.pk, cost.model, cost.cut_short = None, "other/model", 0
    cost.save()

    assert [row["unmatched_lines"] for row in csv_of(batch)] == [1, ""]
    assert [row["cut_short_answers"] for row in csv_of(batch)] == [1, 0]


def test_unknown_prices_leave_the_amounts_unknown(browser, project, user):
    batch = wasteful(project, user)
    batch.model_costs.update(unit_price=None, cost_usd=None, cut_short_usd=None)

    found = waste_of(batch, batch.model_costs.all())

    assert (found.cut_short, found.cut_short_usd) == (1, None)
    assert (found.repeated, found.repeated_usd) == (1, None)
    assert "1 answer was cut short." in page_of(browser, batch.get_absolute_url()).text
    assert csv_of(batch)[0]["cut_short_cost_usd"] == ""


def test_a_batch_that_runs_has_no_waste_yet(project, user, django_assert_num_queries):
    batch = make_batch(project, user)

    with django_assert_num_queries(0):
        assert waste_of(batch, []) == Waste()


def test_answers_that_were_cut_short_cost_what_their_cached_tokens_do(project, user):
    row = project.connection.prices.get(window="24h")
    row.unit_price = UnitPrice(
        Decimal(1), Decimal(2), cached_read=Decimal("0.1"), write_5m=Decimal("1.25")
    )
    row.save()
    batch = make_batch(project, user)
    read = {"prompt_tokens_details": {"cached_tokens": 800}}
    written = {"cache_creation": {"ephemeral_5m_input_tokens": 800}}
    usages = [read, written, {}]
    lines = [answer_line(n, tokens=(1000, 50), **usage) for n, usage in enumerate(usages, 1)]
    finish(batch, [cut_short(lines[0]), cut_short(lines[1]), lines[2]])

    found = waste_of(Batch.objects.get(pk=batch.pk), batch.model_costs.all())

    of_read = 200 * 1 + 800 * Decimal("0.1") + 50 * 2
    of_written = 200 * 1 + 800 * Decimal("1.25") + 50 * 2
    assert found.cut_short == 2
    assert found.cut_short_usd == (of_read + of_written) / 1_000_000
    assert Decimal(csv_of(batch)[0]["cut_short_cost_usd"]) == found.cut_short_usd
