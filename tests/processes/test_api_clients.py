"""Scripts written for OpenAI and Doubleword run against the portal with one line changed."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from batchapp.presenters import guide
from tests.processes.client_environments import node_with, python_with
from tests.processes.portal import Portal, portal
from tests.processes.test_portal_keys import curl, post, sign_in

pytestmark = [pytest.mark.processes]

CLIENTS = Path(__file__).parent / "clients"
MODEL = "Qwen/Qwen3.5-9B"
PATIENCE = 240  # seconds for a script
ENDS = {"finalizing", "completed"}  # of a batch that was answered before the cancel came


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with portal(tmp_path_factory.mktemp("portal"), speed=20) as it:
        it.bootstrap()
        yield it


@pytest.fixture(scope="module")
def secret(running: Portal) -> str:
    """The secret of a portal key that submits."""
    with httpx.Client(
        base_url=running.url, trust_env=False, follow_redirects=True, timeout=60
    ) as client:
        sign_in(client)
        made = post(
            client,
            "/projects/demo/portal-keys/new/",
            {"name": "clients", "scope": "submit", "expiry": "30"},
        )
    return str(re.findall(r"ba_[A-Za-z0-9]{43}", made.text)[0])


def run(running: Portal, secret: str, *command: str | Path, folder: Path) -> dict[str, Any]:
    """Run a script with the variables that OpenAI's clients read; return what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NO_PROXY": "*",
            "OPENAI_BASE_URL": f"{running.url}/v1",
            "OPENAI_API_KEY": secret,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{running.tail()}"
    return dict(json.loads(done.stdout.splitlines()[-1]))


def expect(told: dict[str, Any], name: str) -> None:
    assert told["status"] == "completed"
    assert told["counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert told["metadata"] == {"job": name}
    assert told["answered"] == [f"{name}-{n}" for n in range(3)]
    assert all(told["contents"])
    assert told["cancelled"] in {"cancelling", "cancelled", *ENDS}
    assert told["listed"]
    assert told["input"]
    assert told["deleted"]


@pytest.mark.parametrize("package", ["openai==2.0.0", "openai"])
def test_a_script_for_openais_python_client_runs_unchanged(
    running: Portal, secret: str, package: str, tmp_path: Path
) -> None:
    python = python_with(package)
    script = tmp_path / "script.py"
    job = package.replace("==", "-").replace(".", "-")
    text = (CLIENTS / "openai_script.py").read_text()
    for name in ("first", "second", "spare"):  # of another run, equal orders would be the same
        text = text.replace(f'"{name}', f'"{job}-{name}')
    script.write_text(text)

    told = run(running, secret, python, script, folder=tmp_path)

    expect(told, f"{job}-first")


def test_a_script_for_openais_javascript_client_runs_unchanged(
    running: Portal, secret: str, tmp_path: Path
) -> None:
    folder = node_with("openai@6")
    script = shutil.copy(CLIENTS / "openai_script.mjs", folder / "openai_script.mjs")

    told = run(running, secret, "node", script, folder=tmp_path)

    expect(told, "node-first")
    assert told["streamed"]


def test_a_script_for_autobatcher_runs_unchanged(
    running: Portal, secret: str, tmp_path: Path
) -> None:
    python = python_with("autobatcher")

    told = run(running, secret, python, CLIENTS / "autobatcher_script.py", folder=tmp_path)

    assert len(told["contents"]) == 3
    assert all(told["contents"])


def test_a_script_for_langchain_runs_unchanged(
    running: Portal, secret: str, tmp_path: Path
) -> None:
    """Its calls, also those of its ``batch``, are single requests."""
    python = python_with("langchain-openai")

    told = run(running, secret, python, CLIENTS / "langchain_script.py", folder=tmp_path)

    assert told["answer"]
    assert told["usage"]["output_tokens"] > 0
    assert len(told["batch"]) == 2
    assert all(told["batch"])
    assert told["stream"]
    assert told["responses"]
    assert told["vectors"] == 2


EXAMPLES = {  # of the guide: the begin of the title -> article, package, what its output has
    "OpenAI's client for Python": ("clients", "openai", '"custom_id"'),
    "OpenAI's client for Node": ("clients", "openai@6", '"custom_id"'),
    "autobatcher": ("clients", "autobatcher", "\n"),
    "LangChain: ": ("clients", "langchain-doubleword", "', '"),
    "An answer as a stream": ("single-requests", "openai", " "),
}
WITH_FAILURES = ["OpenAI's client for Python", "OpenAI's client for Node"]


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_examples_of_the_guide_run_as_they_are(
    running: Portal, secret: str, title: str, tmp_path: Path
) -> None:
    """A reader sets the key and the model; here they wait shorter than in the guide."""
    done = run_guide_example(running, secret, title, tmp_path, guide_requests())

    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{running.tail()}"
    assert EXAMPLES[title][2] in done.stdout


def test_the_examples_of_two_languages_order_two_batches_and_each_again_the_same(
    running: Portal, secret: str, tmp_path: Path
) -> None:
    requests = guide_requests().replace("Hello", "Which languages?")
    titles = [WITH_FAILURES[0], *WITH_FAILURES]

    texts = [
        run_guide_example(running, secret, title, tmp_path, requests).stdout for title in titles
    ]

    python, python_again, node = (text.split()[0] for text in texts)
    assert python.startswith("batch_")
    assert python == python_again != node


@pytest.mark.parametrize("title", WITH_FAILURES)
def test_the_examples_of_the_guide_print_what_failed_and_end_with_an_error(
    running: Portal, secret: str, title: str, tmp_path: Path
) -> None:
    first, second = guide_requests().splitlines()
    first = first.replace('"messages"', '"user": "sandbox:fail=418", "messages"')

    done = run_guide_example(running, secret, title, tmp_path, f"{first}\n{second}\n")

    assert done.returncode == 1, done.stderr
    assert '"custom_id":"2"' in done.stdout.replace(": ", ":")
    assert '"custom_id":"1"' in done.stderr.replace(": ", ":")


def run_guide_example(
    running: Portal, secret: str, title: str, folder: Path, requests: str
) -> subprocess.CompletedProcess[str]:
    article, package, _ = EXAMPLES[title]
    language, text = guide_example(article, title)
    for old, new in {
        guide.EXAMPLE_ADDRESS: running.url,
        "sleep(10)": "sleep(1)",
        "10_000": "1000",
    }.items():
        text = text.replace(old, new)
    (folder / "requests.jsonl").write_text(requests)
    if language == "js":
        program, script = "node", node_with(package) / "batch.mjs"
    else:
        program, script = str(python_with(package)), folder / "batch.py"
    script.write_text(text)
    return subprocess.run(
        [program, str(script)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NO_PROXY": "*",
            "BATCHAPP_KEY": secret,
            "BATCHAPP_MODEL": MODEL,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def guide_requests() -> str:
    """Return the file that the guide makes, as the shell writes it."""
    _, text = guide_example("clients", "Make a file")
    lines = text.partition("<<END\n")[2].partition("END\n")[0]
    return lines.replace("$BATCHAPP_MODEL", MODEL)


def guide_example(article: str, title: str) -> tuple[str, str]:
    """Return the language and the text of the example whose title begins so."""
    text = (guide.FOLDER / f"{article}.md").read_text()
    found = re.search(rf"```(\w+) {re.escape(title)}[^\n]*\n(.*?)```", text, re.DOTALL)
    assert found, title
    return found[1], found[2]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_commands_of_curl_run_unchanged(running: Portal, secret: str, tmp_path: Path) -> None:
    header = ("-H", f"Authorization: Bearer {secret}")
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    line = {"custom_id": "curl", "method": "POST", "url": "/v1/chat/completions", "body": body}
    (tmp_path / "requests.jsonl").write_text(json.dumps(line))
    base = f"{running.url}/v1"

    chunks = ("-H", "Transfer-Encoding: chunked", "-F", "purpose=batch")
    in_chunks = curl(
        *header, *chunks, *("-F", "file=@requests.jsonl", f"{base}/files"), folder=tmp_path
    )
    file = curl(
        *header,
        *("-F", "purpose=batch", "-F", "file=@requests.jsonl", f"{base}/files"),
        folder=tmp_path,
    )
    order = {
        "input_file_id": json.loads(file.stdout)["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    json_header = ("-H", "Content-Type: application/json")
    create = (*header, *json_header, "-i", "-d", json.dumps(order), f"{base}/batches")
    first, again = (curl(*create, folder=tmp_path).stdout for _ in range(2))
    batch = json.loads(first.splitlines()[-1])
    shown = curl(*header, f"{base}/batches/{batch['id']}", folder=tmp_path)

    assert json.loads(in_chunks.stdout)["id"] == json.loads(file.stdout)["id"]
    assert json.loads(again.splitlines()[-1])["id"] == batch["id"]
    assert "idempotent-replayed: true" in again.lower()
    assert "idempotent-replayed" not in first.lower()
    assert json.loads(shown.stdout)["id"] == batch["id"]
