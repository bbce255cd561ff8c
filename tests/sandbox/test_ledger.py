"""The ledger of batches and costs."""

import json
import subprocess
import sys
from decimal import Decimal

import httpx
import pytest
from django.core.management import call_command

from tests.sandbox.api_client import Api, chat, client, line, lines
from tests.sandbox.processes import sandbox_process


def ledger(api: Api) -> dict:
    return api.http.get("/_sandbox/ledger").json()


def test_the_ledger_contains_batches_whose_reply_was_lost(account):
    api = account("", "lost-reply/create")
    file_id = api.file(lines(3))
    for _attempt in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            api.create(file_id, metadata={"token": "t1", "created_by": "me"})

    content = ledger(api)
    while content["total"]["paid"] < 2:
        content = ledger(api)

    first, second = content["batches"]
    assert first["id"] != second["id"]
    assert first["metadata"] == {"token": "t1"}
    assert (first["filename"], first["input_file_id"]) == ("in.jsonl", file_id)
    assert content["by_metadata"]["token"]["t1"]["batches"] == 2
    assert content["by_metadata"]["token"]["t1"]["requests"] == 6


def test_a_deleted_batch_stays_in_the_ledger_and_a_failed_one_costs_nothing(account):
    api = account()
    paid = api.finished(lines(2), metadata={"token": "a"})
    api.finished(line(**chat(user="sandbox:fail=400")), metadata={"token": "b"})
    while not (
        cost := api.http.get(f"/v1/batches/{paid['id']}/analytics").json().get("total_cost")
    ):
        pass
    api.http.delete(f"/v1/batches/{paid['id']}")

    content = ledger(api)

    deleted, failed = content["batches"]
    assert (deleted["is_deleted"], deleted["is_paid"], deleted["cost_usd"]) == (True, True, cost)
    assert (failed["status"], failed["is_paid"], failed["cost_usd"]) == ("failed", False, "0")
    assert content["by_metadata"]["token"]["b"]["paid"] == 0
    assert Decimal(content["total"]["cost_usd"]) == Decimal(cost) > 0


def test_a_batch_cancelled_in_time_is_not_paid(sandbox):
    api = sandbox.api()
    api.post(api.batch(lines(2), metadata={"token": "c"}), "cancel")
    sandbox.clock.advance(60)

    content = ledger(api)["by_metadata"]["token"]["c"]

    assert content == {"batches": 1, "paid": 0, "requests": 2, "completed": 0, "cost_usd": "0"}


def test_without_a_key_the_ledger_shows_everybodys_batches(account, sandbox_url):
    first, second = account(), account()
    batch_ids = {api.batch(line())["id"] for api in (first, second)}

    with client(sandbox_url) as anyone:
        everything = anyone.get("/_sandbox/ledger").json()

    assert batch_ids <= {batch["id"] for batch in everything["batches"]}
    assert {batch["id"] for batch in ledger(first)["batches"]} < batch_ids


def test_the_ledger_can_be_printed_from_the_folder_also_after_a_kill(tmp_path):
    command = [sys.executable, "-m", "batchapp.sandbox", "--data", str(tmp_path), "--ledger"]

    with (
        sandbox_process(tmp_path) as (url, process),
        client(url, "sk-ledger") as http,
    ):
        Api(http).finished(lines(2), metadata={"token": "d"})
        running = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        process.kill()
        process.wait()
    killed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    assert killed["by_metadata"]["token"]["d"]["completed"] == 2
    assert killed == running


def test_a_folder_without_a_sandbox_is_reported(tmp_path):
    command = [sys.executable, "-m", "batchapp.sandbox", "--data", str(tmp_path), "--ledger"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"sandbox: there is no sandbox in {tmp_path}\n"


def test_the_ledger_is_also_a_command_of_the_portal(tmp_path, capsys):
    with (
        sandbox_process(tmp_path) as (url, _process),
        client(url, "sk-ledger") as http,
    ):
        created = Api(http).batch(line())

    with pytest.raises(SystemExit) as ended:
        call_command("sandbox", "--data", str(tmp_path), "--ledger")

    assert not ended.value.code
    (batch,) = json.loads(capsys.readouterr().out)["batches"]
    assert batch["id"] == created["id"]
