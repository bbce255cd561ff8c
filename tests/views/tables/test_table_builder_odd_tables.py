"""The builder with odd tables: each can be made into requests, or says why not."""

import csv
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from batchapp.domain.tables.starter_prompts import Starter
from batchapp.models import Project, SourceTable
from tests.html import Page, page_of
from tests.make import MODEL

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

START = "/projects/support/tables/new/"
LARGEST_PAGE = 120_000  # bytes

TABLES: dict[str, list[list[str]]] = {
    "long names": [["n" * 2_000, "m" * 2_000], ["a text", "b"]],
    "long names that begin alike": [["n" * 2_000 + "1", "n" * 2_000 + "2"], ["a text", "b"]],
    "many columns": [[f"column {n}" for n in range(300)], ["a text"] * 300],
    "braces": [["{review}", "{{id}}", "a}b{"], ["a text with {braces}", "1", "2"]],
    "markup": [["&amp;", "<b onclick=x>", "\"'`"], ["<script>alert(1)</script> text", "1", "2"]],
    "right to left": [["ملاحظات العميل", "מספר"], ["وصلت الطلبية متأخرة جدا", "1"]],
    "emoji": [["🧾 review", "👩‍👩‍👧"], ["😀 a text", "1"]],
    "the same names": [["text", "text", "Text", " text "], ["a text", "b", "c", "d"]],
    "names of our own": [["shown", "row", "csrfmiddlewaretoken"], ["a text", "1", "2"]],
    "names that are blank": [["", " ", "text"], ["1", "2", "a text"]],
    "line breaks": [["text\nof a review", "id"], ["a text\r\nwith\nlines", "1"]],
    "one row of one column": [["text"], ["a text"]],
    "long text": [["text"], ["a text " * 20_000]],
}


def csv_file(rows: list[list[str]]) -> SimpleUploadedFile:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return SimpleUploadedFile("odd.csv", text.getvalue().encode())


@pytest.mark.parametrize("name", TABLES)
def test_any_table_becomes_requests_by_a_starter(
    browser: Client, project: Project, name: str
) -> None:
    opened = browser.post(START, {"file": csv_file(TABLES[name])}, follow=True)
    address = opened.request["PATH_INFO"]

    filled = browser.post(address, {"starter": Starter.ANSWER, "model": MODEL})
    browser.post(address, Page(filled).one("#recipe").values)

    assert len(opened.content) < LARGEST_PAGE
    assert len(filled.content) < LARGEST_PAGE
    assert "<script>alert(1)" not in filled.content.decode()
    (line,) = b"".join(project.uploads.get().chunks()).splitlines()
    body: dict[str, Any] = json.loads(line)["body"]
    assert "text" in body["messages"][1]["content"] or name == "right to left"


@pytest.mark.parametrize("name", TABLES)
def test_every_column_can_be_named_as_the_page_names_it(
    browser: Client, project: Project, name: str
) -> None:
    opened = Page(browser.post(START, {"file": csv_file(TABLES[name])}, follow=True))
    address = project.tables.get().get_absolute_url()
    names = [chip["data-insert"] for chip in opened.all("[data-insert]")]

    prompt = "\n".join(names)
    page = Page(browser.post(address, {"prompt": prompt, "model": MODEL, "row": "1"}))

    assert names
    assert "There is no column" not in page.text
    assert not page.all("#id_prompt ~ .errorlist")


@pytest.mark.parametrize("content", [b"\n", b"text\n", b"id,text\n\n,\n"])
def test_a_table_without_rows_says_so(browser: Client, project: Project, content: bytes) -> None:
    answer = browser.post(START, {"file": SimpleUploadedFile("empty.csv", content)}, follow=True)

    table = SourceTable.objects.get()
    assert table.status == SourceTable.Status.REFUSED
    assert Page(answer).one("[role=alert]").text
    assert page_of(browser, table.get_absolute_url()).one("#another")["href"] == START
