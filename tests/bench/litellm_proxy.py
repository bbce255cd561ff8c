"""LiteLLM's proxy in front of a sandbox, for comparison.

The proxy is no requirement of the portal. Install ``litellm[proxy]`` in an environment of its own,
and name its program in LITELLM.
"""

import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench.web_server import WebServer
from tests.processes.portal import is_up, until
from tests.stack import free_port

MASTER_KEY = "sk-bench"
MISSING = (
    "LiteLLM: not measured. Install litellm[proxy] in an environment of its own, and name its "
    "program: LITELLM=…/bin/litellm\n"
)
SETTINGS = """
model_list: []
files_settings:
  - custom_llm_provider: openai
    api_base: {url}/v1
    api_key: {key}
general_settings:
  master_key: {master_key}
"""


@contextmanager
def litellm_proxy(
    folder: Path, sandbox_url: str, key: str, *, cores: Collection[int] = ()
) -> Iterator[WebServer | None]:
    """Run the proxy with one process and no database; None if the environment names none."""
    program = os.environ.get("LITELLM", "")
    if not program:
        yield None
        return
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(SETTINGS.format(url=sandbox_url, key=key, master_key=MASTER_KEY))
    env = os.environ | {
        "OPENAI_BASE_URL": f"{sandbox_url}/v1",
        "OPENAI_API_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
    }
    command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (
        (folder / "litellm.log").open("w") as log,
        subprocess.Popen(
            [*command, "--num_workers", "1", "--telemetry", "False"],
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        if cores:
            os.sched_setaffinity(process.pid, cores)
        try:
            until(lambda: is_up(f"http://127.0.0.1:{port}/health/liveliness"), "LiteLLM")
            yield WebServer(port, {"secret": MASTER_KEY}, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def order_batch(server: WebServer, lines: bytes) -> tuple[str, str]:
    """Send a file and order a batch of it; return the ids of both."""
    headers = {"Authorization": f"Bearer {MASTER_KEY}"}
    with httpx.Client(
        base_url=f"http://{server.address}", headers=headers, trust_env=False, timeout=60
    ) as client:
        sent = client.post(
            "/v1/files", files={"file": ("requests.jsonl", lines)}, data={"purpose": "batch"}
        )
        file = str(sent.raise_for_status().json()["id"])
        made = client.post("/v1/batches", json=order_of(file))
        return file, str(made.raise_for_status().json()["id"])


def order_of(file: str) -> dict[str, str]:
    return {
        "input_file_id": file,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
