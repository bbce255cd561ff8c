"""Going anywhere by name, and never to what is another team's."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Project, ProviderBatch, User
from batchapp.pipeline.states import ATTENTION, COMPLETED
from tests.html import fragment_of
from tests.make import (
    finish,
    make_administrator,
    make_batch,
    make_project,
    make_upload,
    make_user,
    set_state,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def listed(browser: Client, text: str = "", *, is_fragment: bool = True) -> str:
    headers = {"HX-Request": "true"} if is_fragment else {}
    response = browser.get("/palette/", {"q": text}, headers=headers)

    assert response.status_code == 200
    return response.content.decode()


def test_it_finds_pages_projects_batches_and_files_by_name(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, name="tickets.jsonl")
    batch = make_batch(project, user, upload=upload, name="Ticket labels")

    html = listed(browser, "TICKET")

    for url in (project.get_absolute_url(), batch.get_absolute_url(), upload.get_absolute_url()):
        assert f'href="{url}"' in html
    assert 'href="/profile/"' not in html
    assert 'href="/profile/"' in listed(browser, "keys")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("API", "/v1/reference"),
        ("api key", "/profile/portal-keys/"),
        ("portal key", "/profile/portal-keys/"),
        ("script", "/guide/clients/"),
        ("OpenAI", "/guide/clients/#with-openais-clients"),
        ("curl", "/guide/clients/#with-curl"),
        ("budget", "/guide/budgets/"),
    ],
)
def test_who_comes_to_write_a_script_finds_the_pages_for_it(
    browser: Client, text: str, url: str
) -> None:
    assert f'href="{url}"' in listed(browser, text)


def test_nothing_of_other_teams_is_in_it(browser: Client) -> None:
    theirs = make_project(make_user(), name="Secret project")
    upload = make_upload(theirs, name="secret.jsonl")
    make_batch(theirs, upload=upload, name="Secret batch")

    for text in ("", "secret", "e"):
        for is_fragment in (True, False):
            html = listed(browser, text, is_fragment=is_fragment)
            assert "Secret project" not in html
            assert "secret.jsonl" not in html
            assert "Secret batch" not in html


def test_a_superuser_without_a_membership_finds_no_more(client: Client) -> None:
    make_project(make_user(), name="Secret project")
    client.force_login(make_administrator())

    assert "Secret project" not in listed(client)
    assert 'href="/report/"' in listed(client, "report")


def test_pages_for_staff_are_offered_to_staff_alone(browser: Client) -> None:
    assert "/report/" not in listed(browser, "report")
    assert "/admin/" not in listed(browser, "admin")


def test_five_of_each_the_newest_first(browser: Client, project: Project, user: User) -> None:
    upload = make_upload(project, user)
    for number in range(1, 8):
        make_batch(project, user, upload=upload, name=f"Run {number}")

    html = listed(browser, "run")

    assert [n for n in range(1, 8) if f"</b> {n}" in html] == [3, 4, 5, 6, 7]
    assert html.index("</b> 7") < html.index("</b> 3")


def test_it_asks_the_database_once_for_each_kind(
    browser: Client,
    project: Project,
    user: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(6):
        upload = make_upload(make_project(user), user, name=f"{number}.jsonl")
        make_batch(upload=upload, user=user)

    with django_assert_num_queries(7):  # session, person, roles, projects, batches, states, files
        listed(browser)


def test_a_batch_has_the_icon_of_its_state_and_says_the_state(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user)
    finish(make_batch(project, user, upload=upload, name="Done"))
    stuck = make_batch(project, user, upload=upload, name="Stuck")
    set_state(stuck, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    page = fragment_of(browser, "/palette/")

    for name, state in [("Done", COMPLETED), ("Stuck", ATTENTION)]:
        (entry,) = (each for each in page.all("a") if each.text.startswith(name))
        assert f"{name} {state.label}" in entry.text
        assert entry.one(".icon use")["href"].endswith(f"#{state.icon}")


def test_a_project_has_its_mark_also_beside_its_batches_and_files(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, upload=make_upload(project, user))

    marks = fragment_of(browser, "/palette/").all(".initials")

    assert len(marks) == 3
    assert len({(mark["data-initials"], mark["data-colour"]) for mark in marks}) == 1


def test_without_a_script_it_is_a_page_with_a_form(browser: Client, project: Project) -> None:
    html = listed(browser, "support", is_fragment=False)

    assert "<h1>Search</h1>" in html
    assert 'value="support"' in html
    assert f'href="{project.get_absolute_url()}"' in html
    assert 'role="option"' not in html
    assert "Next and previous row" in html


def test_in_the_dialog_it_is_a_list_of_options(browser: Client, project: Project) -> None:
    html = listed(browser, "support")

    assert "<html" not in html
    assert 'role="listbox"' in html
    assert html.count('role="option"') == 1


@pytest.mark.parametrize("text", ["no such name", "\0", "x" * 201, "%", "<script>"])
def test_what_nothing_is_called_finds_nothing(
    browser: Client, project: Project, text: str
) -> None:
    html = listed(browser, text)

    assert "Nothing that you may see has this name." in html
    assert "<script>" not in html
