"""A file goes in and results come out, on real processes, whoever is killed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.processes.portal import KEY, Portal, until

SAMPLES = Path(__file__).resolve().parent.parent.parent / "batchapp/data/samples"

pytestmark = [pytest.mark.processes]


def lines_until(stream: IO[str], text: str) -> Iterator[str]:
    for line in stream:
        yield line
        if text in line:
            return


def custom_ids(path: str) -> list[str]:
    return [json.loads(line)["custom_id"] for line in Path(path).read_text().splitlines()]


def test_the_set_up_tries_the_key_and_knows_a_sandbox(running_portal: Portal) -> None:
    good = running_portal.bootstrap(project="Good")
    refused = running_portal.bootstrap(key="sk-tests-revoked-0002", project="Refused")

    assert good["connection"]["is_sandbox"] is True
    assert good["provider_key"]["works"] is True
    assert refused["provider_key"]["works"] is False


@pytest.mark.parametrize("name", ["tools", "structured", "embeddings"])
def test_every_kind_of_sample_goes_through(running_portal: Portal, name: str) -> None:
    running_portal.bootstrap()

    done = running_portal.manage(
        "run", str(SAMPLES / f"{name}.jsonl"), "--project", "demo", "--wait", "--json"
    )

    facts = json.loads(done.stdout)
    assert facts["status"] == "completed"
    assert facts["succeeded"] == facts["requests"] > 0
    assert float(facts["estimated_cost_usd"]) > 0
    assert float(facts["actual_cost_usd"]) > 0
    assert len(set(custom_ids(facts["output_path"]))) == facts["requests"]


def test_a_killed_worker_loses_and_doubles_nothing(running_portal: Portal) -> None:
    key = f"{KEY}-killed"
    running_portal.bootstrap(key=key, project="Killed")

    with running_portal.running(
        "run", str(SAMPLES / "chat.jsonl"), "--project", "killed", "--wait", "--json"
    ) as command:
        assert command.stderr
        assert command.stdout
        for moment in ("submitted as", "running at the provider"):
            seen = list(lines_until(command.stderr, moment))
            assert moment in seen[-1], running_portal.tail()
            running_portal.kill("worker")
        # The third line may not come: the batch may have ended before the next look at it.
        list(lines_until(command.stderr, "of 300"))
        running_portal.kill("worker")
        running_portal.kill("beat")
        running_portal.kill("web")
        out, err = command.communicate(timeout=300)
        assert command.returncode == 0, err + running_portal.tail()

    facts = json.loads(out)
    assert (facts["requests"], facts["succeeded"], facts["failed"]) == (300, 300, 0)
    ids = custom_ids(facts["output_path"])
    assert len(ids) == len(set(ids)) == 300
    assert len(running_portal.sandbox_batches(key)) == 1


def test_a_killed_provider_is_waited_for(running_portal: Portal) -> None:
    key = f"{KEY}-away"
    running_portal.bootstrap(key=key, project="Away")

    with running_portal.running(
        "run", str(SAMPLES / "structured.jsonl"), "--project", "away", "--wait", "--json"
    ) as command:
        assert command.stderr
        seen = list(lines_until(command.stderr, "running at the provider"))
        assert "running at the provider" in seen[-1], "".join(seen) + running_portal.tail()
        running_portal.kill("sandbox")
        out, err = command.communicate(timeout=300)
        assert command.returncode == 0, err + running_portal.tail()

    assert json.loads(out)["succeeded"] == json.loads(out)["requests"]
    assert len(running_portal.sandbox_batches(key)) == 1


# A new key may be refused by mistake, which is waited out.
KEYS_ARE_OLD = """
from batchapp.models import ProviderKey
ProviderKey.objects.update(secret_set_at="2026-01-01T00:00Z")
"""


def test_a_revoked_key_ends_in_a_sentence(running_portal: Portal) -> None:
    running_portal.bootstrap(key="sk-tests-revoked-0001", project="Revoked")
    running_portal.manage("shell", "--command", KEYS_ARE_OLD)

    done = running_portal.manage(
        *("run", str(SAMPLES / "tools.jsonl"), "--project", "revoked", "--wait", "--json"),
        check=False,
    )

    assert done.returncode == 1
    assert "refused the key" in done.stderr
    assert json.loads(done.stdout)["status"] == "needs_attention"
    until(lambda: running_portal.log, "output")
    assert "Traceback" not in done.stderr + running_portal.tail()
    assert "sk-tests-revoked-0001" not in done.stderr + running_portal.tail()


def test_no_credit_ends_in_a_sentence_and_nothing_is_created(running_portal: Portal) -> None:
    key = "sk-tests-nocredit-0001"
    running_portal.bootstrap(key=key, project="Broke")

    done = running_portal.manage(
        *("run", str(SAMPLES / "tools.jsonl"), "--project", "broke", "--wait"), check=False
    )

    assert done.returncode == 1
    assert "no credits left" in done.stderr
    assert running_portal.sandbox_batches(key) == []


def test_a_model_nobody_has_ends_in_a_sentence(running_portal: Portal, tmp_path: Path) -> None:
    running_portal.bootstrap(project="Strange")
    file = tmp_path / "strange.jsonl"
    line = (SAMPLES / "tools.jsonl").read_text().splitlines()[0]
    model = json.loads(line)["body"]["model"]
    file.write_text(line.replace(model, "nobody/has-this") + "\n")

    done = running_portal.manage(
        *("run", str(file), "--project", "strange", "--wait", "--json"), check=False
    )

    assert done.returncode == 1
    assert "Correct the model in the file" in done.stderr
    assert json.loads(done.stdout)["estimated_cost_usd"] is None


def test_without_waiting_the_batch_is_named_at_once(running_portal: Portal) -> None:
    running_portal.bootstrap()

    done = running_portal.manage(
        "run", str(SAMPLES / "embeddings.jsonl"), "--project", "demo", "--json"
    )

    facts = json.loads(done.stdout)
    assert facts["status"] == "running"
    assert facts["batch"]


def test_a_file_of_faults_is_refused_line_by_line(running_portal: Portal, tmp_path: Path) -> None:
    running_portal.bootstrap()
    file = tmp_path / "faults.jsonl"
    file.write_text("{}\nnonsense\n")

    done = running_portal.manage("run", str(file), "--project", "demo", check=False)

    assert done.returncode == 1
    assert "nothing was submitted" in done.stderr
    assert "line 1:" in done.stderr
    assert "line 2:" in done.stderr


def test_the_workers_log_says_what_became_of_each_step(running_portal: Portal) -> None:
    running_portal.bootstrap()

    done = running_portal.manage(
        "run", str(SAMPLES / "embeddings.jsonl"), "--project", "demo", "--wait", "--json"
    )

    batch = json.loads(done.stdout)["batch"]
    until(
        lambda: f"batch {batch}: settle_batch, now completed" in running_portal.tail(), "the step"
    )
