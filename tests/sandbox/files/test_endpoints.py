"""Files after their upload: access, lists, deletion."""

from uuid import uuid4

import pytest

from tests.sandbox.api_client import line, lines


def test_a_file_is_shown_with_its_owner(api):
    file_id = api.file(line())

    file = api.http.get(f"/v1/files/{file_id}").json()

    assert file["context_type"] == "personal"
    assert "status" not in file


@pytest.mark.parametrize("path", ["", "/content", "/cost-estimate"])
def test_foreign_and_unknown_files_are_not_found(api, account, path):
    other_file_id, unknown = account().file(line()), str(uuid4())

    for file_id in (other_file_id, unknown):
        response = api.http.get(f"/v1/files/{file_id}{path}")
        assert (response.status_code, response.text) == (
            404,
            f"File with ID {file_id} not found",
        )


def test_an_id_that_is_no_uuid_is_a_bad_request(api):
    file = api.http.get("/v1/files/file-123")
    results = api.http.get("/v1/batches/batch_123/results")

    assert (file.status_code, file.text) == (400, "Invalid file ID format")
    assert (results.status_code, results.text) == (400, "Invalid batch ID format")


def test_listing_pages_forward_and_a_wrong_cursor_starts_again(api):
    ids = [api.file(line()) for _ in range(3)]

    first = api.http.get("/v1/files", params={"limit": 2}).json()
    second = api.http.get("/v1/files", params={"limit": 2, "after": first["last_id"]}).json()
    oldest_first = api.http.get("/v1/files", params={"order": "asc"}).json()

    assert [file["id"] for file in first["data"] + second["data"]] == ids[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [file["id"] for file in oldest_first["data"]] == ids
    wrong_order = api.http.get("/v1/files?order=down")
    assert (wrong_order.status_code, wrong_order.text) == (400, "Order must be 'asc' or 'desc'")
    for wrong in ("nonsense", str(uuid4())):
        assert api.http.get("/v1/files", params={"limit": 2, "after": wrong}).json() == first


def test_limits_are_forced_into_their_range(api):
    for _ in range(2):
        api.file(line())

    assert len(api.http.get("/v1/files?limit=0").json()["data"]) == 1
    assert len(api.http.get("/v1/files?limit=1000").json()["data"]) == 2
    response = api.http.get("/v1/files?limit=many")
    assert (response.status_code, response.text) == (
        400,
        "Failed to deserialize query string: limit: invalid digit found in string",
    )


def test_the_virtual_files_of_a_batch_are_listed_unless_purpose_says_otherwise(sandbox):
    api = sandbox.api()
    batch = api.batch(line())

    everything = api.http.get("/v1/files").json()["data"]
    uploads = api.http.get("/v1/files", params={"purpose": "batch"}).json()["data"]

    assert {file["purpose"] for file in everything} == {"batch", "batch_output", "batch_error"}
    assert [file["id"] for file in uploads] == [batch["input_file_id"]]
    assert api.http.get("/v1/files?purpose=other").json()["data"] == []
    output = api.http.get(f"/v1/files/{batch['output_file_id']}").json()
    assert output["filename"] == f"batch-{batch['id']}-output.jsonl"
    assert output["bytes"] == 0
    assert "expires_at" not in output


def test_files_are_searched_by_name(api):
    api.file(line())

    matches = api.http.get("/v1/files", params={"search": "IN.JS"}).json()["data"]
    missed = api.http.get("/v1/files", params={"search": "other"}).json()

    assert len(matches) == 1
    assert missed == {"object": "list", "data": [], "has_more": False}


def test_deleting_the_input_cancels_the_batch_and_blanks_the_reference(sandbox):
    api = sandbox.api()
    batch = api.batch(lines(20))

    response = api.http.delete(f"/v1/files/{batch['input_file_id']}")

    assert response.json() == {
        "id": batch["input_file_id"],
        "object": "file",
        "deleted": True,
    }
    after = api.get(batch)
    assert after["status"] in {"cancelling", "cancelled"}
    assert after["input_file_id"] == ""
    assert api.create(batch["input_file_id"]).status_code == 404


def test_deleting_the_output_takes_its_id_from_the_batch(api):
    batch = api.finished(line())

    api.http.delete(f"/v1/files/{batch['output_file_id']}")

    after = api.get(batch)
    assert "output_file_id" not in after
    assert after["error_file_id"] == batch["error_file_id"]
