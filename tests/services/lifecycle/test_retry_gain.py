"""A retry is compared with the batch that it retries."""

from collections.abc import Sequence

import pytest

from batchapp.models import Batch, Project, User
from tests.make import answer_line, error_line, finish, make_batch, make_upload, request_file

pytestmark = pytest.mark.django_db


def cut_line(number: int) -> bytes:
    return answer_line(number).replace(b'"stop"', b'"length"')


def retry(project: Project, user: User, output: Sequence[bytes], errors: Sequence[bytes]) -> Batch:
    """Return a settled retry of a batch of which one answer was cut short, and two failed."""
    upload = make_upload(project, user, content=request_file(3))
    parent = finish(make_batch(upload=upload), [cut_line(1)], [error_line(2), error_line(3)])
    return finish(make_batch(upload=upload, parent=parent), output, errors)


def test_a_better_answer_is_a_gain_and_the_same_error_is_none(
    project: Project, user: User
) -> None:
    batch = retry(project, user, [answer_line(1)], [error_line(2), error_line(3, code="other")])

    assert (batch.improved, batch.repeated) == (1, 1)


def test_an_answer_that_is_cut_short_again_is_no_gain(project: Project, user: User) -> None:
    batch = retry(project, user, [cut_line(1), answer_line(2)], [])

    assert (batch.improved, batch.repeated) == (1, 0)


def test_a_batch_that_is_no_retry_has_no_gain(project: Project, user: User) -> None:
    batch = finish(make_batch(project, user))

    assert (batch.improved, batch.repeated) == (None, None)
    assert batch.usable == batch.succeeded == 3
