"""Filters of the list of batches that people save, share, change and delete."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.batch_labels import Labels
from batchapp.models import Batch, Membership, Project, SavedView, User
from batchapp.services.labels import batch_labels
from batchapp.services.saved_views import saved_views
from tests.html import Page, page_of
from tests.make import OWNER, VIEWER, join, make_batch, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LIST = "/projects/support/batches/"


def save(client: Client, url: str, name: str, **fields: str) -> Page:
    """Save the filter of the list at ``url`` by its own button."""
    dialog = page_of(client, page_of(client, url).one("#save-view")["href"])
    form = dialog.one("form.card")
    return Page(client.post(form["action"], {"name": name, **fields}, follow=True))


def chips(page: Page) -> list[str]:
    return page.texts(".views .chip")


@pytest.fixture
def viewer(project: Project) -> Client:
    client = Client()
    client.force_login(join(make_user(), project, VIEWER))
    return client


@pytest.fixture
def owner(project: Project) -> Client:
    client = Client()
    client.force_login(join(make_user(), project, OWNER))
    return client


def test_a_filter_is_saved_marked_and_opened(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, name="Wanted")
    make_batch(project, user, name="Other")
    assert not page_of(browser, "/batches/").all(".views")

    saved = save(browser, "/batches/?q=want&sort=name", "  Mine  only ")

    assert chips(saved) == ["Mine only"]
    assert saved.one(".views [aria-current]").text == "Mine only"
    assert saved.texts("a[id^=batch-]") == ["Wanted"]
    assert not saved.all("#save-view")
    assert page_of(browser, "/batches/?q=want&sort=name").all(".views [aria-current]")
    assert not page_of(browser, "/batches/").all(".views [aria-current]")
    assert not page_of(browser, LIST).all(".views")  # a view of all batches is of that list


def test_a_view_with_another_filter_is_changed_and_can_be_updated(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user)
    save(browser, f"{LIST}?q=a", "Mine")
    view = SavedView.objects.get()

    page = page_of(browser, f"{LIST}?q=b&status=active&view={view.pk}")
    assert chips(page) == ["Mine changed"]
    form = page_of(browser, page.one("#edit-view")["href"]).one("form.card")
    assert "checked" in form.one("input[name=with_filter]")
    browser.post(form["action"], {"name": "Renamed", "with_filter": "on"})
    view.refresh_from_db()
    assert (view.name, view.filter_values) == ("Renamed", {"q": "b", "status": "active"})

    page = page_of(browser, view.get_absolute_url())
    dialog = page_of(browser, page.one("#delete-view")["href"])
    assert "Delete the view “Renamed”?" in dialog.text
    assert SavedView.objects.exists()
    after = Page(browser.post(dialog.one("form.card")["action"], follow=True))
    assert "The view Renamed is deleted. No batch changed." in after.text
    assert not SavedView.objects.exists()
    assert Batch.objects.count() == 1


def test_a_shared_view_is_seen_by_the_project_and_changed_by_its_maker_and_owners(
    browser: Client, viewer: Client, owner: Client, project: Project, user: User
) -> None:
    make_batch(project, user)
    save(browser, f"{LIST}?q=own", "Own")
    save(browser, f"{LIST}?q=all", "Shared", is_shared="on")
    view = SavedView.objects.get(name="Shared")
    colleague = Client()
    colleague.force_login(join(make_user(), project))

    assert chips(page_of(browser, LIST)) == ["Own", "Shared"]
    for client in (viewer, owner, colleague):
        assert chips(page_of(client, LIST)) == ["Shared"]
    for client, status in ((viewer, 403), (colleague, 403), (owner, 200), (browser, 200)):
        page = page_of(client, view.get_absolute_url())
        assert bool(page.all("#edit-view")) == (status == 200)
        assert client.get(f"/saved-views/{view.pk}/edit/").status_code == status
        assert client.get(f"/saved-views/{view.pk}/delete/").status_code == status
    own = SavedView.objects.get(name="Own")
    for client in (viewer, owner, colleague):
        assert client.get(f"/saved-views/{own.pk}/edit/").status_code == 404


def test_a_viewer_saves_views_but_shares_none(
    viewer: Client, project: Project, user: User
) -> None:
    make_batch(project, user)

    save(viewer, f"{LIST}?q=x", "Mine", is_shared="on")

    view = SavedView.objects.get()
    assert not view.is_shared
    viewer.post(f"/saved-views/{view.pk}/edit/", {"name": "Mine", "is_shared": "on"})
    view.refresh_from_db()
    assert not view.is_shared


def test_who_left_the_project_sees_its_views_no_more(
    browser: Client, owner: Client, project: Project, user: User
) -> None:
    save(browser, f"{LIST}?q=x", "Shared", is_shared="on")
    save(browser, "/batches/?project=support", "Of support")
    save(browser, f"{LIST}?q=y", "Own")
    make_project(user, slug="other")
    Membership.objects.filter(user=user, project=project).delete()

    page = page_of(browser, "/batches/")
    assert chips(page) == ["Of support"]
    for view in SavedView.objects.filter(project=project):
        assert browser.get(f"/saved-views/{view.pk}/edit/").status_code == 404
    opened = page_of(browser, page.links["Of support"])
    assert "There is no such project" in opened.text
    assert "asks for something that is not here any more" in opened.text
    assert chips(page_of(owner, LIST)) == ["Shared"]


def test_a_view_of_a_tag_that_is_gone_opens_with_a_sentence(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    batch_labels.set_labels(batch, user, Labels(("late",)))
    save(browser, f"{LIST}?tag=late", "Late ones")
    batch_labels.set_labels(batch, user, Labels())

    page = page_of(browser, SavedView.objects.get().get_absolute_url())

    assert "No batch here has this tag any more" in page.text
    assert "The view Late ones asks for something that is not here any more" in page.text
    assert page.all("#delete-view")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Give the view a name."),
        ("x" * 41, "at most 40 characters"),
        ("a\u202eb", "invisible characters"),
        ("a\x00b", "Null characters"),
    ],
)
def test_a_name_that_cannot_be_one_is_answered_with_a_sentence(
    browser: Client, project: Project, user: User, name: str, says: str
) -> None:
    make_batch(project, user)

    assert says in save(browser, "/batches/?q=x", name).text
    assert not SavedView.objects.exists()


def test_names_are_text_and_each_is_used_once(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user)
    for url in ("/batches/?q=x", f"{LIST}?q=x"):
        save(browser, url, "<script>alert(1)</script>")
        page = page_of(browser, url.partition("?")[0])
        assert chips(page) == ["<script>alert(1)</script>"]
        assert "<script>alert" not in page.html
        again = save(browser, url.replace("=x", "=y"), "<script>alert(1)</script>")
        assert "There is a view called" in again.text
    assert SavedView.objects.count() == 2


def test_there_is_an_end_to_the_views_of_a_person(user: User, project: Project) -> None:
    for number in range(saved_views.MAX_VIEWS):
        saved_views.save_view(user, project, f"View {number}", {"q": "x"})

    with pytest.raises(saved_views.Refused) as refused:
        saved_views.save_view(user, project, "One more", {"q": "x"})

    assert refused.value.data == {"limit": saved_views.MAX_VIEWS}


def test_without_a_filter_there_is_nothing_to_save(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user)

    page = page_of(browser, "/saved-views/add/")

    assert "Choose a filter first" in page.text
    assert browser.get("/saved-views/add/?of=not-mine&q=x").status_code == 404
    junk = "/batches/?view=nonsense&q=" + "x" * 5000
    assert browser.get(junk).status_code == 200


def test_views_take_one_query(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_batch(project, user)
    browser.get(LIST)
    with django_assert_max_num_queries(12) as few:
        browser.get(LIST)
    for number in range(10):
        saved_views.save_view(user, project, f"View {number}", {"q": "x"}, is_shared=True)

    with django_assert_max_num_queries(len(few)):
        browser.get(LIST)


def test_a_view_that_was_deleted_meanwhile_stays_deleted(project: Project, user: User) -> None:
    view = saved_views.save_view(user, project, "Mine", {"q": "x"})
    seen_before = SavedView.objects.get(pk=view.pk)
    saved_views.delete_view(view, user)

    saved_views.change_view(seen_before, user, "Again", is_shared=False)

    assert not SavedView.objects.exists()
