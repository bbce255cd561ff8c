"""The page of a batch that its provider has as several."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batchapp.models import Batch, Project, ProviderBatch, User
from batchapp.services.lifecycle import prepare
from tests.fixtures import Clock
from tests.make import make_batch, make_upload, request_file
from tests.sentences import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Five requests in three parts."""
    project.connection.max_requests = 2
    project.connection.save()
    made = make_batch(project, user, upload=make_upload(project, user, content=request_file(5)))
    prepare.prepare(made.provider_batches.get())
    return made


def words(browser: Client, batch: Batch) -> str:
    html = browser.get(batch.get_absolute_url()).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize(
    "status", [ProviderBatch.Status.WAITING, ProviderBatch.Status.RETRYING_IN_PLACE]
)
@pytest.mark.parametrize(("failures", "tone"), [(0, "info"), (2, "warn")])
def test_to_wait_for_a_place_is_no_warning(
    browser: Client, batch: Batch, status: str, failures: int, tone: str
) -> None:
    set_number(batch, 2, status=status, problem=problem("In line."), failures=failures)

    html = browser.get(batch.get_absolute_url()).content.decode()

    note = re.search(
        r'class="note (\w+)"\s+role="status"\s*>(?:(?!</div>).)*In line', html, re.DOTALL
    )
    assert note
    assert note[1] == tone


def set_number(batch: Batch, number: int, **fields: object) -> None:
    batch.provider_batches.filter(number=number).update(**fields)


def test_each_part_has_a_row_with_where_it_is(browser: Client, batch: Batch) -> None:
    set_number(
        batch,
        1,
        status=ProviderBatch.Status.RUNNING,
        remote_id="b-1",
        completed=1,
        failed=1,
        expires_at=timezone.now(),
        submitted_at=timezone.now(),
        polled_at=timezone.now(),
    )
    set_number(
        batch, 2, status=ProviderBatch.Status.WAITING, problem=problem("Waiting for a free slot.")
    )

    said = words(browser, batch)

    assert "3 provider batches The file is more than" in said
    assert re.search(r"1 Running at the provider b-1 .* 2 of 2 1 failed", said)
    assert re.search(
        r"2 Waiting to submit Waiting for a free slot. not submitted yet . 0 of 2 0 failed", said
    )
    assert re.search(r"3 Preparing not submitted yet . 0 of 1 0 failed", said)
    assert "Its batch id" not in said


def test_a_batch_of_one_part_is_told_as_before(
    browser: Client, project: Project, user: User
) -> None:
    said = words(browser, make_batch(project, user))

    assert "At the provider Preparing Its batch id not submitted yet" in said
    assert "provider batches" not in said


def test_parts_that_wait_for_the_same_say_so_once_and_what_a_person_must_do_is_last(
    browser: Client, batch: Batch
) -> None:
    for number, place in [(1, "None is"), (2, "1 is")]:
        set_number(
            batch,
            number,
            status=ProviderBatch.Status.WAITING,
            problem=problem(f"Queued: {place} before."),
        )
    set_number(
        batch,
        3,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        problem=problem("Add credits."),
    )

    html = browser.get(batch.get_absolute_url()).content.decode()

    assert html.count('role="alert"') == 2
    notes = re.findall(r"<h2>([^<]+)</h2>", html.partition('id="next"')[0])
    assert notes[:2] == ["Queued: None is before.", "Add credits."]


def test_what_is_tried_again_says_when(browser: Client, batch: Batch, clock: Clock) -> None:
    clock.stop()
    later = timezone.now() + timedelta(minutes=3)
    set_number(
        batch,
        1,
        status=ProviderBatch.Status.WAITING,
        problem=problem("No room."),
        failures=1,
        next_check_at=later,
    )

    assert "No room. Next try in 3 minutes." in words(browser, batch)


def test_its_page_needs_no_more_queries_for_more_parts(
    browser: Client, project: Project, user: User, batch: Batch
) -> None:
    whole = make_batch(project, user)
    with CaptureQueriesContext(connection) as for_one:
        browser.get(whole.get_absolute_url())

    with CaptureQueriesContext(connection) as for_three:
        browser.get(batch.get_absolute_url())

    assert len(for_three) == len(for_one)
