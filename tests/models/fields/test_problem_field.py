"""A problem is stored as its code and its data."""

import pytest

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Project, Upload, User
from tests.make import make_upload

PROBLEM = Problem(ProblemCode.FILE_UNREADABLE, {"reason": "No disk"})


@pytest.mark.django_db
def test_a_problem_comes_back_as_it_was_stored_and_is_found_by_its_code(
    project: Project, user: User
) -> None:
    upload = make_upload(project, user, is_checked=False)
    assert upload.problem is None

    Upload.objects.filter(pk=upload.pk).update(problem=PROBLEM)

    upload.refresh_from_db()
    assert upload.problem == PROBLEM
    assert Upload.objects.filter(problem__code="file_unreadable").get() == upload
    assert list(Upload.objects.values_list("problem__code", flat=True)) == ["file_unreadable"]


@pytest.mark.django_db
def test_a_row_without_a_problem_is_found(project: Project, user: User) -> None:
    upload = make_upload(project, user, is_checked=False)
    upload.problem = PROBLEM
    upload.save()
    assert not Upload.objects.filter(problem__isnull=True).exists()

    Upload.objects.update(problem=None)

    assert Upload.objects.filter(problem__isnull=True).get() == upload
