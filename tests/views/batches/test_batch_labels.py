"""Tags and cost centres on pages: the order form, the batch, the lists."""

import uuid
from urllib.parse import urlencode

import pytest
from django.test import Client

from batchapp.domain.batch_labels import Labels
from batchapp.models import Batch, Project, Tag, User
from batchapp.services.labels import batch_labels
from tests.html import page_of
from tests.make import (
    OWNER,
    VIEWER,
    join,
    make_batch,
    make_key,
    make_project,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db


def label(batch: Batch, *tags: str, cost_centre: str = "") -> Batch:
    batch_labels.set_labels(batch, batch.created_by, Labels(tags, cost_centre))
    return batch


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    return label(make_batch(project, user, name="Tickets"), "urgent", "north", cost_centre="CC 1")


def test_the_page_of_a_batch_shows_them_and_an_editor_changes_them(
    browser: Client, batch: Batch
) -> None:
    page = page_of(browser, batch.get_absolute_url())
    assert page.one("#tags").links == {
        "north": "/projects/support/batches/?tag=north",
        "urgent": "/projects/support/batches/?tag=urgent",
        "Change…": f"/batches/{batch.pk}/labels/",
    }
    assert page.one("#cost-centre").text == "CC 1"

    form = page_of(browser, f"/batches/{batch.pk}/labels/")
    assert form.one("form.card").values | {"csrfmiddlewaretoken": ""} == {
        "csrfmiddlewaretoken": "",
        "tags": "north, urgent",
        "cost_centre": "CC 1",
    }
    assert "present tags and cost centre, also for what was paid before" in form.text
    browser.post(f"/batches/{batch.pk}/labels/", {"tags": "North, late", "cost_centre": ""})

    assert Batch.objects.get(pk=batch.pk).labels == Labels(("late", "north"), "")
    page = page_of(browser, batch.get_absolute_url())
    assert "Added the tag late. Removed the tag urgent. The cost centre was removed" in page.text


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        (",".join(str(number) for number in range(100_000)), "too long for tags"),
        (",".join(str(number) for number in range(11)), "at most 10 tags, and here are 11"),
        ("x" * 41, "at most 40 characters"),
        ("a\u202eb", "invisible characters"),
    ],
)
def test_what_cannot_be_a_tag_is_answered_with_a_sentence(
    browser: Client, batch: Batch, tags: str, says: str
) -> None:
    response = browser.post(f"/batches/{batch.pk}/labels/", {"tags": tags})

    assert says in response.content.decode()
    assert Batch.objects.get(pk=batch.pk).labels.tags == ("north", "urgent")


def test_markup_in_a_tag_is_text(browser: Client, batch: Batch) -> None:
    label(batch, "<script>alert(1)</script>", '"><img src=x>')

    for url in (batch.get_absolute_url(), "/batches/", f"/batches/{batch.pk}/labels/"):
        html = browser.get(url).content.decode()
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_viewers_see_tags_and_no_way_to_change_them(client: Client, batch: Batch) -> None:
    client.force_login(join(make_user(), batch.project, VIEWER))

    page = page_of(client, batch.get_absolute_url())

    assert list(page.one("#tags").links) == ["north", "urgent"]


def test_a_list_shows_two_tags_and_is_filtered_by_tag_and_by_person(
    browser: Client, batch: Batch, project: Project
) -> None:
    label(batch, "a", "b", "c")
    mia = join(make_user("mia@example.com", first_name="Mia"), project)
    label(make_batch(project, mia, name="Of Mia"), "b")
    label(make_batch(make_project(make_user()), name="Foreign"), "secret")

    page = page_of(browser, "/batches/")
    row = next(row for row in page.all("tbody tr") if "Tickets" in row.text)
    assert row.texts(".tag") == ["a", "b", "+1"]
    assert row.one(".tags")["title"] == "a, b, c"
    assert [option.text for option in page.all("#id_tag option")] == ["Any tag", "a", "b", "c"]
    assert [option.text for option in page.all("#id_person option")] == [
        "Anybody",
        *sorted(["Mia", str(batch.created_by)], key=str.casefold),
    ]

    def names(**query: object) -> list[str]:
        return page_of(browser, f"/batches/?{urlencode(query)}").texts("a[id^=batch-]")

    assert names(tag="a") == ["Tickets"]
    assert sorted(names(tag="b")) == ["Of Mia", "Tickets"]
    assert names(person=mia.pk) == ["Of Mia"]
    assert names(person=mia.pk, tag="a") == []
    assert names(tag="secret") == names(tag="a\x00") == names(person="x" * 5000) == []
    assert "No batch here has this tag any more" in page_of(browser, "/batches/?tag=secret").text


def test_an_order_proposes_and_carries_them_to_the_batch(
    browser: Client, batch: Batch, project: Project, user: User
) -> None:
    Project.objects.update(cost_centre="CC 7")
    key, upload = make_key(project), make_upload(project, user)
    values = {"submission": uuid.uuid4(), "window": "24h", "key": key.pk, "name": "new"}
    window = page_of(browser, f"/files/{upload.pk}/batch/window/?{urlencode(values)}")
    assert [option["value"] for option in window.all("#proposed-tags option")] == [
        "north",
        "urgent",
    ]
    assert window.one("#id_cost_centre")["value"] == "CC 7"

    values |= {"tags": "Week 48, urgent", "cost_centre": "CC 8"}
    review = page_of(browser, f"/files/{upload.pk}/batch/review/?{urlencode(values)}")
    assert "CC 8" in review.text
    sent = review.one('form[action$="/batch/review/"]').values
    browser.post(f"/files/{upload.pk}/batch/review/", sent)

    assert Batch.objects.get(name="new").labels == Labels(("urgent", "week-48"), "CC 8")


def test_a_faulty_tag_in_an_order_leads_back_to_its_field(
    browser: Client, project: Project, user: User
) -> None:
    key, upload = make_key(project), make_upload(project, user)
    values = {"submission": uuid.uuid4(), "window": "24h", "key": key.pk, "tags": "x" * 50}

    page = page_of(browser, f"/files/{upload.pk}/batch/review/?{urlencode(values)}")

    assert "A tag has at most 40 characters" in page.text
    assert page.one("#id_tags")["value"] == "x" * 50
    assert not Tag.objects.exists()


def test_running_the_file_again_takes_them_along(browser: Client, batch: Batch) -> None:
    Batch.objects.update(status=Batch.Status.COMPLETED)

    address = page_of(browser, batch.get_absolute_url()).links["Run the file again"]

    page = page_of(browser, address)
    assert page.one("#id_tags")["value"] == "north, urgent"
    assert page.one("#id_cost_centre")["value"] == "CC 1"


def test_a_project_has_a_cost_centre_that_its_owners_change(
    browser: Client, project: Project, user: User
) -> None:
    url = "/projects/support/cost-centre/"
    assert browser.get(url).status_code == 403
    project.memberships.filter(user=user).update(role=OWNER)

    browser.post(url, {"cost_centre": "CC 3"})

    assert Project.objects.get().cost_centre == "CC 3"
    assert "New batches have the" in page_of(browser, "/projects/support/settings/").text
    assert "invisible" in browser.post(url, {"cost_centre": "a\u202eb"}).content.decode()
