"""The page that exports results: choices, progress, the file, and the list of exports."""

import csv
import io
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from batchapp.domain.results.result_filter import ResultFilter
from batchapp.models import Batch, Export, Project, ResultColumns, User
from batchapp.services.results.exports.formats import FORMATS
from tests.answered import answer_table, make_export, write
from tests.html import Page, fragment_of, page_of
from tests.make import (
    VIEWER,
    answer,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_upload,
    make_user,
    request_file,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of three requests: two answers in JSON and an error."""
    made = make_batch(upload=make_upload(project, user, content=request_file(3)))
    answers = [answer_line(n, text='{"label": "late"}') for n in (1, 2)]
    return finish(made, answers, [error_line(3)])


def address(batch: Batch) -> str:
    return f"/batches/{batch.pk}/exports/"


def export_page(browser: Client, batch: Batch, **query: str) -> Page:
    return page_of(browser, address(batch), query)


def send(browser: Client, batch: Batch, query: str = "", **fields: Any) -> Page:
    """Send the form as it is shown, with other ``fields``."""
    page = export_page(browser, batch)
    form = page.one("form#export")
    data = form.values | {
        "columns": [each["value"] for each in form.all("[name=columns][checked]")]
    }
    response = browser.post(f"{address(batch)}{query}", data | fields, follow=True)
    return Page(response)


def test_the_page_is_reached_from_the_batch_and_its_results(browser: Client, batch: Batch) -> None:
    for url in (f"/batches/{batch.pk}/", f"/batches/{batch.pk}/results/"):
        menu = page_of(browser, url).one("#downloads").links
        assert menu["Export…"].startswith(address(batch))


def test_every_format_is_offered_with_a_sentence(browser: Client, batch: Batch) -> None:
    page = export_page(browser, batch)

    assert [each["value"] for each in page.all("[name=format]")] == list(FORMATS)
    assert page.one("[name=format][checked]")["value"] == "csv"
    assert "1,048,576 rows" in page.text
    assert "All 3 results" in page.one("aside").text


def test_the_usual_columns_are_ticked(browser: Client, batch: Batch) -> None:
    page = export_page(browser, batch)
    ticked = [each["value"] for each in page.all("[name=columns][checked]")]

    assert ticked == [
        *("custom_id", "question", "answer", "field:label", "outcome", "error_message"),
    ]
    assert "cost_usd" in {each["value"] for each in page.all("[name=columns]")}


def test_an_export_is_requested_once_and_can_be_downloaded_when_it_is_written(
    browser: Client, batch: Batch, user: User
) -> None:
    submission = str(uuid.uuid4())

    waiting = [send(browser, batch, submission=submission) for _ in range(2)][-1]
    export = Export.objects.get()

    assert str(export.pk) == submission
    assert "Being prepared" in waiting.one("#exports").text
    assert waiting.one("#exports")["hx-get"] == address(batch)

    written = write(export)
    ready = fragment_of(browser, address(batch))
    section = ready.one("#exports")
    response = browser.get(section.one("td.lead a")["href"])
    content = b"".join(response)  # type: ignore[arg-type]

    assert "hx-get" not in section
    assert "Ready" in section.text
    assert "3 rows" in section.text
    assert len(content) == written.size == int(response["Content-Length"])
    assert 'filename="questions-results.csv"' in response["Content-Disposition"]
    assert next(csv.reader(io.StringIO(content.decode("utf-8-sig")))) == [
        *("custom_id", "question", "answer", "label", "outcome", "error"),
    ]


def test_the_filter_of_the_results_is_the_filter_of_the_export(
    browser: Client, batch: Batch
) -> None:
    page = export_page(browser, batch, outcome="answered", q="row-2")
    send(browser, batch, "?outcome=answered&q=row-2")
    settings = Export.objects.get().settings

    assert "1 of 3 results" in page.one("aside").text
    assert "All answers, with “row-2”" in page.one("aside").text
    assert page.one("aside").links["Export all results"] == address(batch)
    assert settings.chosen == ResultFilter("answered", "row-2")


def test_a_condition_on_a_column_is_part_of_the_filter(browser: Client, batch: Batch) -> None:
    page = export_page(browser, batch, **{"is.field:label": "late"})

    assert "2 of 3 results" in page.one("aside").text
    gone = browser.get(address(batch), {"is.field:gone": "x"})
    assert gone.status_code == 404
    assert export_page(browser, batch, outcome="nonsense").one("aside")


def test_choices_are_kept_in_the_export(browser: Client, batch: Batch) -> None:
    send(browser, batch, format="parquet", columns=["cost_usd", "line"], has_guard="")
    export = Export.objects.get()

    assert (export.format, export.settings.columns) == ("parquet", ("cost_usd", "line"))
    assert not export.settings.has_guard
    assert export.settings.has_bom


def test_without_a_column_nothing_is_exported(browser: Client, batch: Batch) -> None:
    page = send(browser, batch, columns=[])

    assert "Tick at least one column." in page.text
    assert not Export.objects.exists()
    assert not send(browser, batch, columns=[], format="raw").all("[role=alert]")
    assert "is not there any more" in send(browser, batch, columns=["prise"]).text
    assert "Choose a format." in send(browser, batch, format="pdf").text


def test_all_rows_of_the_table_are_offered_where_some_have_no_request(
    browser: Client, project: Project, user: User
) -> None:
    batch = answer_table(project, user, "a,b\n1,x\n2,\n", "{b}", ["yes"])

    page = export_page(browser, batch)
    send(browser, batch, has_all_rows="")

    assert "All 2 rows of the table, 1 result" in page.one("aside").text
    assert "checked" in page.one("[name=has_all_rows]")
    assert not Export.objects.get().settings.has_all_rows


def test_an_export_of_a_running_batch_says_that_it_is_not_all(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(3)))
    answer(batch, [answer_line(1)])

    page = export_page(browser, batch)
    make_export(batch)

    assert "The batch still runs" in page.text
    assert "while the batch ran" in export_page(browser, batch).one("#exports").text


def test_the_columns_of_a_large_batch_can_be_chosen_once_they_are_built(
    browser: Client, batch: Batch
) -> None:
    Batch.objects.update(requests=1_000_000)
    page = export_page(browser, batch)

    assert "The results are being prepared." in page.text
    assert not page.all("[name=columns]")
    assert "Being prepared" in send(browser, batch).one("#exports").text
    assert Export.objects.get().settings.columns == ()


def test_an_expired_export_stays_and_can_be_written_again(browser: Client, batch: Batch) -> None:
    export = make_export(batch, status=Export.Status.EXPIRED, blob="", expires_at=None)
    section = export_page(browser, batch).one("#exports")
    again = section.one("td:not(.action) form[action$='/again/']")

    assert "Expired" in section.text
    assert browser.get(f"/exports/{export.pk}/download/").status_code == 410
    browser.post(again["action"])
    browser.post(again["action"])

    assert Export.objects.get().status == Export.Status.WRITING


def link_to(browser: Client, export: Export) -> str:
    """Return the path of the link that the page of ``export`` shows."""
    address = page_of(browser, f"/exports/{export.pk}/link/").one("code").text
    return address.removeprefix(settings.PUBLIC_URL)


def test_a_link_gives_the_file_to_everyone_in_the_project_and_to_nobody_else(
    browser: Client, batch: Batch
) -> None:
    client, export = Client(), make_export(batch)
    link = link_to(browser, export)
    page = page_of(browser, f"/exports/{export.pk}/link/").text

    assert f"for people of {batch.project} alone" in page
    assert client.get(link)["Location"].startswith("/sign-in/?next=/exports/")
    client.force_login(make_user())
    assert client.get(link).status_code == 404
    client.force_login(join(make_user(), batch.project, VIEWER))
    assert b"".join(client.get(link)).startswith(b"\xef\xbb\xbfcustom_id")  # type: ignore[arg-type]


def test_a_link_ends_with_its_file(browser: Client, batch: Batch) -> None:
    export = make_export(batch)
    link = link_to(browser, export)
    Export.objects.update(expires_at=timezone.now() + timedelta(days=7), sha256="another")

    response = browser.get(link)
    replaced = Page(response)
    assert response.status_code == 410
    assert "the export of questions was written again since" in replaced.text
    assert replaced.links["Exports of the batch"] == address(batch)

    make_export(batch, expires_at=timezone.now())
    late = Export.objects.exclude(pk=export.pk).get()
    for path in ("download", "link"):
        response = browser.get(f"/exports/{late.pk}/{path}/")
        assert response.status_code == 410
        assert "was kept until" in Page(response).text


def test_a_link_that_somebody_changed_leads_nowhere(browser: Client, batch: Batch) -> None:
    export, other = make_export(batch), make_export(batch)
    link = link_to(browser, export)
    until = int((timezone.now() + timedelta(days=90)).timestamp())
    later = re.sub(r"link=\d+", f"link={until}", link)

    assert later != link
    for changed in (later, link[:-1], link.replace(str(export.pk), str(other.pk))):
        assert browser.get(changed).status_code == 404


def test_the_exports_of_a_project_are_listed_with_their_batches(
    browser: Client, batch: Batch, user: User
) -> None:
    export = make_export(batch)
    foreign = make_export(finish(make_batch(name="Foreign")))
    list_page = page_of(browser, f"/projects/{batch.project.slug}/exports/")
    section = list_page.one("#exports")

    assert section.links[batch.name] == address(batch)
    assert str(foreign.pk) not in section.text
    assert str(user) in section.text
    for action in ("again", "delete"):
        response = browser.post(f"/exports/{export.pk}/{action}/", {"list": "project"})
        assert response["Location"].startswith(f"/projects/{batch.project.slug}/exports/")


def test_the_exports_of_a_project_are_paged_with_as_many_queries_as_one(
    browser: Client, batch: Batch, django_assert_max_num_queries: Any
) -> None:
    path = f"/projects/{batch.project.slug}/exports/"
    empty = page_of(browser, path)
    assert "There are no exports yet" in empty.text
    Export.objects.bulk_create(
        Export(batch=batch, requested_by=batch.created_by, format="csv", status="expired")
        for _ in range(21)
    )

    with django_assert_max_num_queries(10):
        page = page_of(browser, path)

    assert len(page.all("#exports tbody tr")) == 20
    assert page.one("#exports .pager").links == {"Next": "?page=2"}


def test_a_failed_export_says_why(browser: Client, batch: Batch) -> None:
    make_export(
        batch,
        status=Export.Status.FAILED,
        blob="",
        problem={"code": "export_column_gone", "data": {"column": "<b>x</b>"}},
    )

    assert "no column “<b>x</b>” any more" in export_page(browser, batch).one("#exports").text


def test_a_viewer_exports_and_deletes_only_own_exports(client: Client, batch: Batch) -> None:
    foreign = make_export(batch)
    viewer = join(make_user(), batch.project, VIEWER)
    client.force_login(viewer)

    send(client, batch)
    own = Export.objects.get(requested_by=viewer)
    deletable = export_page(client, batch).all("form[action$='/delete/']")

    assert [form["action"] for form in deletable] == [f"/exports/{own.pk}/delete/"]
    assert client.post(f"/exports/{foreign.pk}/delete/").status_code == 403
    assert client.post(f"/exports/{own.pk}/delete/").status_code == 302
    assert list(Export.objects.all()) == [foreign]


def test_many_exports_are_paged(browser: Client, batch: Batch) -> None:
    old = timezone.now() - timedelta(days=30)
    Export.objects.bulk_create(
        Export(batch=batch, requested_by=batch.created_by, format="csv", status="expired")
        for _ in range(21)
    )
    Export.objects.update(created_at=old)

    page = export_page(browser, batch)

    assert len(page.all("#exports tbody tr")) == 20
    assert page.one("#exports .pager").links == {"Next": "?page=2"}


def test_the_page_asks_for_the_columns_it_offers(browser: Client, batch: Batch) -> None:
    export_page(browser, batch)

    assert ResultColumns.objects.get().status == ResultColumns.Status.READY
