"""Lists of batches, and the page where people arrive."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, ProviderBatch, User
from tests.html import fragment_of, page_of
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_project,
    set_state,
)
from tests.sentences import problem

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
TROUBLE = "The account has no credits left. Add credits there, then try again."


@pytest.fixture
def stuck(project: Project, user: User) -> Batch:
    batch = make_batch(project, user, name="Stuck")
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        problem=problem(TROUBLE),
        next_check_at=None,
    )
    return batch


def test_filters_narrow_the_list_and_stay_in_the_address(
    browser: Client, project: Project, user: User, stuck: Batch
) -> None:
    make_batch(make_project(user, slug="other"), user, name="Elsewhere")
    finish(make_batch(project, user, name="Clean"))
    finish(make_batch(project, user, name="Torn"), output=[answer_line(1)], errors=[error_line(2)])
    everything = {"Stuck", "Elsewhere", "Clean", "Torn"}

    def shown(**query: str) -> set[str]:
        page = page_of(browser, "/batches/", **query)
        return everything & set(page.links)

    assert shown() == everything
    assert shown(project="other") == {"Elsewhere"}
    assert shown(status="active") == {"Stuck", "Elsewhere"}
    assert shown(status="needs_attention") == {"Stuck"}
    assert shown(status="completed") == {"Clean"}
    assert shown(status="with_errors") == {"Torn"}
    assert shown(q="tor") == {"Torn"}
    assert shown(status="nonsense") == set()
    assert shown(q="\0") == set()


def test_a_project_lists_its_own_batches_only(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, name="Ours")
    make_batch(make_project(user), user, name="Elsewhere")

    page = page_of(browser, "/projects/support/batches/")

    assert "Ours" in page.text
    assert "Elsewhere" not in page.html


def test_a_list_polls_only_while_something_moves(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    assert 'hx-trigger="every' in fragment_of(browser, "/batches/").html

    finish(batch)
    assert 'hx-trigger="every' not in fragment_of(browser, "/batches/").html


@pytest.mark.parametrize(
    "url", ["/", "/batches/", "/projects/support/batches/", "/projects/support/", "/projects/"]
)
def test_lists_take_as_many_queries_for_many_batches_as_for_few(
    browser: Client,
    project: Project,
    user: User,
    url: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    def queries() -> int:
        # Costs of this month, of the one before and of each day are of single requests as well.
        with django_assert_max_num_queries(
            {"/": 19, "/projects/support/": 19}.get(url, 13)
        ) as seen:
            browser.get(url)
        return len(seen)

    make_batch(project, user)
    finish(make_batch(project, user))
    browser.get(url)  # the first page of a session reads and writes more
    few = queries()
    for _ in range(3):
        make_batch(project, user)
        finish(make_batch(project, user))

    assert queries() == few


def test_the_home_page_puts_what_waits_for_people_first(
    browser: Client, project: Project, user: User, stuck: Batch
) -> None:
    make_batch(project, user, name="Moving")
    finish(make_batch(project, user, name="Over"))

    page = page_of(browser, "/")

    headings = page.texts("main .flush h2")
    assert headings == ["Needs attention", "Under way", "Recently finished"]
    assert "<html" not in fragment_of(browser, "/").html
