"""What scripts ordered is told apart in lists and on its page, and small batches are grouped."""

import uuid
from decimal import Decimal

import pytest
from django.http import HttpResponse
from django.test import Client

from batchapp.models import Batch, Project, User
from tests.make import finish, make_batch, make_portal_key, make_upload, request_file

pytestmark = pytest.mark.django_db


def ordered_by_script(project: Project, user: User, name: str, requests: int = 1) -> Batch:
    key = project.portal_keys.first() or make_portal_key(user, project).key
    upload = make_upload(project, user, content=request_file(requests))
    metadata = {"job": "<nightly>"}
    return make_batch(upload=upload, user=user, name=name, portal_key=key, metadata=metadata)


def test_a_batch_says_which_key_ordered_it_and_what_its_script_noted(
    browser: Client, project: Project, user: User
) -> None:
    of_script = ordered_by_script(project, user, "Nightly")
    of_person = make_batch(project, user, name="By hand")

    page = browser.get(of_script.get_absolute_url()).content.decode()
    other = browser.get(of_person.get_absolute_url()).content.decode()
    listed = browser.get("/batches/").content.decode()

    assert f"<bdi>{of_script.portal_key}</bdi>" in page
    assert "&lt;nightly&gt;" in page
    assert 'id="source"' not in other
    assert listed.count('title="Ordered by a script, with a portal key"') == 1


def test_a_list_is_filtered_by_source(browser: Client, project: Project, user: User) -> None:
    ordered_by_script(project, user, "Nightly")
    make_batch(project, user, name="By hand")

    def names(source: str) -> set[str]:
        page = browser.get("/batches/", {"source": source}).content.decode()
        return {name for name in ("Nightly", "By hand") if f'title="{name}"' in page}

    assert names("") == {"Nightly", "By hand"}
    assert names("api") == {"Nightly"}
    assert names("pages") == {"By hand"}
    assert names("small") == names("odd") == set()


def test_small_batches_of_programs_are_told_in_one_line(
    browser: Client, project: Project, user: User
) -> None:
    small = [finish(ordered_by_script(project, user, f"batch-{uuid.uuid4()}")) for _ in range(5)]
    Batch.objects.filter(pk__in=[row.pk for row in small]).update(actual_cost_usd=Decimal("0.006"))
    running = ordered_by_script(project, user, f"batch-{uuid.uuid4()}")
    failed = finish(ordered_by_script(project, user, f"batch-{uuid.uuid4()}"), [])

    listed = browser.get("/batches/")
    grouped = browser.get("/batches/", {"source": "small"})
    found = browser.get("/batches/", {"q": small[0].name})
    selecting = browser.get("/batches/", {"select": "on"})

    def rows(page: HttpResponse) -> set[Batch]:
        html = page.content.decode()
        return {row for row in (running, failed, *small) if f'id="batch-{row.pk}"' in html}

    assert rows(listed) == {running, failed}
    assert "5 small batches, $0.03</a>" in listed.content.decode()
    assert rows(grouped) == set(small)
    assert rows(found) == {small[0]}
    assert "small-batches" not in selecting.content.decode()

    Batch.objects.filter(pk=small[0].pk).update(actual_cost_usd=None)
    partly = browser.get("/batches/").content.decode()
    assert "5 small batches, at least $0.02</a>" in partly

    Batch.objects.exclude(pk__in=[row.pk for row in small]).update(name="batch")
    Batch.objects.filter(name="batch").update(project=make_batch().project)
    alone = browser.get("/batches/").content.decode()
    assert "5 small batches" in alone
    assert "There are no batches yet" not in alone
