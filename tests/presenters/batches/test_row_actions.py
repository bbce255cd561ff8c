"""The menu of a row offers what the person may do and what the state allows, and nothing else."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, User
from batchapp.presenters.batches.batch_summary import summarise, with_details
from batchapp.presenters.batches.row_actions import row_actions
from tests.html import page_of
from tests.make import VIEWER, answer_line, error_line, finish, join, make_batch, make_user

pytestmark = pytest.mark.django_db


def labels(batch: Batch, *, can_write: bool = True) -> list[str]:
    row = with_details(Batch.objects.all()).get(pk=batch.pk)
    return [action.label for action in row_actions(summarise(row), can_write=can_write)]


def test_each_state_has_its_own_menu(project: Project, user: User) -> None:
    running = make_batch(project, user)
    good = finish(make_batch(project, user))
    bad = finish(make_batch(project, user), [answer_line(1)], [error_line(2)])

    assert labels(running) == ["Open", "Tags…", "Cancel…"]
    assert labels(good) == ["Open", "Results", "Tags…", "Run the file again"]
    assert labels(bad) == ["Open", "Results", "Retry…", "Tags…", "Run the file again"]
    for batch in (good, bad):
        assert labels(batch, can_write=False) == ["Open", "Results"]
    assert labels(running, can_write=False) == ["Open"]
    Batch.objects.update(purged_at=timezone.now(), cancel_requested_at=timezone.now())
    assert labels(running) == labels(bad) == ["Open", "Tags…"]


def test_every_address_of_a_menu_opens_for_the_person_who_is_offered_it(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user)
    finish(make_batch(project, user), [answer_line(1)], [error_line(2)])
    viewer = Client()
    viewer.force_login(join(make_user(), project, VIEWER))

    for client in (browser, viewer):
        menus = page_of(client, "/batches/").all("tbody details.more")
        assert len(menus) == 2
        for url in (url for menu in menus for url in menu.links.values()):
            assert client.get(url, follow=True).status_code == 200, url


def test_menus_take_no_query(
    project: Project, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    finish(make_batch(project, user), [answer_line(1)], [error_line(2)])
    summary = summarise(with_details(Batch.objects.all()).get())

    with django_assert_num_queries(0):
        row_actions(summary, can_write=True)
