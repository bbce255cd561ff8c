"""Odd values of every parameter that the OpenAPI document has in an address."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from batchapp.api.openapi_document import document
from batchapp.models import Batch, Project
from tests.make import (
    OWNER,
    answer_line,
    bearer,
    error_line,
    finish,
    join,
    make_batch,
    make_portal_key,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ODD = [
    *("\0", "a\0b", "-1", "NaN", "1e20", "%", "'", "\u202e", "\U0001f600", 500 * "x"),
    *(19 * "9", 30 * "9", 5_000 * "9", "2147483648", "9223372036854775807"),
    *("0001-01-01", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00"),
    *("9999-12-31", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59", "2026-02-30"),
]
FORMS = {"report_detail"}  # its form checks each parameter, see test_report.py
PLACES = {"month": "2026-11", "model": "m", "response_id": "resp_1"}


def addresses(batch: Batch) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each address that is read, with its operation in the document."""
    files = [f"file-{batch.upload_id.hex}", f"file-output-{batch.pk.hex}"]
    for path, operations in document()["paths"].items():
        if "get" not in operations or operations["get"]["operationId"] in FORMS:
            continue
        for file in files if "{file_id}" in path else files[:1]:
            values = PLACES | {"file_id": file, "batch_id": f"batch_{batch.pk.hex}"}
            yield path.format(**values), operations["get"]


@pytest.mark.timeout(120)
def test_no_value_of_a_parameter_breaks_an_address(client: Client, project: Project) -> None:
    owner = join(make_user(), project, OWNER)
    batch = finish(make_batch(project, user=owner), [answer_line(1)], [error_line(2)])
    headers = bearer(make_portal_key(owner, project, scope="manage").secret)
    tried = set()

    for address, operation in addresses(batch):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            for value in ODD:
                asked = {parameter["name"]: value}
                response = client.get(address, asked, headers=headers)

                assert response.status_code < 500, (address, asked)
                if response.streaming:
                    b"".join(response)  # a fault may come only with the content
            tried.add((operation["operationId"], parameter["name"]))

    assert ("batch_results", "skip") in tried
    assert ("batch_list", "created_after") in tried
    assert ("file_list", "search") in tried


def test_a_moment_beyond_all_years_is_refused_by_its_name(
    client: Client, project: Project
) -> None:
    headers = bearer(make_portal_key(join(make_user(), project), project).secret)
    moments = {"created_after": "0001-01-01T05:00:00+05:30"}
    moments |= {"created_before": "9999-12-31T23:00:00-01:30"}

    for name, moment in moments.items():
        response = client.get("/v1/batches", {name: moment}, headers=headers)

        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, name)
        assert "1 to 9999" in error["message"]
