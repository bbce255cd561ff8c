"""A file that is turned into requests with one button on its page."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.models import Project, Upload, User
from tests.html import Page, page_of
from tests.make import MODEL, VIEWER, join, make_upload, make_user, request_line
from tests.steps import advance

pytestmark = pytest.mark.django_db

QUESTION = {"role": "user", "content": "Is <b>this</b> one?"}
SECRET = "sk-" + "a1B2" * 12


def lines(*values: object) -> bytes:
    return "\n".join(map(json.dumps, values)).encode()


def anthropic(number: int, **params: Any) -> dict[str, Any]:
    fields = {"model": MODEL, "max_tokens": 5, "messages": [QUESTION]} | params
    return {"custom_id": f"row-{number}", "params": fields}


def mistral(number: int, **body: Any) -> dict[str, Any]:
    return {"custom_id": f"row-{number}", "body": {"messages": [QUESTION]} | body}


def press(browser: Client, page: Page, upload: Upload, **values: str) -> Upload:
    """Send the form of the button as a browser without scripts does, and let a worker work."""
    form = page.one("#convert")
    boxes = form.all("input[name=corrections]")
    data: dict[str, Any] = {"corrections": [box["value"] for box in boxes], **values}
    response = browser.post(form["action"], data | {"submission": str(uuid.uuid4())})
    made = Upload.objects.select_related("project__connection").get(made_from=upload)
    assert response["Location"] == made.get_absolute_url()
    advance(made)
    made.refresh_from_db()
    return made


def requests_of(upload: Upload) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(upload.chunks()).splitlines()]


def test_a_file_of_another_format_is_named_and_turned_into_requests_with_one_button(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=lines(*map(anthropic, range(5))))

    page = page_of(browser, upload.get_absolute_url())

    assert page.one(".headline").text == (
        "This is Anthropic's batch format (custom_id and params)."
    )
    first = page.all("#convert .folds > li")
    assert [row.one("b").text for row in first] == ["row-0", "row-1", "row-2"]
    assert "Is <b>this</b> one?" in first[0].text
    assert '"url": "/v1/messages"' in first[0].one("pre").text
    assert not page.all("#convert select[name=model]")

    made = press(browser, page, upload)

    assert made.status == Upload.Status.READY
    assert [row["url"] for row in requests_of(made)] == ["/v1/messages"] * 5
    assert b"".join(upload.chunks()) == lines(*map(anthropic, range(5)))


def test_the_other_endpoint_can_be_chosen(browser: Client, project: Project, user: User) -> None:
    upload = make_upload(project, user, content=lines(anthropic(1, system="Be brief.")))
    page = page_of(browser, upload.get_absolute_url())

    made = press(browser, page, upload, url="/v1/chat/completions")

    (request,) = requests_of(made)
    assert request["body"]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_model_is_asked_for_and_written(browser: Client, project: Project, user: User) -> None:
    content = json.dumps([mistral(number) for number in range(4)], indent=2).encode("utf-16")
    upload = make_upload(project, user, name="list.json", content=content)
    page = page_of(browser, upload.get_absolute_url())

    assert page.one("#convert select[name=model]")
    refused = browser.post(
        reverse("file_correct", args=[upload.pk]),
        {"corrections": ["convert_to_utf8", "one_per_line", "convert_format", "set_model"]},
    )
    made = press(browser, page, upload, model=MODEL)

    assert "Choose the model to write" in Page(refused).text
    assert (made.status, made.requests, made.name) == (
        Upload.Status.READY,
        4,
        "list-corrected.jsonl",
    )
    assert {row["body"]["model"] for row in requests_of(made)} == {MODEL}


def test_an_endpoint_that_no_body_tells_is_asked_for(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=lines({"model": MODEL, "input": "Once"}))
    page = page_of(browser, upload.get_absolute_url())

    assert page.texts("#convert select[name=url] option")[:2] == [
        "Choose an endpoint",
        "/v1/chat/completions",
    ]

    made = press(browser, page, upload, url="/v1/responses")

    assert requests_of(made)[0]["url"] == "/v1/responses"


def test_lines_that_stay_bad_offer_the_corrections_and_repeat_no_finding(
    browser: Client, project: Project, user: User
) -> None:
    content = b'{"custom_id": "1", "url": "/v1/responses"}\nnot JSON\n'
    upload = make_upload(project, user, content=content)

    page = page_of(browser, upload.get_absolute_url())
    step = page_of(browser, f"/files/{upload.pk}/batch/")

    assert not page.all("#convert")
    assert not step.all("#convert")
    assert page.text.count("The line is not JSON") == 1
    assert step.one(".foot .main")["id"] == "correct"


def test_a_line_of_which_something_would_be_lost_is_said_and_stays(
    browser: Client, project: Project, user: User
) -> None:
    part = {"fileData": {"fileUri": "gs://bucket/a.png"}}
    vertex = [
        {"key": name, "request": {"contents": [{"parts": parts}], "model": MODEL}}
        for name, parts in (("a", [{"text": "Why?"}]), ("b", [part]))
    ]
    upload = make_upload(project, user, content=lines(*vertex))
    page = page_of(browser, upload.get_absolute_url())

    assert "1 line of the first 2 cannot be sent" in page.one("#convert").text
    assert "fileData, which has no equal in a request" in page.one("#convert").text

    made = press(browser, page, upload)

    assert made.status == Upload.Status.FAULTY
    assert requests_of(made)[1] == vertex[1]


def test_a_secret_is_not_repeated(browser: Client, project: Project, user: User) -> None:
    message = {"role": "user", "content": f"My key is {SECRET}"}
    upload = make_upload(project, user, content=lines(anthropic(1, messages=[message])))

    page = page_of(browser, upload.get_absolute_url())

    assert SECRET not in page.html
    assert "what looks like a secret" in page.one("#convert").text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"messages": [QUESTION, {"role": "assistant", "content": "No."}]}, "for fine-tuning"),
        ({"custom_id": "a", "response": {"status_code": 200}, "error": None}, "file of results"),
    ],
)
def test_what_is_not_certain_has_a_sentence_and_no_button(
    browser: Client, project: Project, user: User, line: object, words: str
) -> None:
    upload = make_upload(project, user, content=lines(line, line))

    page = page_of(browser, upload.get_absolute_url())

    assert words in page.one(".headline").text
    assert not page.all("#convert")
    assert "Drop the lines" not in page.text


def test_a_file_with_good_lines_keeps_the_choice_of_corrections(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=f"{request_line(1)}\nnonsense".encode())

    page = page_of(browser, upload.get_absolute_url())

    assert not page.all("#convert")
    assert page.one("#correct")


def test_a_viewer_reads_the_sentence_and_has_no_button(
    client: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=lines(anthropic(1)))
    client.force_login(join(make_user(), project, VIEWER))

    page = page_of(client, upload.get_absolute_url())

    assert "Anthropic" in page.one(".headline").text
    assert not page.all("#convert")


def test_the_check_of_a_new_batch_has_the_same_button(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=lines(anthropic(1)))

    page = page_of(browser, reverse("order_check", args=[upload.pk]))

    assert press(browser, page, upload).status == Upload.Status.READY


def test_a_file_that_cannot_be_read_has_no_button(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, content=lines(anthropic(1)))
    upload.blob.storage.delete(upload.blob.name)

    assert not page_of(browser, upload.get_absolute_url()).all("#convert")


def test_repeated_requests_are_dropped_only_if_a_person_says_so(
    browser: Client, project: Project, user: User
) -> None:
    body = json.loads(request_line(1))["body"]
    content = "".join(f"{request_line(number, body=body)}\n" for number in range(4))
    upload = make_upload(project, user, content=content.encode())
    address = reverse("file_correct", args=[upload.pk])

    page = page_of(browser, f"{address}?corrections=drop_repeated")
    unasked = page_of(browser, address)

    assert "Drop repeated requests" in page.text
    assert "3 lines, saves ~$" in page.text
    assert "3 repeated requests dropped" in page.text
    assert not [
        box
        for box in unasked.all("input[name=corrections][checked]")
        if box["value"] == "drop_repeated"
    ]
    browser.post(address, {"corrections": ["drop_repeated"]})
    made = Upload.objects.get(made_from=upload)
    advance(made)
    made.refresh_from_db()
    assert [row["custom_id"] for row in requests_of(made)] == ["row-0"]
