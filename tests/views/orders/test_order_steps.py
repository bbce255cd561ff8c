"""The way from a file to a batch, whose last step spends money."""

import json
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from batchapp.domain.windows import spaced
from batchapp.models import Batch, Connection, OfferedModel, Project, ProviderKey, Upload, User
from batchapp.services.lifecycle import prepare
from batchapp.services.orders import place_order
from tests.html import Page, page_of
from tests.make import (
    MODEL,
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
    request_line,
    set_state,
)
from tests.sentences import problem

pytestmark = pytest.mark.django_db

MOST_QUERIES = 11


@pytest.fixture
def upload(project: Project, user: User) -> Upload:
    return make_upload(project, user, name="tickets.jsonl")


@pytest.fixture
def key(project: Project) -> ProviderKey:
    return make_key(project)


def sent_file() -> SimpleUploadedFile:
    return SimpleUploadedFile("tickets.jsonl", request_file())


def step(upload: Upload, name: str, /, **asked: object) -> str:
    """The address of a step, with what is typed on the way."""
    return f"/files/{upload.pk}/batch/{name}/?{urlencode({'submission': uuid.uuid4()} | asked)}"


def order_form(review: Page) -> dict[str, str]:
    """Return the values that the button of the review sends."""
    return review.one('form[action$="/batch/review/"]').values


def reviewed(
    browser: Client, upload: Upload, key: ProviderKey, /, **asked: object
) -> dict[str, str]:
    """What the review's form sends, the token aside."""
    url = step(upload, "review", **{"window": "24h", "key": key.pk, "name": "tickets"} | asked)
    sent = order_form(page_of(browser, url))
    assert {"window", "key", "name", "submission", "shown"} <= sent.keys()
    return sent


def submit(browser: Client, upload: Upload, sent: dict[str, str], *, follow: bool = False):
    return browser.post(f"/files/{upload.pk}/batch/review/", sent, follow=follow)


# The start, and the file


def test_with_one_project_the_start_leads_to_its_files(browser: Client, project: Project) -> None:
    join(page_user(browser), make_project(), VIEWER)

    response = browser.get("/batches/new/")

    assert response["Location"] == "/projects/support/batches/new/"


def test_with_several_projects_one_is_chosen(browser: Client, project: Project) -> None:
    other = make_project(page_user(browser))
    looked_at = make_project(page_user(browser), role=VIEWER)

    page = page_of(browser, "/batches/new/")

    assert [link["href"] for link in page.all("a.choice")] == [
        f"/projects/{each.slug}/batches/new/"
        for each in sorted((project, other), key=lambda each: each.name)
    ]
    assert looked_at.name not in page.one("main").text


def test_a_page_that_asks_for_the_project_in_a_dialog_is_told_where_each_takes_files(
    browser: Client, project: Project
) -> None:
    response = browser.get("/batches/new/", headers={"HX-Request": "true"})

    link = Page(response).one("[data-target]")
    target = json.loads(link["data-target"])
    assert target["project"] == "Support tickets"
    assert target["files"]["url"] == "/projects/support/files/"
    assert target["tables"]["url"] == "/projects/support/tables/new/"


def test_files_sent_to_the_start_with_their_project_go_to_it(
    browser: Client, project: Project
) -> None:
    fields = {"project": "support", "then": "batch", "file": sent_file()}

    response = browser.post("/batches/new/", fields)

    upload = project.uploads.get()
    assert response["Location"] == f"/files/{upload.pk}/batch/"
    assert browser.post("/batches/new/", fields | {"project": "foreign"}).status_code == 404
    assert browser.post("/batches/new/", fields | {"project": ""}).status_code == 302


def test_a_viewer_sends_no_file_to_the_start(client: Client, project: Project) -> None:
    client.force_login(join(make_user(), project, VIEWER))

    response = client.post("/batches/new/", {"project": "support", "file": sent_file()})

    assert response.status_code == 403
    assert not project.uploads.exists()


def test_without_a_project_the_start_says_what_to_do(browser: Client) -> None:
    assert "You are in no project yet" in page_of(browser, "/batches/new/").text
    join(page_user(browser), make_project(), VIEWER)
    assert "Ask one of their admins to make you a member" in page_of(browser, "/batches/new/").text


def test_the_file_step_offers_every_file_with_its_use(
    browser: Client, upload: Upload, user: User
) -> None:
    make_batch(upload.project, user, upload=upload)
    faulty = make_upload(upload.project, user, name="by hand.jsonl", content=b"nonsense\n")
    checking = make_upload(upload.project, user, name="later.jsonl", is_checked=False)

    page = page_of(browser, "/projects/support/batches/new/")
    assert "Earlier file 3" in page.one(".tabs").text
    rows = page_of(browser, "/projects/support/batches/new/", **{"from": "files"}).one("#rows")

    files = [link["id"] for link in rows.all("td.lead a")]
    assert files == [f"file-{file.pk}" for file in (checking, faulty, upload)]
    assert rows.texts("td:nth-child(5)") == ["0", "0", "1"]
    assert [link["aria-label"] for link in rows.all("a[aria-label]")] == [
        "Show errors of by hand.jsonl",
        "Use this file: tickets.jsonl",
    ]
    assert rows["hx-trigger"] == "every 2s"


def test_the_file_step_finds_files_by_name(browser: Client, upload: Upload, user: User) -> None:
    make_upload(upload.project, user, name="invoices.jsonl")

    found = page_of(browser, "/projects/support/batches/new/", q="Invoice")
    assert found.texts("#rows td.lead") == ["invoices.jsonl"]
    none = page_of(browser, "/projects/support/batches/new/", q="zebra")
    assert "No file has that in its name" in none.text


def test_the_file_step_begins_with_a_table_a_sample_or_pasted_lines_as_well(
    browser: Client, project: Project
) -> None:
    start = "/projects/support/batches/new/?from="

    assert page_of(browser, f"{start}table").one("form[data-takes]")["action"].endswith("/new/")
    pasted = page_of(browser, f"{start}paste").one("main form")
    assert (pasted["action"], pasted.values["then"]) == ("/projects/support/files/", "batch")
    assert pasted.one("textarea")["name"] == "pasted"
    assert "Sample" not in page_of(browser, f"{start}sample").one(".tabs").links
    Connection.objects.update(is_sandbox=True)
    page = page_of(browser, f"{start}sample")
    assert page.one('.tabs [aria-current="page"]').text == "Sample"
    assert page.one("form.samples").values["then"] == "batch"


def test_a_file_is_sent_from_the_flow_and_stays_in_it(browser: Client, project: Project) -> None:
    page = page_of(browser, "/projects/support/batches/new/")

    form = page.one("#upload form[aria-label=Requests]")
    assert form["action"] == "/projects/support/files/"
    assert form.values["then"] == "batch"


# The check


def test_the_check_is_looked_at_while_it_runs(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, is_checked=False)
    Upload.objects.filter(pk=upload.pk).update(lines_checked=12_400)

    page = page_of(browser, f"/files/{upload.pk}/batch/")

    assert "12,400 lines so far" in page.text
    assert page.one("#live")["hx-trigger"] == "every 2s"
    assert "/batch/window/" not in page.html


def test_a_checked_file_goes_on_and_keeps_what_was_typed(browser: Client, upload: Upload) -> None:
    page = Page(browser.get(f"/files/{upload.pk}/batch/?window=1h&name=a+%26+b&odd=1"))

    assert "All 3 requests are ready to be sent." in page.text
    assert page.one("#onward")["href"] == (
        f"/files/{upload.pk}/batch/window/?window=1h&name=a+%26+b"
    )
    assert "every 2s" not in page.html


def test_a_faulty_file_says_what_to_do_and_leads_no_further(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    faulty = make_upload(project, user, content=f"{request_line(1)}\nnonsense\n".encode())

    page = page_of(browser, f"/files/{faulty.pk}/batch/")

    assert "1 of 2 lines has errors, so the file cannot be sent." in page.text
    assert "line 2" in page.text
    assert page.one("#upload-again")["href"] == "/projects/support/batches/new/#upload"
    assert "/batch/window/" not in page.html
    for name in ("window", "review"):
        response = browser.get(step(faulty, name, window="24h", key=key.pk))
        assert response["Location"].startswith(f"/files/{faulty.pk}/batch/?window=24h")
    response = submit(browser, faulty, {"window": "24h", "key": str(key.pk)})
    assert response["Location"].startswith(f"/files/{faulty.pk}/batch/")
    assert not Batch.objects.exists()


def test_a_check_that_broke_off_can_be_repeated(browser: Client, upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(
        status="failed", report_fields=None, problem=problem("No disk.")
    )

    page = page_of(browser, f"/files/{upload.pk}/batch/")

    assert "No disk." in page.text
    assert page.one(f'form[action="/files/{upload.pk}/check/"]')


def test_findings_of_another_version_lead_to_a_new_check(browser: Client, upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(report_fields={"of": "another version"})

    page = page_of(browser, step(upload, "window"))

    assert "written by another version" in page.text
    assert page.one(f'form[action="/files/{upload.pk}/check/"]')
    assert "Continue" not in page.text


# Model and window


def test_each_window_says_what_it_costs_and_when_it_is_due(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    page = page_of(browser, step(upload, "window"))

    said = page.text
    assert [radio["value"] for radio in page.all("input[name=window]")] == ["24h", "1h"]
    assert re.search(
        r"Within 24 hours by tomorrow, \d\d:\d\d 50 % less than realtime ~\$0\.0006", said
    )
    assert re.search(r"Within 1 hour by (today|tomorrow), \d\d:\d\d ~\$0\.0013", said)
    assert "24 h, in / out 1 h, in / out" in said
    assert f"{MODEL} 3 36 ~300 300 $1.00 / $2.00 $2.00 / $4.00" in said
    assert (page.values["window"], page.values["key"]) == ("24h", str(key.pk))
    assert page.values["name"] == "tickets"


def test_a_window_in_which_a_model_does_not_run_cannot_be_chosen(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    connection = upload.project.connection
    OfferedModel.objects.create(connection=connection, model=MODEL, windows=["1h"])

    page = page_of(browser, step(upload, "window"))

    day, hour = page.all("input[name=window]")
    assert "disabled" in day
    assert "disabled" not in hour
    assert page.values["window"] == "1h"
    assert f"{MODEL} does not run in this window" in page.text
    assert not page.all("input[name=fallback]")
    review = browser.get(step(upload, "review", window="24h", key=key.pk), follow=True)
    assert f"{MODEL} does not run in the 24 h window. Choose another." in Page(review).text
    assert not Batch.objects.exists()


def test_a_cost_that_nothing_bounds_is_flagged(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Why?"}]}
    lines = [request_line(1, body=body), request_line(2, body=body | {"seed": 1}), request_line(3)]
    upload = make_upload(project, user, content="\n".join(lines).encode())

    for url in (step(upload, "window"), step(upload, "review", window="24h", key=key.pk)):
        assert "No limit: 2 requests set no max_tokens" in page_of(browser, url).text


def test_a_model_without_a_price_is_never_free(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    upload = make_upload(project, user, content=request_file(model="nobody/knows"))

    window = page_of(browser, step(upload, "window")).text
    review = page_of(browser, step(upload, "review", window="24h", key=key.pk)).text

    assert "no price for nobody/knows" in window
    assert "Unknown is not free" in review
    assert "$0" not in window + review
    assert "no price" in page_of(browser, step(upload, "window")).one("#price b").text


def test_what_is_typed_lives_in_the_address(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    mine = make_key(user, upload.project.connection)

    page = page_of(browser, step(upload, "window", window="1h", key=mine.pk, name='"Quoted" <b>'))

    assert (page.values["window"], page.values["key"]) == ("1h", str(mine.pk))
    assert page.values["name"] == '"Quoted" <b>'
    assert "Correct what is marked" not in page.text


@pytest.mark.parametrize("name", ["window", "review"])
def test_a_step_without_a_submission_gets_one_that_stays(
    browser: Client, upload: Upload, key: ProviderKey, name: str
) -> None:
    typed = f"window=1h&key={key.pk}&name=x"

    for bad in ("", "&submission=nonsense"):
        response = browser.get(f"/files/{upload.pk}/batch/{name}/?{typed}{bad}")

        where = urlsplit(response["Location"])
        given = parse_qs(where.query)
        assert where.path == f"/files/{upload.pk}/batch/{name}/"
        assert (given["window"], given["key"], given["name"]) == (["1h"], [str(key.pk)], ["x"])
        page = page_of(browser, response["Location"])
        assert page.values["submission"] == given["submission"][0]


def test_both_the_projects_keys_and_own_ones_are_on_offer(
    browser: Client, upload: Upload, user: User
) -> None:
    mine, ours = make_key(user, upload.project.connection), make_key(upload.project)
    foreign = make_key(make_user(), upload.project.connection)

    said = page_of(browser, step(upload, "window")).text

    assert said.index(f"{ours}, of the project") < said.index(f"{mine}, yours")
    assert str(foreign) not in said


def test_without_a_key_the_page_says_where_to_get_one_and_to_come_back(
    browser: Client, upload: Upload
) -> None:
    url = step(upload, "window", name="mine")

    page = page_of(browser, url)

    back = urlencode({"next": url})
    assert page.one("#add-own-key")["href"] == f"/profile/?{back}#keys"
    assert "ask an admin of Support tickets" in page.text
    assert "Continue to the review" not in page.text
    upload.project.memberships.update(role="admin")
    added = page_of(browser, url).one("#add-project-key")
    assert added["href"] == f"/projects/support/keys/?{back}"


def test_a_key_that_cannot_be_read_is_marked_and_refused(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="of another portal")

    page = page_of(browser, step(upload, "window"))
    response = browser.get(step(upload, "review", window="24h", key=key.pk), follow=True)

    assert "cannot be read any more" in page.text
    assert "Continue to the review" not in page.text
    assert response.request["PATH_INFO"] == f"/files/{upload.pk}/batch/window/"
    assert "Choose another, or replace it." in Page(response).text
    mine = make_key(user, upload.project.connection)
    assert page_of(browser, step(upload, "window")).values["key"] == str(mine.pk)


def test_a_refused_key_is_marked_and_never_chosen_beforehand(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(
        is_refused=True, problem=problem("It was revoked.")
    )

    alone = page_of(browser, step(upload, "window"))
    mine = make_key(user, upload.project.connection)
    both = page_of(browser, step(upload, "window"))
    review = page_of(browser, step(upload, "review", window="24h", key=key.pk))

    assert "It was revoked." in alone.text
    nothing, choice = alone.all("select[name=key] option")
    assert (nothing["value"], choice["value"]) == ("", str(key.pk))
    assert choice.text == f"{key}, of the project: refused"
    assert "selected" not in choice
    assert "disabled" not in choice
    assert "Correct what is marked" not in alone.text
    assert both.values["key"] == str(mine.pk)
    assert "It was revoked. The batch may stop before it starts." in review.text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window": "1 minute"}, "Choose one of the completion windows"),
        ({"window": ""}, "Choose one of the completion windows"),
        ({"key": uuid.UUID(int=1)}, "Choose one of the provider keys on offer."),
        ({"key": "nonsense"}, "Choose one of the provider keys on offer."),
        ({"key": ""}, "Choose the provider key that pays"),
        ({"name": "x" * 201}, "at most 200 characters"),
    ],
)
def test_what_cannot_be_ordered_goes_back_to_its_field_with_all_that_was_typed(
    browser: Client, upload: Upload, key: ProviderKey, changes: dict[str, object], sentence: str
) -> None:
    asked = {"window": "1h", "key": key.pk, "name": "my name"} | changes
    sent = reviewed(browser, upload, key)

    got = browser.get(step(upload, "review", **asked), follow=True)
    posted = submit(browser, upload, sent | {k: str(v) for k, v in asked.items()}, follow=True)

    for response in (got, posted):
        page = Page(response)
        assert response.request["PATH_INFO"] == f"/files/{upload.pk}/batch/window/"
        assert sentence in page.text
        assert page.values["name"] == asked["name"]
        assert "window" in changes or page.values["window"] == "1h"
    assert not Batch.objects.exists()


def test_a_review_without_anything_asks_for_it(browser: Client, upload: Upload) -> None:
    page = page_of(browser, f"/files/{upload.pk}/batch/review/")

    assert "Choose one of the completion windows" in page.text
    assert "Choose the provider key that pays" in page.text


def test_a_longer_window_can_be_fallen_back_to_and_says_what_it_costs(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    provider = upload.project.connection
    page = page_of(browser, step(upload, "window", window="1h"))

    asked = page.text.partition(f"If {provider} has no room for 1 h, run it in 24 h for ")[2]
    assert asked.startswith("~$0.00")
    assert page.one("input[name=fallback]")["value"] == "24h"
    assert "fallback" not in page.values
    page = page_of(browser, step(upload, "window", window="1h", fallback="24h"))
    assert page.values["fallback"] == "24h"


def test_of_three_windows_two_may_be_left_for_the_longest_with_one_tick(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    upload.project.connection.windows = ["24h", "6h", "1h"]
    upload.project.connection.save()

    page = page_of(browser, step(upload, "window", window="6h"))

    assert "has no room for 6 h or 1 h, run it in 24 h for ~$" in page.text
    assert len(page.all("input[name=fallback]")) == 1
    assert not page.all(".choice > input ~ .also")


@pytest.mark.parametrize("window", ["24h", "1h"])
def test_the_panel_follows_the_choices(
    browser: Client, upload: Upload, user: User, key: ProviderKey, window: str
) -> None:
    mine = make_key(user, upload.project.connection)

    page = page_of(browser, step(upload, "window", window=window, key=mine.pk))

    panel = page.one("aside.rail")
    assert panel.text.startswith(
        f"tickets.jsonl 3 requests, Qwen3-30B Window {spaced(window)} Due by to"
    )
    assert f"Paid by {mine}, yours" in panel.text
    cost = {"24h": "~$0.0006", "1h": "~$0.0013"}[window]
    assert panel.one("#price b").text == cost
    # A change of the choice swaps the parts of the panel that this page has, and nothing else.
    assert {fields["hx-select-oob"] for fields in page.all("[hx-select-oob]")} == {
        "#panel,#price",
        "#panel",
    }
    assert panel.one("button[formaction]")["formaction"] == f"/files/{upload.pk}/batch/window/"


def test_the_check_names_the_price_of_the_window_chosen_so_far(
    browser: Client, upload: Upload
) -> None:
    prices = [
        page_of(browser, f"/files/{upload.pk}/batch/", window=window).one("#price b").text
        for window in ("1h", "24h", "nonsense")
    ]

    assert prices == ["~$0.0013", "~$0.0006", "~$0.0006"]


def test_the_check_shows_the_first_request_but_no_secret(
    browser: Client, project: Project, user: User
) -> None:
    secret = "sk-" + 24 * "a1"
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "<b>?"}]
    open_words = request_line(1, body={"model": MODEL, "messages": messages})
    with_secret = open_words.replace("Be brief.", secret)
    files = [
        make_upload(project, user, content=f"\n{first}\n{request_line(2)}\n".encode())
        for first in (open_words, with_secret)
    ]

    for address in ("/files/{}/batch/", "/files/{}/"):
        shown, hidden = (page_of(browser, address.format(file.pk)) for file in files)

        assert shown.one("#first-request").text == "The first request System Be brief. User <b>?"
        assert "open" in shown.one("#first-request")
        assert not hidden.all("#first-request")
    assert secret not in hidden.html


@pytest.mark.parametrize("windows", [["24h"], ["fast", "slow"]])
def test_where_no_window_is_longer_there_is_nothing_to_fall_back_to(
    browser: Client, upload: Upload, key: ProviderKey, windows: list[str]
) -> None:
    upload.project.connection.windows = windows
    upload.project.connection.save()

    assert not page_of(browser, step(upload, "window")).all("input[name=fallback]")


def test_a_fallback_that_makes_no_sense_is_said_or_left_out(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    asked = {"window": "24h", "key": key.pk}

    page = page_of(browser, step(upload, "review", **asked, fallback="7d"))
    assert "Choose one of the completion windows on offer to fall back to." in page.text
    page = page_of(browser, step(upload, "review", **asked, fallback="24h"))
    assert "If there is no room" not in page.text
    assert "fallback" not in order_form(page)


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


def test_the_review_shows_all_that_will_happen(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    page = page_of(browser, step(upload, "review", window="1h", key=key.pk, name="Tickets of May"))

    for words in (
        "3 requests of tickets.jsonl go to",
        "Name Tickets of May",
        "Window 1 h Due by to",
        f"Paid by {key}, of the project",
        "$0.000072 to $0.001272 Submit 3 requests, ~$0.0013 Back to the window",
        "output tokens: no history: 1.1 times the input, at least 100 tokens",
        "Input tokens are exact.",
        "1 h, in / out",
        "$2.00 / $4.00",
    ):
        assert words in page.text
    assert page.one("#price .figure").text == "~$0.0013expected"
    drawing = page.one("#price svg")
    assert drawing["aria-label"] == "From $0.000072 to $0.001272, expected $0.0013"
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

    def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(place_order, "quote", quote)
        first.append(submit(browser, upload, sent)["Location"])
        return quote(*args)

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
    assert Batch.objects.get().model_costs.get().output_price == 99


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


# All of them


def test_who_only_looks_on_is_told_so_at_every_step(client: Client, upload: Upload) -> None:
    client.force_login(join(make_user(), upload.project, VIEWER))

    for url in (
        "/projects/support/batches/new/",
        f"/files/{upload.pk}/batch/",
        step(upload, "window"),
        step(upload, "review"),
    ):
        response = client.get(url)

        assert response.status_code == 403
        assert "Ask one of its admins to make you a member" in Page(response).text


def test_no_step_asks_the_database_more_than_eleven_times(
    browser: Client,
    upload: Upload,
    user: User,
    key: ProviderKey,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_key(user, upload.project.connection)
    for number in range(5):
        make_batch(upload.project, user, upload=upload, key=key, name="tickets")
        make_upload(upload.project, user, name=f"more {number}.jsonl")

    for url in (
        "/batches/new/",
        "/projects/support/batches/new/?q=e",
        f"/files/{upload.pk}/batch/",
        step(upload, "window", name="tickets"),
        step(upload, "window"),
        step(upload, "review", window="24h", key=key.pk, name="tickets"),
    ):
        with django_assert_max_num_queries(MOST_QUERIES):
            browser.get(url)


def page_user(browser: Client) -> User:
    return User.objects.get(pk=browser.session["_auth_user_id"])
