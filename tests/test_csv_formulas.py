"""No cell of a CSV is a formula to the spreadsheet that opens it, whoever chose the names."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.domain.batch_labels import Labels
from batchapp.domain.csv_list import FORMULA_STARTS
from batchapp.models import ModelCost, OfferedModel, Price
from batchapp.services.labels import batch_labels
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.urls import urlpatterns
from tests.make import OWNER, finish, make_administrator, make_batch, make_project

pytestmark = pytest.mark.django_db

# These need rows of their own, and are tested beside their pages.
ELSEWHERE = {
    *("batch_compare_csv", "direct_request_csv", "statement_csv", "statement_month_csv"),
}
OPENED = {
    "audit_csv": [""],
    "project_audit_csv": [""],
    "cost_report_csv": [""],
    "cross_tab_csv": [f"?by={by}&across=project" for by in DIMENSIONS if by != "project"],
    "price_list_csv": ["?connection={connection}"],
    "offered_model_csv": ["?connection={connection}"],
}


def test_every_csv_is_opened_here_or_beside_its_page() -> None:
    names = {str(pattern.name) for pattern in urlpatterns}

    assert {name for name in names if name.endswith("_csv")} == ELSEWHERE | OPENED.keys()


def test_no_name_is_a_formula_in_any_csv(client: Client) -> None:
    ada = make_administrator("+ada@example.com", first_name="=1+1", last_name="@x")
    project = make_project(ada, role=OWNER, name="=2+2", slug="support", cost_centre="+3")
    batch = make_batch(project, ada, name="@SUM(A1)")
    connection = project.connection
    connection.name = "-4"
    connection.save()
    batch.key.name = "=5"
    batch.key.save()
    batch_labels.set_labels(batch, ada, Labels(("=tag",), "+6"))
    finish(batch)
    ModelCost.objects.update(model="=7")
    Price.objects.filter(connection=connection).update(model="=8", source="=9")
    OfferedModel.objects.create(connection=connection, model="=10", source="=11")
    client.force_login(ada)

    cells = []
    for name, queries in OPENED.items():
        arguments = ["support"] if name == "project_audit_csv" else []
        for query in queries:
            url = reverse(name, args=arguments) + query.format(connection=connection.pk)
            answer = client.get(url)
            assert answer.status_code == 200, url
            text = b"".join(answer).decode().removeprefix("\ufeff")
            assert "'" in text, url  # else the names are not there at all
            cells += [(url, cell) for row in csv.reader(io.StringIO(text)) for cell in row]

    assert [pair for pair in cells if pair[1].startswith(FORMULA_STARTS)] == []
