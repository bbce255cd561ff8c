"""The control API: fault rules over HTTP, and the check of the origin."""

import asyncio

import httpx

from batchapp.sandbox.application import make_application
from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import line

HEADERS = {"Authorization": "Bearer sk-rules"}


def rule_counts(http: httpx.Client) -> dict[str, tuple[int, int]]:
    rules = http.get("/_sandbox/faults").json()["faults"]
    return {rule["rule"]["fault"]: (rule["calls"], rule["struck"]) for rule in rules}


def test_rules_over_http_count_matching_calls_and_applied_faults(sandbox):
    api = sandbox.api()
    faults = ["error/files#2", {"fault": "gone", "method": "GET", "path": "/v1/models"}]

    added = api.http.post("/_sandbox/faults", json={"faults": faults})
    statuses = [api.http.get("/v1/files").status_code for _call in range(3)]
    models = api.http.get("/v1/models").status_code

    assert (added.status_code, len(added.json()["added"])) == (201, 2)
    assert (statuses, models) == ([200, 500, 200], 410)
    assert rule_counts(api.http) == {"error": (3, 1), "gone": (1, 1)}
    assert api.http.delete("/_sandbox/faults").status_code == 204
    assert api.http.get("/v1/models").status_code == 200
    assert rule_counts(api.http) == {}


def test_a_rule_can_be_for_one_key_only(sandbox):
    api = sandbox.api()
    key = api.http.headers["Authorization"].removeprefix("Bearer ")

    api.http.post("/_sandbox/faults", json={"faults": [{"fault": "error", "key": key}]})

    assert api.http.get("/v1/files").status_code == 500
    assert api.http.get("/v1/files", headers=HEADERS).status_code == 200
    assert key not in api.http.get("/_sandbox/faults").text


def test_a_rule_that_is_added_again_counts_from_zero(sandbox):
    api = sandbox.api()
    statuses = []

    for _time in range(2):
        api.http.post("/_sandbox/faults", json={"faults": ["error/files#1"]})
        statuses += [api.http.get("/v1/files").status_code for _call in range(2)]

    assert statuses == [500, 200, 500, 200]


def test_a_rule_may_begin_later_and_end(sandbox):
    api = sandbox.api()
    expired = {"fault": "error/batches", "for_seconds": 0}

    api.http.post(
        "/_sandbox/faults", json={"faults": ["error/files@0-600", "gone/files@600-", expired]}
    )

    assert api.http.get("/v1/files").status_code == 500
    assert api.http.get("/v1/batches").status_code == 200
    assert api.http.get(f"/v1/files/{api.file(line())}").status_code == 200
    sandbox.clock.advance(600)
    assert api.http.get("/v1/files").status_code == 410


def test_an_invalid_rule_adds_no_rule_at_all(api):
    wrong = api.http.post("/_sandbox/faults", json={"faults": ["error", "eror"]})
    mistyped = api.http.post("/_sandbox/faults", json={"faults": [{"fault": "error", "nth": 1}]})

    assert wrong.status_code == 400
    assert wrong.text.startswith("unknown fault 'eror'")
    assert mistyped.status_code == 422
    assert api.http.get("/v1/files").status_code == 200


def test_the_control_api_is_closed_for_other_hosts(tmp_path):
    app = make_application(Settings(data=tmp_path))

    async def ask(host: str) -> list[int]:
        transport = httpx.ASGITransport(app=app, client=(host, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
            answers = [
                await http.get("/_sandbox/ledger"),
                await http.get("/_sandbox/faults"),
                await http.post("/_sandbox/faults", json={"faults": []}),
                await http.delete("/_sandbox/faults"),
            ]
        return [answer.status_code for answer in answers]

    assert asyncio.run(ask("172.18.0.1")) == [404, 404, 404, 404]
    assert asyncio.run(ask("127.0.0.1")) == [200, 200, 201, 204]
    assert asyncio.run(ask("::1")) == [200, 200, 201, 204]
    app.store.close()
