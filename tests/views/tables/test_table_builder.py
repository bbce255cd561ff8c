"""From a table to a file of requests, as a person does it."""

import csv
import io
import json
import zlib
from typing import Any

import msgspec
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp import tasks
from batchapp.domain.tables.read_options import ReadOptions
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import (
    FileOrigin,
    LeasedRow,
    OfferedModel,
    Project,
    PromptTemplate,
    SourceTable,
    Upload,
    User,
)
from batchapp.pipeline import runner
from batchapp.pipeline.runner import Step
from batchapp.presenters.problem_text import problem_text
from batchapp.services.tables import preview_requests, requests_from_table, table_import
from tests.domain.tables.sample_workbooks import replaced
from tests.html import Page, page_of
from tests.make import MODEL, VIEWER, join, make_batch, make_project, make_table, make_user
from tests.steps import advance, faster_worker, finish_claimed
from tests.views.sample_tables import workbook

pytestmark = pytest.mark.django_db

START = "/projects/support/tables/new/"
RECIPE = PromptSettings(
    model=MODEL, prompt="Say {text}", max_tokens=20, empty="stop", unsafe_ids="hash"
)
FIELDS = {
    "prompt": "Ticket of {name}:\r\n{text}",
    "system": "Be terse.",
    "model": MODEL,
    "url": "/v1/chat/completions",
    "max_tokens": "20",
    "id_column": "id",
    "empty": "stop",
    "duplicate_ids": "stop",
}


Committed = Any
"""pytest-django's ``django_capture_on_commit_callbacks``, whose type has a long name."""


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Committed) -> Committed:
    return django_capture_on_commit_callbacks


@pytest.fixture
def table(project: Project, user: User) -> SourceTable:
    return make_table(project, user)


def create_requests(browser: Client, table: SourceTable) -> Any:
    """Press the button of the builder, with the fields as the page shows them."""
    address = table.get_absolute_url()
    return browser.post(address, page_of(browser, address).one("#recipe").values, follow=True)


def requests_of(upload: Upload) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(upload.chunks()).splitlines()]


def test_a_script_that_sends_a_table_is_told_its_page(browser: Client, project: Project) -> None:
    wants = {"Accept": "application/json"}
    sent = SimpleUploadedFile("tickets.csv", b"id,text\n1,hello\n")

    stored = browser.post(START, {"file": sent}, headers=wants)
    refused = browser.post(START, {"file": SimpleUploadedFile("none.csv", b"")}, headers=wants)

    table = SourceTable.objects.get()
    assert stored.status_code == 201
    assert stored.json() == {"files": [{"next": f"/tables/{table.pk}/"}]}
    assert refused.status_code == 400
    assert "none.csv is empty" in refused.json()["error"]


def test_a_table_becomes_a_file_that_goes_on_to_its_check(
    browser: Client, project: Project, committed: Committed
) -> None:
    sent = SimpleUploadedFile("tickets.csv", "id;name;text\nt-1;Ana;Größe?\n".encode("cp1252"))

    mapping = browser.post(START, {"file": sent}, follow=True)
    with committed(execute=True):
        made = browser.post(mapping.request["PATH_INFO"], FIELDS, follow=True)

    assert "{name}" in mapping.content.decode()
    assert "Windows-1252" in mapping.content.decode()
    upload = project.uploads.get()
    assert made.request["PATH_INFO"] == f"/files/{upload.pk}/batch/window/"
    assert requests_of(upload)[0] == {
        "custom_id": "t-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "Be terse."},
                {"role": "user", "content": "Ticket of Ana:\nGröße?"},
            ],
            "max_tokens": 20,
        },
    }
    assert upload.name == "tickets.jsonl"
    assert upload.status == Upload.Status.READY


def test_a_table_that_a_worker_took_first_shows_its_progress_and_goes_on(
    browser: Client, project: Project
) -> None:
    sent = SimpleUploadedFile("tickets.csv", b"id,name,text\nt-1,Ana,Hello\n")
    with faster_worker(SourceTable) as claimed:
        page = Page(browser.post(START, {"file": sent}, follow=True))

    assert "The table is being read" in page.text
    address = page.one("#live")["hx-get"]
    finish_claimed(claimed)
    assert "{name}" in page_of(browser, address).text


def test_a_file_that_a_worker_makes_first_shows_its_progress_and_goes_on(
    browser: Client, project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make_table(project, user, prompt_settings=RECIPE)
    claimed: list[LeasedRow] = []

    def claim_first(row: LeasedRow, step: Step) -> list[LeasedRow]:
        claimed.append(SourceTable.objects.claim(row.pk, row.status))
        return runner.run_step(row, step)

    monkeypatch.setattr(tasks, "run_step", claim_first)

    page = Page(create_requests(browser, table))

    assert "The requests are being created" in page.text
    address = page.one("#live")["hx-get"]
    finish_claimed(claimed)
    made = browser.get(address, follow=True)
    assert made.request["PATH_INFO"] == f"/files/{project.uploads.get().pk}/batch/"


def test_pasted_cells_are_a_table(browser: Client, project: Project) -> None:
    browser.post(START, {"pasted": "id\ttext\r\n1\ttwo, three\r\n"})

    table = project.tables.get()
    assert (table.columns, table.rows) == (["id", "text"], 1)
    assert list(table.open_rows()) == [{"id": "1", "text": "two, three"}]


def test_another_sheet_of_a_workbook_can_be_read(browser: Client, project: Project) -> None:
    content = workbook(Sheet=[["a"], ["1"]], Second=[["b"], ["2"], ["3"]])
    browser.post(START, {"file": SimpleUploadedFile("book.csv", content)})
    table = project.tables.get()
    before = table.cells.name

    browser.post(f"/tables/{table.pk}/read/", {"sheet": "Second"})

    table.refresh_from_db()
    assert (table.columns, table.rows, table.read_options.sheet) == (["b"], 2, "Second")
    assert not table.cells.storage.exists(before) or table.cells.name == before


def test_what_was_detected_is_shown_and_can_be_changed(browser: Client, project: Project) -> None:
    content = "Tickets;;\nid;text;team\n1;NULL;a,b\n".encode("cp1251")
    browser.post(START, {"file": SimpleUploadedFile("a.csv", content)})
    table = project.tables.get()
    page = page_of(browser, table.get_absolute_url())
    shown = page.one("form[action$='/read/']").values

    browser.post(f"/tables/{table.pk}/read/", shown | {"header_row": "1"})

    table.refresh_from_db()
    assert (shown["encoding"], shown["separator"], shown["header_row"]) == ("utf-8-sig", ";", "2")
    assert "1 cell of text says NULL" in page.text
    assert table.read_options == ReadOptions("utf-8-sig", ";", "", 1, "double")


def test_a_table_that_is_refused_shows_how_it_was_read(browser: Client, project: Project) -> None:
    sent = SimpleUploadedFile("a.csv", b"id;text\n1;Oslo; Norway\n")
    page = Page(browser.post(START, {"file": sent}, follow=True))
    shown = page.one("form[action$='/read/']").values

    read = browser.post(
        f"/tables/{project.tables.get().pk}/read/", shown | {"separator": "\x1f"}, follow=True
    )

    assert "Line 2 has 3 cells, but the header (line 1) names 2 columns." in page.text
    assert (shown["separator"], shown["header_row"]) == (";", "1")
    assert project.tables.get().columns == ["id;text"]
    assert "1 row of 1 column" in Page(read).text


def test_another_separator_finds_the_header_again(browser: Client, project: Project) -> None:
    browser.post(START, {"pasted": "Tickets;;\nid;text;team\n1;a,b;c"})
    table = project.tables.get()
    assert table.read_options.header_row == 2

    fields = {"encoding": "utf-8-sig", "separator": "\x1f", "quoting": "double"}
    browser.post(f"/tables/{table.pk}/read/", fields | {"header_row": "2", "empty_words": "1"})

    table.refresh_from_db()
    assert table.columns == ["Tickets;;"]
    assert table.read_options.header_row == 1
    assert table.read_options.empty_words == "1"


def test_a_data_set_of_json_is_a_table_without_separator(
    browser: Client, project: Project
) -> None:
    content = b'{"id": 1, "input": {"question": "Why?"}}\n{"id": 2, "input": {}}\n'
    browser.post(START, {"file": SimpleUploadedFile("set.jsonl", content)})

    table = project.tables.get()
    page = page_of(browser, table.get_absolute_url())
    assert table.columns == ["id", "input", "input.question"]
    assert "read as UTF-8" in page.text
    assert not page.all("#id_separator")
    assert not page.all("#id_header_row")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({}, "Choose a table first"),
        ({"pasted": "  \n "}, "Choose a table first"),
        ({"file": b""}, "is empty"),
        ({"file": b"%PDF-1"}, "This is a PDF"),
        ({"file": b"a,b\n1,2", "pasted": "a"}, "not both"),
        ({"pasted": "a\n1", "template": "nonsense"}, "Choose one of the project"),
    ],
)
def test_what_is_no_table_is_refused_on_the_spot(
    browser: Client, project: Project, sent: dict[str, Any], says: str
) -> None:
    data = {
        name: SimpleUploadedFile("x", value) if name == "file" else value
        for name, value in sent.items()
    }

    response = browser.post(START, data)

    assert says in response.content.decode()
    assert not project.tables.exists()


def test_a_table_that_is_too_large_is_refused(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_import, "MAX_TABLE_MIB", 0)

    response = browser.post(START, {"pasted": "a\n1"})

    assert "0 MiB at most" in response.content.decode()
    assert not project.tables.exists()


def test_a_table_without_rows_says_so_and_can_be_read_differently(
    browser: Client, project: Project
) -> None:
    response = browser.post(START, {"pasted": "a,b"}, follow=True)

    html = response.content.decode()
    assert "a header and no rows" in html
    assert "Change how the table is read" in html
    assert project.tables.get().status == SourceTable.Status.REFUSED


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompt": ""}, "Write the prompt"),
        ({"prompt": "{nmae}"}, "Did you mean name?"),
        ({"prompt": "{"}, "has no partner"),
        ({"system": "{gone}"}, "no column gone"),
        ({"model": ""}, "Name the model"),
        ({"max_tokens": "0"}, "greater than or equal to 1"),
        ({"temperature": "hot"}, "Enter a number"),
        ({"schema": "[1]"}, "not a JSON object"),
        ({"schema": '{"type": "nonsense"}'}, "would refuse this schema"),
        ({"schema": "[" * 100_000}, "not a JSON object"),
        ({"id_column": "nmae"}, "Did you mean name?"),
        ({"image_column": "gone"}, "no column gone"),
        ({"url": "/v1/nonsense"}, "Select a valid choice"),
    ],
)
def test_a_recipe_that_does_not_fit_is_marked_where_it_is_wrong(
    browser: Client, table: SourceTable, changes: dict[str, str], says: str
) -> None:
    response = browser.post(table.get_absolute_url(), FIELDS | changes)

    assert says in response.content.decode().replace("&quot;", '"')
    table.refresh_from_db()
    assert table.prompt_settings is None


def test_any_rows_can_be_looked_at_before_the_prompt_is_saved(
    browser: Client, project: Project, user: User
) -> None:
    rows = "t-1,Ana,Hello\nt-2,Bob,\nt-3,Cho,Bye\nt-4,Dan,Why?\nt-5,Eve,How?\n"
    table = make_table(project, user, content=f"id,name,text\n{rows}")
    address = table.get_absolute_url()

    first = Page(browser.post(address, FIELDS | {"row": "1"}))
    second = Page(browser.post(address, FIELDS | {"row": "4"}))
    beyond = Page(browser.post(address, FIELDS | {"row": "99", "model": ""}))
    skipped = Page(browser.post(address, FIELDS | {"row": "2", "empty": "skip"}))

    assert "Ticket of Ana: Hello" in first.one("#request").text
    assert "Ticket of Cho: Bye" in first.one("#request").text
    assert "Dan" not in first.one("#request").text
    assert "disabled" in first.one("#row-left")
    assert first.one("#row-right")["value"] == "4"
    assert "Column “text” is empty." in first.one("#request").text
    assert "Ticket of Eve: How?" in second.one("#request").text
    assert "Ticket of Eve: How?" in beyond.one("#request").text
    assert "disabled" in beyond.one("#row-right")
    assert "Name the model to ask." in beyond.text
    assert "This row is left out" in skipped.one("#request").text
    assert first.one("textarea#id_prompt").text == "Ticket of {name}: {text}"
    table.refresh_from_db()
    assert table.prompt_settings is None


def test_a_script_gets_the_row_and_the_price_alone(browser: Client, table: SourceTable) -> None:
    address, headers = table.get_absolute_url(), {"HX-Request": "true"}

    shown = Page(browser.post(address, FIELDS | {"shown": "2"}, headers=headers))
    wrong = Page(browser.post(address, FIELDS | {"row": "x", "prompt": "{"}, headers=headers))

    assert not shown.all("form")
    assert shown.one("#price")["hx-swap-oob"] == "true"
    assert "~$" in shown.one("#price").text
    assert "~$" not in wrong.one("#price").text
    assert shown.values == {"shown": "1"}
    assert wrong.values == {"shown": "1"}


def test_options_are_folded_away_as_long_as_they_are_as_usual(
    browser: Client, table: SourceTable
) -> None:
    usual = page_of(browser, table.get_absolute_url())
    requests_from_table.save_settings(
        table, table.created_by, msgspec.structs.replace(RECIPE, temperature=0.5), None
    )

    changed = page_of(browser, table.get_absolute_url())

    assert "More options (all as usual)" in usual.text
    assert "More options (1 changed)" in changed.text


def test_the_preview_names_the_rows_that_give_no_request(
    browser: Client, project: Project, user: User
) -> None:
    content = "id,name,text\na,Ana,x\nb,Bob,\na,Cho,y\n"
    table = make_table(project, user, content=content)

    page = Page(browser.post(table.get_absolute_url(), FIELDS, follow=True))

    assert "2 rows give no request" in page.text
    assert "Row 2: Column “text” is empty." in page.text
    assert "Row 3: custom_id a is the id of row 1 too." in page.text
    assert not project.uploads.exists()


def test_rows_with_an_empty_cell_are_left_out_by_one_click(
    browser: Client, project: Project, user: User
) -> None:
    table = make_table(project, user, content="id,name,text\na,Ana,x\nb,Bob,\n")

    page = Page(browser.post(table.get_absolute_url(), FIELDS | {"leave_out": "1"}))
    browser.post(table.get_absolute_url(), page.one("#recipe").values)

    assert "1 row with an empty cell left out" in page.text
    assert [line["custom_id"] for line in requests_of(project.uploads.get())] == ["a"]


def test_a_file_is_made_of_all_rows_or_of_none(
    browser: Client, project: Project, user: User
) -> None:
    content = "id,text\n" + 1_500 * "1,x\n" + "2,\n"
    table = make_table(project, user, content=content, prompt_settings=RECIPE)

    page = Page(create_requests(browser, table))

    assert "No file was created. 1 row gives no request" in page.text
    assert "Row 1,501: Column “text” is empty." in page.text
    assert not project.uploads.exists()


def test_a_price_is_shown_for_each_window_and_none_is_invented(
    browser: Client, table: SourceTable
) -> None:
    address, unpriced = table.get_absolute_url(), {"model": "somebody/else"}
    known = browser.post(address, FIELDS | {"row": "1"}).content.decode()
    unknown = Page(browser.post(address, FIELDS | unpriced | {"row": "1"})).one("#price").text

    assert "24 h" in known
    assert "~$" in known
    assert "no price" in unknown
    assert "~$" not in unknown


def test_of_a_long_table_the_first_rows_stand_for_all(
    browser: Client, project: Project, user: User
) -> None:
    rows = 3 * preview_requests.PREVIEW_ROWS
    content = "text\n" + rows * "The same question\n"
    table = make_table(project, user, content=content, prompt_settings=RECIPE)
    seen = preview_requests.preview_requests(table, RECIPE)

    page = page_of(browser, table.get_absolute_url())

    facts = preview_requests.extrapolate_report(seen, rows).models[MODEL]
    assert facts.requests == rows
    assert facts.input_tokens == 3 * seen.report.models[MODEL].input_tokens
    assert not facts.exact
    assert "of the first 1,000 rows" in page.text
    assert "about 3,000" in page.one("#request").text


def test_more_rows_than_the_provider_takes_in_one_file_are_made_into_one_here(
    browser: Client, project: Project, user: User
) -> None:
    project.connection.max_requests = 1
    project.connection.save()
    table = make_table(project, user, prompt_settings=RECIPE)

    made = create_requests(browser, table)
    (upload,) = Upload.objects.all()
    advance(upload)
    upload.refresh_from_db()

    assert made.status_code == 200
    assert upload.status == Upload.Status.READY
    assert upload.report
    assert upload.report.provider_batches == 2


def test_a_large_table_is_read_and_made_by_a_worker(
    browser: Client,
    project: Project,
    woken: list[str],
    monkeypatch: pytest.MonkeyPatch,
    committed: Committed,
) -> None:
    monkeypatch.setattr(table_import, "QUICK_BYTES", {"text": 0, "json": 0, "workbook": 0})
    monkeypatch.setattr(requests_from_table, "QUICK_ROWS", 0)

    with committed(execute=True):
        browser.post(START, {"pasted": "id,name,text\n1,a,b"})
    table = project.tables.get()
    assert "being read" in page_of(browser, table.get_absolute_url()).text
    tasks.advance("sourcetable", woken.pop())
    with committed(execute=True):
        making = browser.post(table.get_absolute_url(), FIELDS, follow=True)
    assert "The requests are being created" in Page(making).text
    tasks.advance("sourcetable", woken.pop())

    done = browser.get(f"/tables/{table.pk}/?made=1", headers={"HX-Request": "true"})
    assert done["HX-Redirect"] == f"/files/{project.uploads.get().pk}/batch/?then=window"


def test_a_workbook_that_unpacks_to_much_is_left_to_a_worker(
    browser: Client, project: Project, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_import, "QUICK_UNPACKED_BYTES", 1_000)

    browser.post(START, {"file": SimpleUploadedFile("a.xlsx", workbook(S=[["text"], ["a"]]))})

    assert project.tables.get().status == SourceTable.Status.READING


def test_hidden_rows_are_said_and_can_be_left_out(browser: Client, project: Project) -> None:
    content = workbook(S=[["text"], ["one"], ["two"], ["three"]])
    content = replaced(content, "sheet1.xml", b'<row r="3"', b'<row r="3" hidden="1"')
    merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A2:B3"/></mergeCells>'
    content = replaced(content, "sheet1.xml", b"</sheetData>", merged)

    browser.post(START, {"file": SimpleUploadedFile("a.xlsx", content)})
    table = project.tables.get()
    page = page_of(browser, table.get_absolute_url())
    assert "1 hidden row is sent, too." in page.text
    assert "merges cells: A2:B3." in page.text
    assert table.rows == 3

    browser.post(f"/tables/{table.pk}/read/", {"sheet": "S", "without_hidden": "1"})
    table.refresh_from_db()
    page = page_of(browser, table.get_absolute_url())
    assert "1 hidden row is left out." in page.text
    assert table.rows == 2


def test_another_sheet_can_be_chosen_and_the_first_table_is_guessed(
    browser: Client, project: Project
) -> None:
    content = workbook(
        Cover=[["Report"]], Reviews=[["id", "text"], [1, "a"]], More=[["id", "note"], [2, "b"]]
    )

    browser.post(START, {"file": SimpleUploadedFile("a.xlsx", content)})
    table = project.tables.get()
    assert table.columns == ["id", "text"]
    assert "Reviews" in page_of(browser, table.get_absolute_url()).text

    browser.post(f"/tables/{table.pk}/read/", {"sheet": "More"})
    table.refresh_from_db()
    assert table.columns == ["id", "note"]


def test_another_sheet_can_be_chosen_where_one_cannot_be_read(
    browser: Client, project: Project
) -> None:
    content = workbook(Reviews=[["id", "text"], [1, "a"]], Empty=[["only", "a header"]], None_=[])

    browser.post(START, {"file": SimpleUploadedFile("a.xlsx", content)})
    table = project.tables.get()
    for sheet in ("Empty", "None_"):
        browser.post(f"/tables/{table.pk}/read/", {"sheet": sheet})
        table.refresh_from_db()
        page = page_of(browser, table.get_absolute_url())
        assert table.status == SourceTable.Status.REFUSED
        assert page.all("select[name=sheet]")
        assert not page.all("select[name=encoding]")

    browser.post(f"/tables/{table.pk}/read/", {"sheet": "Reviews"})
    table.refresh_from_db()
    assert table.status == SourceTable.Status.KEPT


def test_the_list_of_ids_holds_no_formula() -> None:
    origin = FileOrigin()
    origin.ids = zlib.compress(requests_from_table._id_map_csv([("cmd-1", "=cmd|' /C calc'!A1")]))

    listed = requests_from_table.id_map_csv(origin).decode("utf-8-sig").splitlines()

    assert listed == ["custom_id,id_in_the_table", "cmd-1,'=cmd|' /C calc'!A1"]


def test_pressing_twice_makes_one_file(
    browser: Client, project: Project, table: SourceTable
) -> None:
    requests_from_table.save_settings(table, table.created_by, RECIPE, None)

    for _ in range(2):
        create_requests(browser, table)

    assert project.uploads.count() == 1
    assert FileOrigin.objects.count() == 1


def test_a_file_says_what_made_it(browser: Client, project: Project, user: User) -> None:
    table = make_table(project, user, content=f"id,text\n{40 * 'ö'},a\nb,c\n")
    prompt_settings = PromptSettings(
        model=MODEL, prompt="Say {text}", id_column="id", unsafe_ids="hash"
    )
    version = requests_from_table.save_template(project, user, "Sayings", prompt_settings)
    requests_from_table.save_settings(table, user, prompt_settings, version)

    create_requests(browser, table)

    upload = project.uploads.get()
    page = page_of(browser, f"/files/{upload.pk}/origin/")
    assert "Sayings" in page.text
    assert "version 1" in page.text
    ids = browser.get(f"/files/{upload.pk}/origin/ids.csv").content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(ids))
    assert row["id_in_the_table"] == 40 * "ö"
    assert row["custom_id"] == requests_of(upload)[0]["custom_id"]


def test_a_recipe_that_was_changed_is_not_called_the_template(
    browser: Client, project: Project, user: User, table: SourceTable
) -> None:
    version = requests_from_table.save_template(project, user, "Sayings", RECIPE)
    changed = msgspec.structs.replace(RECIPE, prompt="Repeat {text}")
    requests_from_table.save_settings(table, user, changed, version)

    create_requests(browser, table)

    assert FileOrigin.objects.get().version is None
    assert FileOrigin.objects.get().prompt_settings == changed


def test_saving_under_a_name_makes_the_next_version(
    browser: Client, project: Project, table: SourceTable
) -> None:
    for prompt in ("One {text}", "Two {text}", "Two {text}"):
        saving = {"prompt": prompt, "name": "Mine", "save_template": "1"}
        browser.post(table.get_absolute_url(), FIELDS | saving)

    template = project.templates.get()
    assert [each.number for each in template.versions.all()] == [2, 1]
    assert template.versions.all()[0].prompt_settings.prompt == "Two {text}"
    page = page_of(browser, f"/prompt-templates/{template.pk}/")
    assert page.texts("main h2") == ["Version 2", "Version 1"]
    assert page.one("#use")["href"] == f"{START}?template={template.pk}"


def test_a_template_on_another_table_names_the_columns_that_are_missing(
    browser: Client, project: Project, user: User
) -> None:
    template = requests_from_table.save_template(project, user, "Mine", RECIPE).template

    html = browser.post(
        START, {"pasted": "id,txet\n1,x", "template": template.pk}, follow=True
    ).content.decode()

    assert "There is no column text. Did you mean txet?" in html
    assert "Say {text}" in html
    create_requests(browser, project.tables.get())
    assert not project.uploads.exists()


def test_a_template_on_a_table_that_has_its_columns_leads_to_the_same_requests(
    browser: Client, project: Project, user: User
) -> None:
    template = requests_from_table.save_template(project, user, "Mine", RECIPE).template

    browser.post(START, {"pasted": "text\nhello", "template": template.pk})
    create_requests(browser, project.tables.get())

    (request,) = requests_of(project.uploads.get())
    assert request["body"]["messages"] == [{"role": "user", "content": "Say hello"}]


def test_a_template_of_another_project_is_neither_offered_nor_taken(
    browser: Client, project: Project, user: User
) -> None:
    other = make_project(user, name="Other", slug="other")
    theirs = requests_from_table.save_template(other, user, "Theirs", RECIPE).template

    response = browser.post(START, {"pasted": "text\nx", "template": theirs.pk})

    assert "Theirs" in page_of(browser, "/projects/other/tables/new/").text
    assert "Theirs" not in page_of(browser, START).html
    assert "Choose one of the project" in Page(response).text
    assert not project.tables.exists()


def test_a_deleted_template_leaves_the_files_it_made(
    browser: Client, project: Project, user: User, table: SourceTable
) -> None:
    version = requests_from_table.save_template(project, user, "Mine", RECIPE)
    requests_from_table.save_settings(table, user, RECIPE, version)
    create_requests(browser, table)

    browser.post(f"/prompt-templates/{version.template.pk}/delete/")

    assert not PromptTemplate.objects.exists()
    upload = project.uploads.get()
    assert "Say {text}" in page_of(browser, f"/files/{upload.pk}/origin/").text


def test_a_table_is_deleted_on_demand_and_its_files_stay(
    browser: Client, project: Project, table: SourceTable
) -> None:
    requests_from_table.save_settings(table, table.created_by, RECIPE, None)
    create_requests(browser, table)

    assert "Keep the table" in page_of(browser, f"/tables/{table.pk}/delete/").text
    browser.post(f"/tables/{table.pk}/delete/")

    assert not project.tables.exists()
    assert project.uploads.count() == 1
    assert not table.blob.storage.exists(table.blob.name)


def test_a_table_of_a_batch_is_not_deleted_and_says_why(
    browser: Client, project: Project, table: SourceTable
) -> None:
    requests_from_table.save_settings(table, table.created_by, RECIPE, None)
    create_requests(browser, table)
    upload = project.uploads.get()
    advance(upload)
    make_batch(upload=Upload.objects.get(pk=upload.pk))

    asked = page_of(browser, f"/tables/{table.pk}/delete/")
    answer = browser.post(f"/tables/{table.pk}/delete/", follow=True)

    assert "1 batch was made from its rows" in asked.text
    assert not asked.all("button.danger")
    assert "The table stays: a batch was made from its rows." in Page(answer).text
    assert table.blob.storage.exists(table.blob.name)


@pytest.mark.parametrize("how", ["left", "deactivated"])
def test_no_requests_are_made_for_a_person_who_is_gone_before_a_worker_comes(
    project: Project, user: User, table: SourceTable, how: str
) -> None:
    requests_from_table.save_settings(table, user, RECIPE, None)
    requests_from_table.request_file(table, user)
    if how == "left":
        user.memberships.all().delete()
    else:
        User.objects.update(is_active=False)

    tasks.advance("sourcetable", str(table.pk))

    table.refresh_from_db()
    assert table.status == SourceTable.Status.KEPT
    assert "works in the project no more. Create them again." in problem_text(table.problem)
    assert not project.uploads.exists()


def test_a_viewer_is_told_whom_to_ask(client: Client, project: Project) -> None:
    table = make_table(project)
    client.force_login(join(make_user(), project, VIEWER))

    for url in (START, table.get_absolute_url()):
        assert client.get(url).status_code == 403
    assert "builder/" not in page_of(client, "/projects/support/files/").html


def test_cells_cannot_become_markup(browser: Client, project: Project, user: User) -> None:
    nasty = "<script>alert(1)</script>"
    content = f'"{nasty}",text\n"{nasty}","</textarea>{nasty}"\n'
    table = make_table(project, user, content=content, name=f"{nasty}.csv")
    requests_from_table.save_settings(table, table.created_by, RECIPE, None)

    for url in (START, table.get_absolute_url()):
        assert nasty not in page_of(browser, url).html


def test_five_hundred_columns_make_a_page_that_stays_small(
    browser: Client, project: Project, user: User
) -> None:
    names = ",".join(f"a column with quite a long name {n}" for n in range(500))
    table = make_table(project, user, content=f"{names}\n{names}\n")

    response = browser.get(table.get_absolute_url())

    assert "470 more columns" in response.content.decode()
    assert len(response.content) < 80_000


@pytest.mark.parametrize("url", [START, "/tables/{pk}/"])
def test_the_pages_take_twelve_queries_at_most(
    browser: Client,
    project: Project,
    user: User,
    url: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(5):
        version = requests_from_table.save_template(project, user, f"Template {number}", RECIPE)
        table = make_table(project, user)
        requests_from_table.save_settings(table, user, RECIPE, version)

    with django_assert_max_num_queries(12):
        response = browser.get(url.format(pk=table.pk))

    assert response.status_code == 200


def test_a_starter_fills_the_form_with_the_columns_and_saves_nothing(
    browser: Client, table: SourceTable
) -> None:
    address = table.get_absolute_url()

    page = Page(browser.post(address, {"starter": "classify", "model": MODEL}))
    unknown = Page(browser.post(address, FIELDS | {"starter": "nonsense"}))

    values = page.one("#recipe").values
    assert "{text}" in values["prompt"]
    assert (values["model"], values["answer"], values["max_tokens"]) == (MODEL, "fields", "60")
    assert values["field-0-choices"] == "positive, neutral, negative"
    assert "The link is broken" in page.one("#request").text
    assert "~$" in page.one("#price").text
    assert unknown.one("#id_prompt").text == "Ticket of {name}: {text}"
    table.refresh_from_db()
    assert table.prompt_settings is None


def test_thinking_is_off_for_short_answers_of_a_model_that_can_do_without(
    browser: Client, project: Project, table: SourceTable
) -> None:
    OfferedModel.objects.create(connection=project.connection, model=MODEL, thinking="switch")

    page = Page(browser.post(table.get_absolute_url(), {"starter": "classify"}))
    browser.post(table.get_absolute_url(), page.one("#recipe").values)

    (request, _) = requests_of(project.uploads.get())
    assert request["body"]["reasoning_effort"] == "none"


ROW = {"name": "label", "type": "choice", "choices": "good, bad , ,good", "required": "on"}


def rows(*fields: dict[str, str]) -> dict[str, str]:
    """Return the values of a form that answers with these fields."""
    values = {
        "answer": "fields",
        "field-TOTAL_FORMS": str(len(fields)),
        "field-INITIAL_FORMS": "0",
    }
    for number, field in enumerate(fields):
        values |= {f"field-{number}-{name}": value for name, value in field.items()}
    return values


def test_fields_of_the_answer_become_a_strict_schema(
    browser: Client, project: Project, table: SourceTable
) -> None:
    fields = [ROW, {"name": "", "type": "text"}, {"name": "price", "type": "number"}]

    browser.post(table.get_absolute_url(), FIELDS | rows(*fields))

    answer_format = requests_of(project.uploads.get())[0]["body"]["response_format"]
    assert answer_format["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": ["good", "bad"]},
            "price": {"type": ["number", "null"]},
        },
        "required": ["label", "price"],
        "additionalProperties": False,
    }
    shown = page_of(browser, table.get_absolute_url()).one("#recipe").values
    assert (shown["field-0-name"], shown["field-1-name"]) == ("label", "price")
    assert "field-1-required" not in shown


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ([], "Name at least one field"),
        ([{"name": "", "type": "text"}], "Name at least one field"),
        ([ROW, ROW], "Two fields are called label"),
        ([ROW | {"choices": " , "}], "Name the choices"),
        ([ROW | {"name": ""}], "Give the field a name"),
        ([ROW | {"type": "nonsense"}], "Select a valid choice"),
        ([ROW | {"name": "x" * 65}], "at most 64 characters"),
        ([ROW | {"choices": ",".join(map(str, range(101)))}], "at most 100 choices"),
        (51 * [{"name": "", "type": "text"}], "at most 50 forms"),
    ],
)
def test_fields_that_make_no_schema_are_marked(
    browser: Client, table: SourceTable, fields: list[dict[str, str]], says: str
) -> None:
    page = Page(browser.post(table.get_absolute_url(), FIELDS | rows(*fields)))

    assert says in page.text
    table.refresh_from_db()
    assert table.prompt_settings is None


def test_a_form_without_its_counters_is_answered_and_not_broken(
    browser: Client, table: SourceTable
) -> None:
    response = browser.post(table.get_absolute_url(), FIELDS | {"answer": "fields"})

    assert "Correct the fields of the answer" in response.content.decode()


def test_fields_are_added_and_removed_by_buttons_and_what_was_typed_stays(
    browser: Client, table: SourceTable
) -> None:
    address = table.get_absolute_url()
    sent = FIELDS | rows(ROW, {"name": "price", "type": "number"})

    more = Page(browser.post(address, sent | {"add_field": "1"})).one("#recipe").values
    less = Page(browser.post(address, sent | {"remove_field": "0", "model": ""})).one("#recipe")
    none_left = Page(browser.post(address, FIELDS | rows(ROW) | {"remove_field": "0"}))

    assert [more[f"field-{n}-name"] for n in range(3)] == ["label", "price", ""]
    assert more["field-TOTAL_FORMS"] == "3"
    assert less.values["field-0-name"] == "price"
    assert less.values["prompt"] == "Ticket of {name}: {text}"
    assert "Name the model" not in less.text
    assert none_left.one("#recipe").values["field-0-name"] == ""


def test_a_schema_of_ones_own_is_kept_as_it_is(
    browser: Client, project: Project, table: SourceTable
) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}

    browser.post(
        table.get_absolute_url(), FIELDS | {"answer": "schema", "schema": json.dumps(schema)}
    )

    answer_format = requests_of(project.uploads.get())[0]["body"]["response_format"]
    assert answer_format["json_schema"]["schema"] == schema
    shown = page_of(browser, table.get_absolute_url()).one("#recipe").values
    assert (shown["answer"], json.loads(shown["schema"])) == ("schema", schema)


def test_text_is_asked_for_also_if_a_schema_was_written_before(
    browser: Client, project: Project, table: SourceTable
) -> None:
    browser.post(
        table.get_absolute_url(), FIELDS | {"answer": "text", "schema": '{"type": "object"}'}
    )

    assert "response_format" not in requests_of(project.uploads.get())[0]["body"]


def test_requests_with_warnings_stop_at_the_check(
    browser: Client, project: Project, user: User
) -> None:
    table = make_table(project, user, content="id,name,text\n1,Ana,Hi\n2,Ana,Hi\n")

    made = browser.post(table.get_absolute_url(), FIELDS, follow=True)

    assert made.request["PATH_INFO"] == f"/files/{project.uploads.get().pk}/batch/"
    assert "then=window" in made.request["QUERY_STRING"]
