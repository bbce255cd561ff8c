"""Fault rules from the command line and in keys, and their counts after a restart."""

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.sandbox.api_client import Api, client, line, lines
from tests.sandbox.processes import sandbox_process

KEY = "sk-rules"


def rule_counts(http: httpx.Client) -> dict[str, tuple[int, int]]:
    rules = http.get("/_sandbox/faults").json()["faults"]
    return {rule["rule"]["fault"]: (rule["calls"], rule["struck"]) for rule in rules}


def test_the_command_line_sets_faults_and_a_seed_and_counts_survive_a_kill(tmp_path):
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps(["error/files#2", {"fault": "gone/models", "which": 1}]))
    args = ["--seed", "7", "--fault", "busy/create#1", "--faults", str(rules)]
    data = tmp_path / "data"
    statuses = []

    for _life in range(2):
        with (
            sandbox_process(data, *args) as (url, process),
            client(url, KEY) as http,
        ):
            assert process.stdout
            greeting = process.stdout.readline()
            statuses += [http.get("/v1/files").status_code, http.get("/v1/models").status_code]
            process.send_signal(signal.SIGKILL)
            process.wait()

    assert greeting == "sandbox: seed 7, 3 rules of faults in force\n"
    assert statuses == [200, 410, 500, 200]


@pytest.mark.parametrize(("fault", "tokens"), [("restart", []), ("restart-after", ["r"])])
def test_a_restarted_sandbox_is_the_same_process_on_the_same_port_and_keeps_its_counts(
    tmp_path, fault, tokens
):
    with (
        sandbox_process(tmp_path, "--fault", f"{fault}/create#1") as (url, process),
        client(url, KEY) as http,
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
        assert rule_counts(http) == {fault: (2, 1)}


def test_a_wrong_fault_on_the_command_line_is_reported(tmp_path):
    command = [sys.executable, "-m", "batchapp.sandbox", "--port", "0", "--data", str(tmp_path)]

    done = subprocess.run(
        [*command, "--fault", "eror"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "unknown fault 'eror'" in done.stderr


def test_without_rules_nothing_is_counted(api):
    api.batch(line())

    assert all(
        rule["source"] == "key" for rule in api.http.get("/_sandbox/faults").json()["faults"]
    )
