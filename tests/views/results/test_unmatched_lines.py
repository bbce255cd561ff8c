"""Result lines that are no request's answer, as people see them; and where counts disagree."""

import pytest
from django.test import Client

from batchapp.models import Batch, Project, User
from tests.make import answer_line, finish, make_batch, make_upload, request_line

pytestmark = pytest.mark.django_db

LINES = [answer_line(n) for n in (1, 2, 3)]
ODD = [b"<html>&\0</html>" + 500 * b"x", answer_line(99)]


def finished(project: Project, user: User, *more: bytes) -> Batch:
    return finish(make_batch(project, user), [*LINES, *more])


def html(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_lines_that_were_set_aside_are_shown_and_can_be_had(
    browser: Client, project: Project, user: User
) -> None:
    batch = finished(project, user, *ODD)

    overview = html(browser, f"/batches/{batch.pk}/")
    assert "2 result lines belong to no request, or came a second time." in overview
    assert f'href="/batches/{batch.pk}/unmatched/"' in overview
    assert "Set aside (2)" in html(browser, f"/batches/{batch.pk}/results/")
    shown = html(browser, f"/batches/{batch.pk}/unmatched/")
    assert "Not readable" in shown
    assert "&lt;html&gt;&amp;�&lt;/html&gt;" in shown
    assert 200 * "x" not in shown
    assert "<code>row-99</code>" in shown
    download = browser.get(f"/batches/{batch.pk}/unmatched.jsonl")
    assert b"".join(download) == b"\n".join([*ODD, b""])  # type: ignore[arg-type]
    assert "set-aside.jsonl" in download["Content-Disposition"]


def test_without_such_lines_nothing_is_said_of_them(
    browser: Client, project: Project, user: User
) -> None:
    batch = finished(project, user)

    assert "et aside" not in html(browser, f"/batches/{batch.pk}/")
    assert "et aside" not in html(browser, f"/batches/{batch.pk}/results/")
    assert "Every result line is the answer" in html(browser, f"/batches/{batch.pk}/unmatched/")
    assert browser.get(f"/batches/{batch.pk}/unmatched.jsonl").status_code == 200


def test_many_of_them_are_paged(browser: Client, project: Project, user: User) -> None:
    batch = finished(project, user, *[answer_line(n) for n in range(100, 160)])

    first = html(browser, f"/batches/{batch.pk}/unmatched/")
    assert "row-149<" in first
    assert "row-150<" not in first
    after = first.split("?after=")[1].split('"')[0]
    second = html(browser, f"/batches/{batch.pk}/unmatched/?after={after}")
    assert "row-150<" in second
    assert "row-149<" not in second
    assert "No more lines." in html(browser, f"/batches/{batch.pk}/unmatched/?after=999999999")
    assert "row-100<" in html(browser, f"/batches/{batch.pk}/unmatched/?after=nonsense")


def test_counts_that_disagree_stand_beside_the_proof(
    browser: Client, project: Project, user: User
) -> None:
    batch = finished(project, user)
    Batch.objects.filter(pk=batch.pk).update(discrepancy="Acme counts 4 completed and 0 failed.")

    shown = html(browser, f"/batches/{batch.pk}/")

    assert "3 in = 3 answered" in shown
    assert "Acme counts 4 completed and 0 failed." in shown


def test_an_answer_of_another_model_says_so(browser: Client, project: Project, user: User) -> None:
    other = LINES[0].replace(b"Qwen/Qwen3-30B", b"Qwen/Qwen3-4B")
    same = LINES[1].replace(b"Qwen/Qwen3-30B", b"qwen3-30b")
    batch = finish(make_batch(project, user), [other, same, LINES[2]])

    assert "Qwen/Qwen3-4B says that it answered" in html(
        browser, f"/batches/{batch.pk}/results/1/"
    )
    assert "says that it answered" not in html(browser, f"/batches/{batch.pk}/results/2/")


def test_an_answer_that_is_not_as_the_schema_asks_is_found_by_that(
    browser: Client, project: Project, user: User
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"required": ["a"]}}}
    asks = [{"role": "user", "content": "Where?"}]
    body = {"model": "Qwen/Qwen3-30B", "messages": asks, "response_format": form}
    upload = make_upload(project, user, content=request_line(1, body=body).encode())
    batch = finish(make_batch(project, user, upload=upload), [answer_line(1, text="{}")])

    rows = html(browser, f"/batches/{batch.pk}/results/?outcome=invalid_schema")
    one = html(browser, f"/batches/{batch.pk}/results/1/")

    assert "row-1<" in rows
    assert "Not as the schema asks" in rows
    assert "&quot;a&quot; is a required property" in one
    assert "row-1<" in html(browser, f"/batches/{batch.pk}/results/?outcome=answered")
