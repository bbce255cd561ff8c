"""Rules of faults: from the command line, over HTTP, and what survives a restart."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import httpx
import pytest

from batchapp.sandbox.server import application
from batchapp.sandbox.settings import Settings
from tests.sandbox.api import Api, line, lines
from tests.sandbox.processes import sandbox_process

HEADERS = {"Authorization": "Bearer sk-rules"}


def struck(http: httpx.Client) -> dict[str, tuple[int, int]]:
    rules = http.get("/_sandbox/faults").json()["faults"]
    return {each["rule"]["fault"]: (each["calls"], each["struck"]) for each in rules}


def test_rules_over_http_count_what_they_met_and_what_they_struck(limited):
    api = limited()
    faults = ["error/files#2", {"fault": "gone", "method": "GET", "path": "/v1/models"}]

    added = api.http.post("/_sandbox/faults", json={"faults": faults})
    statuses = [api.http.get("/v1/files").status_code for _call in range(3)]
    models = api.http.get("/v1/models").status_code

    assert (added.status_code, len(added.json()["added"])) == (201, 2)
    assert (statuses, models) == ([200, 500, 200], 410)
    assert struck(api.http) == {"error": (3, 1), "gone": (1, 1)}
    assert api.http.delete("/_sandbox/faults").status_code == 204
    assert api.http.get("/v1/models").status_code == 200
    assert struck(api.http) == {}


def test_a_rule_can_be_for_one_key_only(limited):
    api = limited()
    theirs = api.http.headers["Authorization"].removeprefix("Bearer ")

    api.http.post("/_sandbox/faults", json={"faults": [{"fault": "error", "key": theirs}]})

    assert api.http.get("/v1/files").status_code == 500
    assert api.http.get("/v1/files", headers=HEADERS).status_code == 200
    assert theirs not in api.http.get("/_sandbox/faults").text


def test_a_rule_that_is_added_again_begins_anew(limited):
    api = limited()
    statuses = []

    for _time in range(2):
        api.http.post("/_sandbox/faults", json={"faults": ["error/files#1"]})
        statuses += [api.http.get("/v1/files").status_code for _call in range(2)]

    assert statuses == [500, 200, 500, 200]


def test_a_rule_may_begin_later_and_end(limited):
    api = limited()
    over = {"fault": "error/batches", "for_seconds": 0}

    api.http.post("/_sandbox/faults", json={"faults": ["error/files@0-600", "gone@600-", over]})

    assert api.http.get("/v1/files").status_code == 500
    assert api.http.get("/v1/batches").status_code == 200
    assert api.http.get(f"/v1/files/{api.file(line())}").status_code == 200


def test_what_cannot_be_understood_puts_nothing_in_force(api):
    wrong = api.http.post("/_sandbox/faults", json={"faults": ["error", "eror"]})
    mistyped = api.http.post("/_sandbox/faults", json={"faults": [{"fault": "error", "nth": 1}]})

    assert wrong.status_code == 400
    assert wrong.text.startswith("unknown fault 'eror'")
    assert mistyped.status_code == 422
    assert api.http.get("/v1/files").status_code == 200


def test_the_command_line_names_faults_and_a_seed_and_counts_survive_a_kill(tmp_path):
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps(["error/files#2", {"fault": "gone/models", "which": 1}]))
    args = ["--seed", "7", "--fault", "busy/create#1", "--faults", str(rules)]
    data = tmp_path / "data"
    seen = []

    for _life in range(2):
        with (
            sandbox_process(data, *args) as (url, process),
            httpx.Client(base_url=url, headers=HEADERS) as http,
        ):
            assert process.stdout
            greeting = process.stdout.readline()
            seen += [http.get("/v1/files").status_code, http.get("/v1/models").status_code]
            process.send_signal(signal.SIGKILL)
            process.wait()

    assert greeting == "sandbox: seed 7, 3 rules of faults in force\n"
    assert seen == [200, 410, 500, 200]


@pytest.mark.parametrize(("fault", "tokens"), [("restart", []), ("restart-after", ["r"])])
def test_a_restarting_sandbox_is_the_same_process_on_the_same_port_and_forgets_nothing(
    tmp_path, fault, tokens
):
    with (
        sandbox_process(tmp_path, "--fault", f"{fault}/create#1") as (url, process),
        httpx.Client(base_url=url, headers=HEADERS) as http,
    ):
        api = Api(http)
        file_id = api.file(lines(3))
        try:
            api.create(file_id, metadata={"token": "r"})
            is_lost = False
        except httpx.RemoteProtocolError:
            is_lost = True
        listed = None
        while listed is None:
            try:
                listed = http.get("/v1/batches", params={"search": "r"}).json()["data"]
            except httpx.TransportError:
                time.sleep(0.05)
        again = api.create(file_id)

        assert is_lost
        assert process.poll() is None
        assert [batch["metadata"]["token"] for batch in listed] == tokens
        assert again.status_code == 201
        assert struck(http) == {fault: (2, 1)}


def test_a_wrong_fault_on_the_command_line_is_said(tmp_path):
    command = [sys.executable, "-m", "batchapp.sandbox", "--port", "0", "--data", str(tmp_path)]

    done = subprocess.run(
        [*command, "--fault", "eror"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "unknown fault 'eror'" in done.stderr


def test_without_rules_nothing_is_counted(api):
    api.batch(line())

    assert all(
        each["source"] == "key" for each in api.http.get("/_sandbox/faults").json()["faults"]
    )


def test_the_back_door_is_shut_for_other_hosts(tmp_path):
    app = application(Settings(data=tmp_path))

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
