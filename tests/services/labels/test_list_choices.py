"""What a list of batches can be filtered by."""

import pytest
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Project, User
from batchapp.services.labels.list_choices import ListChoices, list_choices
from tests.make import make_batch, make_portal_key, make_project, make_service_key, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_one_query_reads_the_people_and_the_keys_that_may_order(
    project: Project, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_batch(project, user)
    weekly = make_portal_key(user, project, name="weekly", scope="submit").key
    server = make_service_key(project, scope="submit", name="Server").key
    make_portal_key(user, project, name="Dashboard", scope="read")
    other = make_user()
    make_portal_key(other, make_project(other), scope="submit")

    with django_assert_num_queries(1):
        choices = list_choices([project])

    assert choices.people == [(str(user.pk), str(user))]
    assert choices.tags == []
    assert choices.portal_keys == [
        (str(server.pk), "Server (service key)"),
        (str(weekly.pk), f"weekly ({user})"),
    ]
    assert list_choices([]) == ListChoices()
