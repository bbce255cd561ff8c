"""`serve` with the real processes: what dies comes back, and a second one stays out."""

import json
import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.processes.portal import ROOT, Portal, free_port, members_of, portal, until

pytestmark = [pytest.mark.processes]


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_a_killed_process_comes_back(running_portal: Portal, name: str) -> None:
    portal = running_portal
    portal.kill(name)

    until(lambda: f"{name}: killed by SIGKILL; starting again in 1 s." in portal.log, "a message")
    until(lambda: _is_well(portal), "the portal", portal.tail)


def test_a_killed_worker_leaves_no_child_behind(running_portal: Portal) -> None:
    worker = running_portal.started["worker"]
    until(lambda: len(members_of(worker)) > 1, "the worker's children")
    running_portal.kill("worker")

    until(lambda: not members_of(worker), "the killed worker's children to end")


def test_a_worker_whose_children_are_killed_takes_tasks_again(running_portal: Portal) -> None:
    """As a host short of memory does it; one of them holds what the others wait for."""
    running_portal.bootstrap()
    until(lambda: len(running_portal.children("worker")) > 1, "the worker's children")

    for child in running_portal.children("worker"):
        os.kill(child, signal.SIGKILL)

    sample = ROOT / "batchapp/data/samples/tools.jsonl"
    done = running_portal.manage("run", str(sample), "--project", "demo", "--wait", "--json")
    assert json.loads(done.stdout)["status"] == "completed"


def test_a_second_one_on_the_same_folder_is_refused(running_portal: Portal) -> None:
    refused = running_portal.manage("serve", check=False)

    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: A portal already runs on ")
    assert refused.stderr.count("\n") == 1


def test_a_web_server_of_its_own_ends_on_a_signal(
    running_portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Docker does it: one process of the Procfile, without the keeper."""
    port = free_port()
    monkeypatch.setitem(running_portal.env, "PORT", str(port))
    with running_portal.running("serve", "web") as web:
        until(lambda: _answers(f"http://localhost:{port}/readyz"), "the web server")
        web.send_signal(signal.SIGTERM)
        assert web.wait(90) == 0


def test_an_empty_portal_prints_the_link_that_makes_its_administrator(tmp_path: Path) -> None:
    with portal(tmp_path) as empty, httpx.Client(trust_env=False, timeout=60) as client:
        notices = [line for line in empty.log if "Make the administrator at" in line]
        link = notices[0].rpartition(" ")[2]
        with empty.running("serve", "web") as web:  # as in a container of its own
            assert web.stdout
            assert link in web.stdout.readline()
        asked = client.get(f"{empty.url}/projects/", follow_redirects=True)

        page = client.get(link)

        assert asked.url.path == "/first-run/"
        assert link.startswith(empty.url)
        assert "Make the administrator" in page.text
        empty.bootstrap()
        assert client.get(link).status_code == 404


def _is_well(portal: Portal) -> bool:
    return _answers(f"{portal.url}/healthz")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=60).is_success
    except httpx.TransportError:
        return False


def test_what_a_killed_web_server_had_half_received_is_removed_at_the_next_start(
    tmp_path: Path,
) -> None:
    uploading = tmp_path / "uploading"
    uploading.mkdir()
    (uploading / "tmp123.upload.jsonl").write_bytes(b"half a file")
    old, young = uploading / "old-export", uploading / "young-export"
    for folder in (old, young):
        folder.mkdir()
        (folder / "results.parquet").write_bytes(b"half an export")
    os.utime(old, (0, 0))

    with portal(tmp_path):
        assert list(uploading.iterdir()) == [young]
