"""A prepared query finds what the queryset finds, and asks the database alike."""

import threading

import pytest
from django.db import connection
from django.db.models import Count, Min, QuerySet
from django.test.utils import CaptureQueriesContext

from batchapp.models import Batch, Project
from batchapp.models.prepared_query import Parameter, PreparedQuery
from tests.make import make_batch, make_project

pytestmark = pytest.mark.django_db

PROJECT = Parameter("project", Project._meta.pk)


def batches_of(project: object) -> QuerySet[Batch]:
    rows = Batch.objects.filter(project=project).select_related("project__connection", "parent")
    return rows.annotate(parts=Count("provider_batches"), first=Min("provider_batches__number"))


def test_rows_have_their_columns_annotations_and_related_rows() -> None:
    project, other = make_project(), make_project()
    for each in (project, project, other):
        make_batch(each, metadata={"job": "größe"})
    query = PreparedQuery(lambda: batches_of(PROJECT).order_by("created_at"))

    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = query.all(project=project.pk)
        shown = [(row.project.connection.base_url, row.parent) for row in found]

    expected = list(batches_of(project.pk).order_by("created_at"))
    assert len(asked) == 1
    assert found == expected
    assert [vars(row).keys() for row in found] == [vars(row).keys() for row in expected]
    for row, same in zip(found, expected, strict=True):
        assert {field.attname: getattr(row, field.attname) for field in Batch._meta.fields} == {
            field.attname: getattr(same, field.attname) for field in Batch._meta.fields
        }
        assert (row.parts, row.first) == (same.parts, same.first)  # type: ignore[attr-defined]
    assert shown == [(project.connection.base_url, None)] * 2
    assert [row.project for row in query.all(project=other.pk)] == [other]


def test_columns_that_were_not_asked_for_are_read_when_they_are_needed() -> None:
    batch = make_batch()
    query = PreparedQuery(lambda: Batch.objects.filter(project=PROJECT).only("name"))

    found = query.first(project=batch.project_id)

    assert found is not None
    assert found.get_deferred_fields() >= {"status", "window"}
    assert found.status == batch.status


def test_a_call_must_name_every_parameter_and_may_find_nothing() -> None:
    query = PreparedQuery(lambda: batches_of(PROJECT))

    assert query.first(project=make_project().pk) is None
    with pytest.raises(KeyError, match="project"):
        query.all()


def test_the_sql_is_put_together_once_in_each_thread() -> None:
    built: list[int] = []

    def build() -> QuerySet[Batch]:
        built.append(threading.get_ident())
        return batches_of(PROJECT)

    query, project = PreparedQuery(build), make_project()
    for _ in range(3):
        query.all(project=project.pk)

    assert built == [threading.get_ident()]
