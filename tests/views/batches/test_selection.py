"""Several batches at once: what the page promises, and what is done and paid."""

import threading
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from batchapp.domain.batch_labels import Labels
from batchapp.domain.results.outcome import Outcome
from batchapp.models import (
    Batch,
    BatchTag,
    Event,
    EventKind,
    Export,
    Project,
    ProviderBatch,
    Upload,
    User,
)
from batchapp.presenters.batches.selection_plan import RETRIED
from batchapp.services.files import upload_intake
from batchapp.services.labels import batch_labels
from batchapp.services.lifecycle import controls
from batchapp.services.results import retry_file
from batchapp.templatetags.words import usd
from tests.html import Page, page_of
from tests.make import (
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    set_state,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = "/batches/selected/"


def review(client: Client, action: str, *batches: Batch, **more: object) -> Page:
    ids = [str(batch.pk) for batch in batches]
    return page_of(client, f"{URL}?{urlencode({'action': action, 'b': ids} | more, doseq=True)}")


def confirm(client: Client, page: Page, **more: str) -> Page:
    """Press the button of the page that says what will happen."""
    form = page.one("form[method=post].stack")
    return Page(client.post(form["action"], form.values | more, follow=True))


@pytest.fixture
def key(project: Project) -> Any:
    return make_key(project)


@pytest.fixture
def make(project: Project, user: User, key: Any) -> Callable[..., Batch]:
    def make(name: str, **fields: Any) -> Batch:
        return make_batch(project, user, name=name, key=key, **fields)

    return make


def failed(batch: Batch) -> Batch:
    return finish(batch, [answer_line(1)], [error_line(2), error_line(3)])


def test_a_viewer_is_offered_only_what_a_viewer_may_do(
    browser: Client, make: Callable[..., Batch], project: Project
) -> None:
    batch = make("Tickets")
    viewer = Client()
    viewer.force_login(join(make_user(), project, VIEWER))

    def buttons(client: Client) -> list[str]:
        return page_of(client, "/projects/support/batches/?select=on").texts(
            "#select header button"
        )

    assert buttons(browser) == ["Tags…", "Retry…", "Export…", "Compare", "Cancel…"]
    assert buttons(viewer) == ["Export…", "Compare"]
    for action in ("cancel", "tag", "retry"):
        page = review(viewer, action, batch)
        assert "but not change it" in page.one("#cannot").text
        assert not page.all("#confirm")
        fields = {"action": action, "ids": batch.pk.hex, "add": "x"}
        assert viewer.post(URL, fields).status_code == 302
    assert Batch.objects.get().cancel_requested_at is None
    assert not BatchTag.objects.exists()
    assert not Upload.objects.exclude(retry_of=None).exists()


def test_foreign_batches_are_as_if_they_were_not_there(
    browser: Client, make: Callable[..., Batch]
) -> None:
    own, foreign = make("Own"), make_batch(make_project(make_user()), name="Their secret")

    page = review(browser, "cancel", own, foreign)
    assert "1 batch will be cancelled" in page.text
    assert "Their secret" not in page.html
    for ids in ([foreign.pk.hex], [uuid.uuid4().hex], ["nonsense", "<b>"]):
        fields = {"action": "cancel", "ids": " ".join(ids)}
        assert browser.post(URL, fields).status_code == 404
        assert "Tick at least one batch." in page_of(browser, URL, action="cancel", b=ids).text
    browser.post(URL, {"action": "cancel", "ids": f"{own.pk.hex} {foreign.pk.hex}"})

    assert set(Batch.objects.exclude(cancel_requested_at=None)) == {own}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"action": "delete"},
        {"action": "cancel"},
        {"action": "cancel", "ids": "x" * 100_000},
        {"action": "cancel", "ids": "\0"},
    ],
)
def test_a_form_that_nobody_made_is_not_found(browser: Client, fields: dict[str, str]) -> None:
    assert browser.post(URL, fields).status_code == 404


def test_cancelling_says_what_is_left_out_and_keeps_the_filter_of_the_list(
    browser: Client, make: Callable[..., Batch]
) -> None:
    running, over, cancelled = make("Running"), finish(make("Over")), make("Cancelled")
    controls.request_cancel(cancelled, cancelled.created_by)

    page = review(browser, "cancel", running, over, cancelled, q="n", of="support")

    assert "1 batch will be cancelled: 3 requests without an answer" in page.one("#will").text
    assert f"~{usd(running.estimated_cost_usd)}" in page.one("#will").text
    assert page.texts("#cannot li") == [
        "Cancelled It is being cancelled already.",
        "Over It is over.",
    ]
    after = confirm(browser, page)
    assert "1 batch is being cancelled." in after.text
    assert after.one("#id_q")["value"] == "n"
    assert "There was nothing to cancel any more" not in after.text
    assert Batch.objects.get(pk=running.pk).cancel_requested_at
    assert Event.objects.filter(batch=running, kind=EventKind.CANCEL_REQUESTED).count() == 1


def test_five_hundred_batches_are_cancelled_within_a_request(
    browser: Client, make: Callable[..., Batch], django_assert_max_num_queries: Any
) -> None:
    first = make("Batch")
    same = {
        field.attname: getattr(first, field.attname)
        for field in Batch._meta.concrete_fields
        if field.attname not in {"id", "submission", "created_at"}
    }
    Batch.objects.bulk_create(Batch(**same) for _ in range(499))
    ProviderBatch.objects.bulk_create(
        ProviderBatch(batch=batch, total=3) for batch in Batch.objects.exclude(pk=first.pk)
    )

    page = page_of(browser, f"{URL}?action=cancel&all=on&status=active")
    assert "500 batches will be cancelled" in page.text
    with django_assert_max_num_queries(540):
        after = confirm(browser, page)

    assert "500 batches are being cancelled." in after.text
    assert Batch.objects.filter(cancel_requested_at=None).count() == 0
    assert Event.objects.filter(kind=EventKind.CANCEL_REQUESTED).count() == 500
    one_more = Batch(**same)
    one_more.save()
    page = page_of(browser, f"{URL}?action=cancel&all=on")
    assert "At most 500 batches can be cancelled at once, and these are 501." in page.text
    assert not page.all("#confirm")


def test_what_runs_in_an_archived_project_can_be_cancelled_and_not_changed(
    browser: Client, project: Project, make: Callable[..., Batch]
) -> None:
    running = make("Running")
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())

    tags = page_of(browser, f"{URL}?action=tag&b={running.pk}")
    confirm(browser, page_of(browser, f"{URL}?action=cancel&b={running.pk}"))

    assert "but not change it" in tags.text
    assert Batch.objects.get(pk=running.pk).cancel_requested_at


def test_a_batch_that_waits_for_a_person_is_cancelled_with_the_others(
    user: User, make: Callable[..., Batch]
) -> None:
    stuck, running = make("Stuck"), make("Running")
    waiting = ProviderBatch.Status.WAITING
    set_state(stuck, status=waiting, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    cancelled = controls.request_cancels([stuck, running], user)

    assert {batch.pk for batch in cancelled} == {stuck.pk, running.pk}
    assert stuck.provider_batches.get().status == ProviderBatch.Status.CANCELLED
    assert controls.request_cancels([stuck, running], user) == []


def test_tags_are_added_to_and_removed_from_all_of_a_filter(
    browser: Client, make: Callable[..., Batch]
) -> None:
    batches = [make(f"Batch {number}") for number in range(3)]
    batch_labels.set_labels(batches[0], batches[0].created_by, Labels(("old",)))
    full = make("Full")
    batch_labels.set_labels(full, full.created_by, Labels(tuple(f"t{n}" for n in range(10))))

    page = page_of(browser, f"{URL}?action=tag&all=on")
    assert {option["value"] for option in page.all("#proposed-tags option")} >= {"old", "t0"}
    nothing = confirm(browser, page, add="", remove="")
    assert "Give a tag to add, or one to remove." in nothing.text
    too_long = confirm(browser, page, add="x" * 41)
    assert "at most 40 characters" in too_long.text
    after = confirm(browser, page, add="New, <b>", remove="old")

    assert "The tags of 3 batches changed. 1 batch stayed as before" in after.text
    assert [batch.labels.tags for batch in batches] == [("<b>", "new")] * 3
    assert len(full.labels.tags) == 10
    assert "<b>," not in after.html


def test_each_batch_is_exported_once_however_often_the_form_is_sent(
    browser: Client, make: Callable[..., Batch]
) -> None:
    good = [finish(make(f"Batch {number}")) for number in range(2)]
    running = make("Running")

    page = review(browser, "export", *good, running)
    assert page.texts("#cannot li") == ["Running It has no results."]
    for _ in range(2):
        after = confirm(browser, page, format="xlsx")

    assert sorted(Export.objects.values_list("batch", "format")) == sorted(
        (batch.pk, "xlsx") for batch in good
    )
    assert after.one("h1").text == "Support tickets"
    assert "2 exports will be written." in after.text


def written(client: Client, page: Page) -> Page:
    """Confirm the files of retries, and write and check them as workers do."""
    waiting = confirm(client, page)
    for upload in Upload.objects.exclude(retry_of=None).filter(status=Upload.Status.CHECKING):
        if not upload.size:
            retry_file.write_retry_file(upload)
        upload_intake.check_upload(upload)
    return waiting


def address_of(page: Page) -> str:
    values = page.one("#live").values
    return f"{URL}retry/?{urlencode({name: values[name] for name in ('submission', 'ids')})}"


def test_retries_show_their_price_in_total_and_each_is_paid_once(
    browser: Client, make: Callable[..., Batch]
) -> None:
    # Of two files with other requests: the same requests would be refused as submitted just now.
    project = Project.objects.get(slug="support")
    uploads = [
        make_upload(project, content=request_file().replace(b"Question", word))
        for word in (b"First", b"Second")
    ]
    bad = [failed(make(f"Batch {n}", upload=upload)) for n, upload in enumerate(uploads)]
    for batch in bad:
        batch_labels.set_labels(batch, batch.created_by, Labels(("north",), "CC 1"))
    good, running = finish(make("Good")), make("Running")

    page = review(browser, "retry", *bad, good, running)
    assert "A file of 4 requests in all will be written for 2 batches" in page.one("#will").text
    assert page.texts("#cannot li") == [
        "Running It is under way: retry it once it is over.",
        "Good It has nothing that a retry would help.",
    ]
    waiting = written(browser, page)
    assert "The files are being written and checked" in waiting.text
    assert not waiting.all("#submit-retries")
    priced = page_of(browser, address_of(waiting))
    costs = priced.texts("tbody td:last-child")
    assert "2 retries with 4 requests will be submitted" in priced.one("#total").text
    assert len(costs) == 2
    assert all(cost.startswith("~$") for cost in costs)
    form = priced.one("#live")
    for _ in range(2):  # a double click, or a reload of the answer
        done = Page(browser.post(form["action"], form.values, follow=True))

    retries = Batch.objects.exclude(parent=None)
    assert sorted(retry.parent_id for retry in retries) == sorted(batch.pk for batch in bad)
    assert {retry.labels for retry in retries} == {Labels(("north",), "CC 1")}
    assert done.texts("tbody td a[href^='/batches/']") == ["Submitted"] * 2
    assert not done.all("#submit-retries")
    again = review(browser, "retry", *bad)
    assert again.texts("#cannot li") == [
        "Batch 1 A retry of it is under way.",
        "Batch 0 A retry of it is under way.",
    ]


def test_a_second_form_does_not_pay_the_same_requests_again(
    browser: Client, make: Callable[..., Batch]
) -> None:
    batch = failed(make("Batch"))
    forms = []
    for _ in range(2):
        waiting = written(browser, review(browser, "retry", batch))
        forms.append(page_of(browser, address_of(waiting)).one("#live"))

    answers = [Page(browser.post(form["action"], form.values, follow=True)) for form in forms]

    assert Batch.objects.filter(parent=batch).count() == 1
    assert "The same requests were submitted" in answers[1].text


def test_prices_that_changed_are_shown_before_anything_is_submitted(
    browser: Client, make: Callable[..., Batch]
) -> None:
    waiting = written(browser, review(browser, "retry", failed(make("Batch"))))
    form = page_of(browser, address_of(waiting)).one("#live")
    values = form.values
    name = next(name for name in values if name.startswith("shown-"))

    answer = Page(browser.post(form["action"], values | {name: "0" * 64}, follow=True))
    browser.post(form["action"], values | {name: ""})

    assert "The prices changed since this page was opened" in answer.text
    assert not Batch.objects.exclude(parent=None).exists()


def test_the_retries_of_another_person_are_not_found(
    browser: Client, make: Callable[..., Batch], project: Project
) -> None:
    waiting = written(browser, review(browser, "retry", failed(make("Batch"))))
    values = page_of(browser, address_of(waiting)).one("#live").values
    colleague, stranger = Client(), Client()
    colleague.force_login(join(make_user(), project))
    stranger.force_login(make_user())

    for client in (colleague, stranger):
        assert client.get(address_of(waiting)).status_code == 404
        assert client.post(f"{URL}retry/", values).status_code == 404
    assert browser.post(f"{URL}retry/", values | {"ids": "x"}).status_code == 404
    assert not Batch.objects.exclude(parent=None).exists()


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_instant_pay_once(
    browser: Client, make: Callable[..., Batch], user: User
) -> None:
    batch = failed(make("Batch"))
    waiting = written(browser, review(browser, "retry", batch))
    form = page_of(browser, address_of(waiting)).one("#live")
    start = threading.Barrier(2)
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(user)

    def click(client: Client) -> None:
        start.wait()
        client.post(form["action"], form.values)
        connection.close()

    threads = [threading.Thread(target=click, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Batch.objects.filter(parent=batch).count() == 1


def test_the_page_takes_as_many_queries_for_many_batches_as_for_few(
    browser: Client, make: Callable[..., Batch], django_assert_max_num_queries: Any
) -> None:
    for number in range(2):
        make(f"Batch {number}")
    url = f"{URL}?action=cancel&all=on"
    browser.get(url)
    with django_assert_max_num_queries(12) as few:
        browser.get(url)
    for number in range(8):
        make(f"Batch {number + 2}")
    with django_assert_max_num_queries(len(few)):
        browser.get(url)


def test_what_a_retry_runs_again_is_what_its_page_proposes() -> None:
    assert Outcome.PROVIDER_ERROR in RETRIED.outcomes
    assert Outcome.REFUSED not in RETRIED.outcomes
