"""The last step of the way from a file to a batch, which spends money."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from batchapp.models import Batch, Project, ProviderKey, Upload, User
from batchapp.services.lifecycle import prepare
from batchapp.services.orders import place_order
from tests.html import Page, page_of
from tests.make import (
    MODEL,
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
    request_line,
    set_state,
)
from tests.ordering import order_form, reviewed, step, submit

pytestmark = pytest.mark.django_db

# The review


def test_the_review_says_in_words_what_happens_without_room_and_the_batch_keeps_it(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    url = step(upload, "review", window="1h", key=key.pk, fallback="24h")

    page = page_of(browser, url)
    assert "If there is no room It runs in 24 h instead: ~$0.00" in page.text
    assert "fallback=24h" in page.one("#change")["href"]
    submit(browser, upload, order_form(page))

    batch = Batch.objects.get()
    assert (batch.window, batch.fallback_window) == ("1h", "24h")
    model_cost = batch.model_costs.get()
    assert model_cost.fallback_price
    assert (model_cost.fallback_price.input, model_cost.fallback_price.output) == (1, 2)
    assert "1 h, or 24 h if there is no room" in page_of(browser, batch.get_absolute_url()).text


def test_of_several_parts_it_is_said_until_when_they_move_to_the_other_window(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    project.connection.max_requests = 2
    project.connection.save()
    upload = make_upload(project, user, content=request_file(5))

    page = page_of(browser, step(upload, "review", window="1h", key=key.pk, fallback="24h"))

    fallback = "Once one of its provider batches is accepted, the others wait for room in 1 h."
    assert fallback in page.text
    submit(browser, upload, order_form(page))
    batch = Batch.objects.get()
    prepare.prepare(batch.provider_batches.get())
    window = "1 h, or 24 h if there is no room before the first provider batch is accepted"
    assert window in page_of(browser, batch.get_absolute_url()).text


def test_the_review_says_in_how_many_parts_the_file_goes(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    project.connection.max_requests = 2
    project.connection.save()
    upload = make_upload(project, user, content=request_file(5))

    page = page_of(browser, step(upload, "review", window="24h", key=key.pk))

    assert f"go to {project.connection} as 3 provider batches as soon as you submit" in page.text
    check = page_of(browser, reverse("order_check", args=[upload.pk]))
    reason = f"since {project.connection} takes 2 requests a file."
    assert f"It is sent as 3 provider batches, {reason}" in check.text


def test_the_review_says_how_a_file_is_divided_by_model_and_what_each_part_costs(
    browser: Client, project: Project, user: User
) -> None:
    project.connection.kind, project.connection.max_requests = "openai", 2
    project.connection.save()
    lines = [request_line(n, model=MODEL if n < 3 else "m-2") for n in range(4)]
    upload = make_upload(project, user, content="\n".join(lines).encode())
    key = make_key(project)

    page = page_of(browser, step(upload, "review", window="24h", key=key.pk))

    assert "as 3 provider batches as soon as you submit" in page.text
    divided = page.one("#divided").text
    assert f"{project.connection} takes one model in a file" in divided
    assert "divided by model into 3 provider batches" in divided
    assert f"{MODEL}: 2 provider batches, 3 requests, ~$0.00" in divided
    assert "m-2: 1 provider batch, 1 request, no price" in divided
    batch = make_batch(project, user, upload=upload, key=key)
    created = prepare.split_file(batch.provider_batches.get())
    assert 1 + len(created) == 3
    told = page_of(browser, batch.get_absolute_url())
    assert "takes one model in a file" in told.one("#provider-batches").text


def test_a_file_of_one_model_or_for_a_provider_that_takes_several_is_not_divided(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    lines = [request_line(n, model=f"m-{n}") for n in range(2)]
    mixed = make_upload(project, user, content="\n".join(lines).encode())

    page = page_of(browser, step(mixed, "review", window="24h", key=key.pk))

    assert not page.all("#divided")
    project.connection.kind = "openai"
    project.connection.save()
    upload = make_upload(project, user)
    page = page_of(browser, step(upload, "review", window="24h", key=key.pk))
    assert not page.all("#divided")


def test_the_review_shows_all_that_will_happen(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    page = page_of(browser, step(upload, "review", window="1h", key=key.pk, name="Tickets of May"))

    for words in (
        "3 requests of tickets.jsonl go to",
        "Name Tickets of May",
        "Window 1 h Due by to",
        f"Paid by {key}, of the project",
        "~$0.0004 to $0.0013 Submit 3 requests, ~$0.0013 Back to the window",
        "output tokens: the requests do not say how long an answer is",
        "Input tokens are exact.",
        "1 h, in / out",
        "$2.00 / $4.00",
    ):
        assert words in page.text
    assert page.one("#price .figure").text == "~$0.0013expected"
    drawing = page.one("#price svg")
    assert drawing["aria-label"] == "From $0.0004 to $0.0013, expected $0.0013"
    assert page.one("#change")["href"].startswith(
        f"/files/{upload.pk}/batch/window/?window=1h&key={key.pk}&name=Tickets+of+May"
    )


def test_a_sandbox_is_called_one(browser: Client, upload: Upload, key: ProviderKey) -> None:
    upload.project.connection.is_sandbox = True
    upload.project.connection.save()
    asked = {"window": "24h", "key": key.pk}

    for url in (step(upload, "window"), step(upload, "review", **asked)):
        assert "Sandbox: answers are made up, nothing is paid" in page_of(browser, url).text
    assert "Paid by nobody, a sandbox" in page_of(browser, step(upload, "review", **asked)).text


def test_what_was_run_before_is_said_with_its_figures(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    ended = finish(
        make_batch(upload.project, user, upload=upload, key=key, name="First"),
        [answer_line(1), answer_line(2)],
        [error_line(3)],
    )
    duplicate = make_upload(upload.project, user, name="copy.jsonl")
    grace = join(make_user("grace@example.com"), upload.project)
    running = make_batch(upload.project, grace, upload=duplicate, key=key, name="Second")
    set_state(running, status="running", completed=1)
    make_batch(upload.project, user, upload=upload, key=key, window="1h", name="Faster")
    other = make_upload(upload.project, user, content=request_file(4))
    make_batch(upload.project, user, upload=other, key=key, name="Other bytes")
    make_batch(make_project(user), user, upload=None, key=None, name="Elsewhere")

    page = page_of(browser, step(upload, "review", window="24h", key=key.pk, name="Third"))

    said = page.text
    assert f"You ran this file on {ended.created_at:%-d %B %Y}." in said
    assert "First Completed with errors: 2 of 3 answered, $0.0004." in said
    assert "grace@example.com ran a file with the same content" in said
    assert "Second Running: 1 of 3 answered, ~$0.0003 expected." in said
    assert page.links["Open it instead: Second"] == running.get_absolute_url()
    assert not any(name in said for name in ("Faster", "Other bytes", "Elsewhere"))
    assert "Submit 3 requests" in said


def test_a_name_that_is_taken_gets_a_number_and_a_hint(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    make_batch(upload.project, upload=upload, key=key, name="tickets")

    assert page_of(browser, step(upload, "window")).values["name"] == "tickets (2)"
    asked = {"window": "24h", "key": key.pk}
    taken = page_of(browser, step(upload, "review", **asked, name="tickets"))
    free = page_of(browser, step(upload, "review", **asked, name=""))

    assert "has 1 batch called “tickets” already" in taken.text
    assert order_form(free)["name"] == "tickets (2)"
    assert "already. " not in free.text


# The submission


def test_the_form_as_it_stands_makes_a_batch_and_a_worker_is_told(
    browser: Client,
    upload: Upload,
    key: ProviderKey,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent = reviewed(browser, upload, key)

    with django_capture_on_commit_callbacks(execute=True):
        response = submit(browser, upload, sent)

    batch = Batch.objects.get()
    assert response["Location"] == batch.get_absolute_url()
    assert (batch.name, batch.window, batch.key) == ("tickets", "24h", key)
    assert str(batch.submission) == sent["submission"]
    assert woken == [str(batch.provider_batches.get().pk)]


def test_a_form_sent_twice_makes_one_batch(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    sent = reviewed(browser, upload, key)

    first = submit(browser, upload, sent)
    second = submit(browser, upload, sent, follow=True)

    assert Batch.objects.count() == 1
    assert second.redirect_chain == [(first["Location"], 302)]
    assert "submitted before" in second.content.decode()


def test_a_second_tab_and_the_way_back_find_the_batch_rather_than_the_button(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    url = step(upload, "review", window="24h", key=key.pk, name="tickets")
    tabs = [order_form(page_of(browser, url)) for _ in range(2)]
    assert tabs[0]["submission"] == tabs[1]["submission"]

    submit(browser, upload, tabs[0])
    page = page_of(browser, url)
    submit(browser, upload, tabs[1])

    batch = Batch.objects.get()
    assert "This form was submitted" in page.text
    assert page.one("#submitted")["href"] == batch.get_absolute_url()
    assert not page.all("#submit")
    new_order = page_of(browser, page.one("#new-order")["href"])
    assert new_order.values["submission"] != tabs[0]["submission"]


def test_a_form_that_overtakes_itself_makes_one_batch(
    browser: Client, upload: Upload, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, quote = reviewed(browser, upload, key), place_order.quote
    first: list[str] = []

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(place_order, "quote", quote)
        first.append(submit(browser, upload, sent)["Location"])
        return quote(*args, **kwargs)

    monkeypatch.setattr(place_order, "quote", overtaken)
    second = submit(browser, upload, sent)

    assert [second["Location"]] == first
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("is_copied", [False, True], ids=["the same file", "of the same bytes"])
def test_two_reviews_opened_side_by_side_order_twice_only_after_a_word(
    browser: Client, upload: Upload, key: ProviderKey, is_copied: bool
) -> None:
    other = make_upload(upload.project, name="copy.jsonl") if is_copied else upload
    first, second = reviewed(browser, upload, key), reviewed(browser, other, key, name="again")
    submit(browser, upload, first)

    warned = submit(browser, other, second)

    page = Page(warned)
    batch = Batch.objects.get()
    assert "submitted on the 24 h window after this page was opened" in page.text
    assert page.one(f"#same-file-{batch.pk}")
    submit(browser, other, order_form(page))
    assert Batch.objects.count() == 2


def test_reviews_of_other_windows_or_other_requests_are_not_in_each_others_way(
    browser: Client, upload: Upload, key: ProviderKey, user: User
) -> None:
    other = make_upload(upload.project, user, content=request_file(2))
    asked = [(upload, {}), (upload, {"window": "1h"}), (other, {})]
    forms = [(file, reviewed(browser, file, key, **changes)) for file, changes in asked]

    for file, sent in forms:
        submit(browser, file, sent)

    assert Batch.objects.count() == 3


def test_a_session_that_ended_loses_nothing_that_was_typed(
    upload: Upload, key: ProviderKey
) -> None:
    url = step(upload, "review", window="1h", key=key.pk, name="tickets & more")

    response = Client().post(url, {})

    assert parse_qs(urlsplit(response["Location"]).query)["next"] == [url]


def test_a_form_of_another_teams_batch_makes_nothing_and_says_nothing(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    elsewhere = make_upload(make_project())
    theirs = make_key(elsewhere.project)
    sent = reviewed(browser, upload, key)
    other = Client()
    other.force_login(join(make_user(), elsewhere.project))
    stolen = reviewed(other, elsewhere, theirs) | {"submission": sent["submission"]}
    submit(other, elsewhere, stolen)

    response = submit(browser, upload, sent)

    assert "Start the order again" in response.content.decode()
    assert not Batch.objects.filter(project=upload.project).exists()


@pytest.mark.parametrize("changes", [{"submission": "no uuid"}, {"shown": ""}])
def test_an_incomplete_form_is_looked_at_again(
    browser: Client, upload: Upload, key: ProviderKey, changes: dict[str, str]
) -> None:
    sent = reviewed(browser, upload, key)

    response = submit(browser, upload, sent | changes, follow=True)

    assert "nothing was submitted" in Page(response).text
    assert order_form(Page(response))["name"] == "tickets"
    assert not Batch.objects.exists()


def test_a_key_of_somebody_else_cannot_be_used(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    foreign = make_key(make_user(), upload.project.connection)

    submit(browser, upload, reviewed(browser, upload, key) | {"key": str(foreign.pk)})

    assert not Batch.objects.exists()


def test_nothing_is_ordered_at_a_price_that_was_not_shown(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    sent = reviewed(browser, upload, key)
    upload.project.connection.prices.filter(window="24h").update(output_usd=99)

    refused = submit(browser, upload, sent)

    page = Page(refused)
    assert "The prices changed since this page was opened." in page.text
    assert "$1.00 / $99.00" in page.text
    assert not Batch.objects.exists()
    submit(browser, upload, order_form(page))
    assert Batch.objects.get().model_costs.get().unit_price.output == 99


def test_a_form_sent_twice_makes_one_batch_also_if_the_price_changed_in_between(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    sent = reviewed(browser, upload, key)

    first = submit(browser, upload, sent)
    upload.project.connection.prices.update(output_usd=99)
    second = submit(browser, upload, sent)

    assert first["Location"] == second["Location"]
    assert Batch.objects.count() == 1


@pytest.mark.parametrize(
    ("file", "batch"),
    [("n" * 249 + ".jsonl", "n" * 200), (".jsonl", ".jsonl"), (" .jsonl", ".jsonl")],
)
def test_any_name_of_a_file_makes_a_name_of_a_batch(
    browser: Client, project: Project, user: User, key: ProviderKey, file: str, batch: str
) -> None:
    upload = make_upload(project, user, name=file)

    submit(browser, upload, reviewed(browser, upload, key, name=""))

    assert Batch.objects.get().name == batch


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_deleted_while_it_is_ordered_makes_nothing_and_is_said(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    sent = reviewed(browser, upload, key)

    def delete_it(**_: object) -> None:
        Upload.objects.filter(pk=upload.pk).delete()

    pre_save.connect(delete_it, sender=Batch)
    try:
        response = submit(browser, upload, sent)
    finally:
        pre_save.disconnect(delete_it, sender=Batch)

    assert "removed just now" in response.content.decode()
    assert not Batch.objects.exists()
