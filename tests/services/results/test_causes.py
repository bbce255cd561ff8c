"""Why requests of a batch have no good answer."""

from collections import Counter

import pytest

from batchapp.access import NotAllowed
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import Ending
from batchapp.models import Batch, Project, User
from batchapp.services.results import browse, causes
from batchapp.services.results.causes import Cause, list_causes
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_upload,
    make_user,
    request_file,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of six requests: one good, one without a result, four failed."""
    batch = make_batch(upload=make_upload(project, user, content=request_file(6)))
    errors = [error_line(number, "overloaded") for number in (2, 3)]
    finish(batch, [answer_line(1)], [*errors, error_line(4, "broken"), error_line(5, "broken")])
    batch.results.filter(line=5).update(status_code=400, outcome="http_error")
    return batch


def count_outcomes(batch: Batch) -> "Counter[Outcome]":
    return Counter(browse.count_outcomes(batch, with_retries=False))


def test_causes_are_told_apart_by_message_and_the_most_frequent_comes_first(
    batch: Batch, user: User
) -> None:
    found = list_causes(batch, user, count_outcomes(batch))

    assert found[0] == Cause(Ending.PROVIDER_ERROR, Outcome.PROVIDER_ERROR, "overloaded", 2)
    assert set(found[1:]) == {
        Cause(Ending.PROVIDER_ERROR, Outcome.PROVIDER_ERROR, "broken", 1),
        Cause(Ending.LASTING, Outcome.HTTP_ERROR, "broken", 1),
        Cause(Ending.MISSING, Outcome.MISSING, "", 1),
    }


def test_messages_that_differ_in_ids_and_numbers_are_one_reason(batch: Batch, user: User) -> None:
    for result in batch.results.filter(line__in=(2, 3, 4)):
        message = f"request 7f3a9c{result.line}1 timed out after {600 + result.line} s"
        batch.results.filter(pk=result.pk).update(error_message=message)

    (first, *_) = list_causes(batch, user, count_outcomes(batch))

    assert first.number == 3
    assert first.reason.startswith("request 7f3a9c")


def test_what_a_retry_has_answered_needs_no_look(batch: Batch, user: User) -> None:
    answered = batch.results.get(line=1)
    batch.results.filter(line__in=(2, 3, 4, 5)).update(retried=answered)

    found = list_causes(batch, user, count_outcomes(batch))

    assert found == [Cause(Ending.MISSING, Outcome.MISSING, "", 1)]


def test_of_very_many_results_each_outcome_is_a_cause_with_its_most_common_message(
    batch: Batch, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causes, "MAX_WITH_MESSAGES", 4)

    found = list_causes(batch, user, count_outcomes(batch))

    assert found[0] == Cause(Ending.PROVIDER_ERROR, Outcome.PROVIDER_ERROR, "overloaded", 3)
    assert set(found[1:]) == {
        Cause(Ending.HTTP_ERROR, Outcome.HTTP_ERROR, "broken", 1),
        Cause(Ending.MISSING, Outcome.MISSING, "", 1),
    }

    make_batch(parent=batch)
    batch.results.filter(line=2).update(retried=batch.results.get(line=1))
    again = list_causes(batch, user, count_outcomes(batch))
    assert sum(cause.number for cause in again) == 4


def test_a_batch_without_a_failure_is_not_searched_for_causes(
    project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))

    assert list_causes(batch, user, count_outcomes(batch)) == []


def test_outsiders_are_told_nothing(batch: Batch) -> None:
    with pytest.raises(NotAllowed):
        list_causes(batch, make_user("outsider@example.com"), count_outcomes(batch))
