"""What estimates learn from batches that ended, and how the two are compared."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.money.calibration import History, HistorySource
from batchapp.models import Batch, ModelCost, Project, Upload, User
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.reports import estimate_accuracy
from tests.make import (
    MODEL,
    answer_line,
    error_line,
    finish,
    make_administrator,
    make_batch,
    make_connection,
    make_project,
    make_upload,
    make_user,
    request_line,
)

pytestmark = pytest.mark.django_db


def run(project: Project, tokens: int, *, user: User | None = None, limit: int = 100) -> Batch:
    """A finished batch of three requests, each answered with so many tokens."""
    upload = make_upload(project, user, content=lines(limit))
    batch = make_batch(project, user, upload=upload)
    return finish(batch, [answer_line(number, tokens=(10, tokens)) for number in (1, 2, 3)])


def lines(limit: int = 100) -> bytes:
    """Three requests; another limit is another shape."""
    body = {"model": MODEL, "max_tokens": limit}
    requests = [
        request_line(n, body=body | {"messages": [{"role": "user", "content": f"Why {n}?"}]})
        for n in (1, 2, 3)
    ]
    return "\n".join(requests).encode()


def learnt(upload: Upload, user: User) -> History | None:
    report = upload.report
    assert report
    return price_quotes.histories_for(report, upload.project, user, timezone.now()).get(MODEL)


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def project(user: User) -> Project:
    return make_project(user)


@pytest.fixture
def upload(project: Project, user: User) -> Upload:
    return make_upload(project, user, content=lines())


def test_the_projects_own_runs_of_the_same_shape_are_learnt_from_first(
    project: Project, upload: Upload, user: User
) -> None:
    run(project, 40)
    run(project, 60)
    run(project, 5, limit=999)

    history = learnt(upload, user)

    assert history
    assert (history.source, history.runs, history.answers) == (HistorySource.SHAPE, 2, 6)
    assert history.expected == 50
    assert history.basis == "from 2 past runs, 6 requests"


def test_the_projects_runs_with_other_prompts_come_next(
    project: Project, upload: Upload, user: User
) -> None:
    run(project, 5, limit=999)
    run(make_project(connection=project.connection), 70, user=user)

    history = learnt(upload, user)

    assert history
    assert (history.source, history.expected) == (HistorySource.PROJECT, 5)


def test_then_what_the_person_ran_elsewhere(upload: Upload, user: User) -> None:
    run(make_project(), 70, user=user)
    for number in range(5):
        run(make_project(), number)

    history = learnt(upload, user)

    assert history
    assert (history.source, history.runs, history.expected) == (HistorySource.PERSON, 1, 70)


def test_the_portal_is_learnt_from_when_no_team_shows_in_its_figures(
    upload: Upload, user: User
) -> None:
    first, second = make_project(), make_project()
    run(first, 10)
    run(first, 30)
    assert learnt(upload, user) is None
    run(first, 50)
    assert learnt(upload, user) is None
    run(second, 70)

    history = learnt(upload, user)

    assert history
    assert (history.source, history.runs, history.expected) == (HistorySource.PORTAL, 4, 40)
    assert history.basis == "from 4 batches of this model on this portal"


def test_a_sandbox_teaches_only_itself(upload: Upload, user: User) -> None:
    sandbox = make_connection(is_sandbox=True)
    elsewhere = make_project(user, connection=sandbox)
    run(elsewhere, 500, user=user)

    assert learnt(upload, user) is None
    assert learnt(make_upload(elsewhere, user, content=lines()), user)


def test_nothing_is_learnt_from_what_was_broken_off_or_told_no_tokens(
    project: Project, upload: Upload, user: User
) -> None:
    cancelled = make_batch(project, upload=upload)
    cancelled.provider_batches.update(status="cancelled")
    finish(cancelled, [answer_line(1)])
    failed = finish(make_batch(project, upload=upload), [], [error_line(n) for n in (1, 2, 3)])
    silent = finish(
        make_batch(project, upload=upload),
        [answer_line(n).replace(b'"usage"', b'"other"') for n in (1, 2, 3)],
    )

    assert (failed.status, silent.status) == (Batch.Status.FAILED, Batch.Status.COMPLETED)
    assert learnt(upload, user) is None


def test_answers_without_a_token_count_do_not_make_the_others_shorter(
    project: Project, upload: Upload, user: User
) -> None:
    answers = [answer_line(n, tokens=(10, 50)) for n in (1, 2)]
    finish(
        make_batch(project, upload=upload),
        [*answers, answer_line(3).replace(b'"usage"', b'"other"')],
    )

    history = learnt(upload, user)

    assert history
    assert (history.answers, history.expected) == (2, 50)


def test_only_the_newest_fifty_are_learnt_from_in_one_query(
    project: Project, upload: Upload, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = run(project, 1)
    model_cost = first.model_costs.get()
    for number in range(50):
        batch = make_batch(project, user, upload=upload)
        ModelCost.objects.filter(batch=batch).update(
            answers=3,
            output_tokens=30 + 3 * number,
            measured_at=timezone.now() + timedelta(microseconds=number) - timedelta(minutes=1),
            shape=model_cost.shape,
        )
    ModelCost.objects.filter(pk=model_cost.pk).update(
        measured_at=timezone.now() - timedelta(days=1)
    )

    with django_assert_num_queries(1):
        history = learnt(upload, user)

    assert history
    assert history.runs == 50
    assert history.low == 14
    assert history.expected == Decimal("34.5")


def test_a_file_of_many_models_takes_no_more_queries(
    project: Project, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    requests = [request_line(number, model=f"m{number}") for number in range(40)]
    upload = make_upload(project, user, content="\n".join(requests).encode())
    report = upload.report
    assert report

    with django_assert_num_queries(2):  # in the project, and elsewhere as it has none
        price_quotes.histories_for(report, project, user, timezone.now())


def test_an_order_keeps_the_estimate_and_the_prices_as_they_were_seen(
    project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=lines() + b"\n")  # not the bytes of the others
    run(project, 20)
    seen = timezone.now()
    run(project, 90)
    price = project.connection.prices.get(model=MODEL, window="24h")
    realtime = project.connection.prices.get(model=MODEL, window="realtime")

    batch = place_order.place_order(
        project,
        user,
        upload,
        make_batch(project).key,
        window="24h",
        submission=make_batch(project).pk,
        shown_at=seen,
    )

    model_cost = batch.model_costs.get()
    assert model_cost.basis == "from 1 past run, 3 requests"
    assert model_cost.estimated_output_tokens == 60
    assert (
        model_cost.estimated_low_usd
        < model_cost.estimated_cost_usd
        < model_cost.estimated_ceiling_usd
    )
    frozen = model_cost.unit_price
    assert (frozen.row, frozen.since) == (price.pk, price.effective_from)
    assert model_cost.realtime_price.row == realtime.pk
    assert model_cost.unbounded_requests == 0
    assert model_cost.shape


def test_a_price_that_is_unknown_leaves_no_trace_of_a_row(project: Project, user: User) -> None:
    project.connection.prices.all().delete()

    model_cost = make_batch(project, user).model_costs.get()

    assert model_cost.unit_price is model_cost.realtime_price is None
    assert model_cost.estimated_low_usd is None
    assert model_cost.basis


def test_estimates_are_compared_by_project_and_model_in_money(
    project: Project, upload: Upload
) -> None:
    finish(make_batch(project, upload=upload))
    ModelCost.objects.update(
        estimated_cost_usd=Decimal("0.40"),
        cost_usd=Decimal("0.50"),
        estimated_low_usd=Decimal("0.30"),
        estimated_ceiling_usd=Decimal("0.45"),
    )
    finish(make_batch(project, upload=upload))
    ModelCost.objects.filter(estimated_low_usd__lt=Decimal("0.1")).update(
        estimated_cost_usd=Decimal("0.60"), cost_usd=Decimal("0.50")
    )
    model_costs = estimate_accuracy.comparable_model_costs(
        make_administrator(), timezone.now() - timedelta(days=1)
    )

    (line,) = estimate_accuracy.by_project_and_model(model_costs)

    assert (line.project, line.model, line.batches) == (project.name, MODEL, 2)
    assert (line.estimated_usd, line.cost_usd) == (Decimal("1.00"), Decimal("1.00"))
    assert sorted(estimate_accuracy.percentages(model_costs)) == [
        pytest.approx(Decimal("83.33"), abs=Decimal("0.01")),
        Decimal(125),
    ]
    assert estimate_accuracy.count_inside(model_costs, [line]) == (2, line.inside)
    (total,) = estimate_accuracy.by_model([line, line])
    assert (total.model, total.batches, total.cost_usd) == (MODEL, 4, Decimal("2.00"))


def test_of_what_failed_the_estimate_does_not_count(project: Project) -> None:
    finish(make_batch(project), [answer_line(1), answer_line(2)], [error_line(3)])
    ModelCost.objects.update(
        estimated_low_usd=Decimal("0.45"),
        estimated_cost_usd=Decimal("0.60000001"),
        estimated_ceiling_usd=Decimal("0.75"),
        cost_usd=Decimal("0.50"),
    )

    (line,) = estimate_accuracy.by_project_and_model(
        estimate_accuracy.comparable_model_costs(
            make_administrator(), timezone.now() - timedelta(days=1)
        )
    )

    assert (line.estimated_usd, line.inside) == (Decimal("0.40"), 1)
    assert (line.low_usd, line.high_usd) == (Decimal("0.30"), Decimal("0.50"))


def test_an_estimate_of_any_size_is_shared_out(project: Project) -> None:
    finish(make_batch(project), [answer_line(1)], [error_line(2), error_line(3)])
    most = Decimal(10**9)
    ModelCost.objects.update(requests=2_000_000_000, answers=1_000_000_000)
    ModelCost.objects.update(estimated_cost_usd=most, cost_usd=most)

    (line,) = estimate_accuracy.by_project_and_model(
        estimate_accuracy.comparable_model_costs(
            make_administrator(), timezone.now() - timedelta(days=1)
        )
    )

    assert line.estimated_usd == most / 2


def test_what_has_no_answer_or_was_not_paid_for_is_not_compared(project: Project) -> None:
    finish(make_batch(project), [], [error_line(number) for number in (1, 2, 3)])
    finish(make_batch(make_project(connection=make_connection(is_sandbox=True))))

    assert not estimate_accuracy.comparable_model_costs(
        make_administrator(), timezone.now() - timedelta(days=1)
    ).exists()


@pytest.mark.parametrize(
    ("today", "first"),
    [("2026-11-28", "2025-12-01"), ("2026-12-31", "2026-01-01"), ("2026-01-01", "2025-02-01")],
)
def test_the_accuracy_is_about_twelve_months(today: str, first: str) -> None:
    assert estimate_accuracy.first_day(date.fromisoformat(today)) == date.fromisoformat(first)
