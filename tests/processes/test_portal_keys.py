"""A portal key in the hands of curl, at a portal of real processes."""

import json
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import httpx
import pytest

from batchapp.presenters import guide
from tests.processes.portal import PASSWORD, Portal, portal, until

pytestmark = [pytest.mark.processes]

MODEL = "Qwen/Qwen3.5-9B"


def sign_in(client: httpx.Client) -> None:
    post(client, "/sign-in/", {"username": "ana@example.com", "password": PASSWORD})


def post(client: httpx.Client, path: str, data: dict[str, str]) -> httpx.Response:
    """Send the form of a page, with its token."""
    page = client.get(path)
    (token, *_) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    return client.post(path, data=data | {"csrfmiddlewaretoken": token})


def curl(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(shutil.which("curl")), "--silent", "--show-error", "--noproxy", "*", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def run_batch(running: Portal, folder: Path) -> str:
    """Run three requests to their end, and return the id of the batch."""
    file = write_requests(folder)
    done = running.manage("run", str(file), "--project", "demo", "--wait", "--json")
    return str(json.loads(done.stdout.splitlines()[-1])["batch"])


def write_requests(folder: Path) -> Path:
    file = folder / "requests.jsonl"
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    lines = (
        {"custom_id": f"row-{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n in range(3)
    )
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def make_key(running: Portal, scope: str) -> str:
    """Make a portal key on its page, and return its secret."""
    with httpx.Client(
        base_url=running.url, trust_env=False, follow_redirects=True, timeout=60
    ) as client:
        sign_in(client)
        form = {"name": "curl", "scope": scope, "expiry": "30"}
        made = post(client, "/projects/demo/portal-keys/new/", form)
    return re.findall(r"ba_[A-Za-z0-9]{43}", made.text)[0]


def run_example(
    running: Portal,
    folder: Path,
    secret: str,
    label: str,
    *,
    article: str = "clients",
    exit_code: int = 0,
    **ids: str,
) -> str:
    """Run an example of the guide in a shell, with the ids in the places of those it has."""
    text = (guide.FOLDER / f"{article}.md").read_text()
    _, _, example = text.partition(f"```sh {label}")
    example = example.partition("\n")[2].partition("```")[0]
    for word, value in {guide.EXAMPLE_ADDRESS: running.url, **ids}.items():
        example = example.replace(word, value)
    done = subprocess.run(
        ["sh", "-c", example],
        cwd=folder,
        env=os.environ | {"BATCHAPP_KEY": secret, "BATCHAPP_MODEL": MODEL, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == exit_code, (label, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_page_work_as_they_are(tmp_path: Path) -> None:
    with portal(tmp_path / "portal", speed=20) as running:
        running.bootstrap()
        batch = run_batch(running, tmp_path)
        secret = make_key(running, "read")
        header = f"Authorization: Bearer {secret}"
        results = f"{running.url}/batches/{batch}/output.jsonl"

        models = curl("--fail", "-H", header, f"{running.url}/v1/models", folder=tmp_path)
        saved = curl("--fail", "-OJ", "-H", header, results, folder=tmp_path)
        stranger = curl("-i", results, folder=tmp_path)
        wrong = curl("-i", "-H", f"{header[:-1]}_", results, folder=tmp_path)
        huge = curl("-i", "-H", f"Authorization: Bearer {'x' * 100_000}", results, folder=tmp_path)
        head = curl("--head", "-H", header, results, folder=tmp_path)

        assert MODEL in [model["id"] for model in json.loads(models.stdout)["data"]]
        assert saved.returncode == 0, saved.stderr
        (answers,) = tmp_path.glob("requests*-output.jsonl")
        assert len(answers.read_text().splitlines()) == 3
        assert " 302 " in stranger.stdout.splitlines()[0]
        assert " 401 " in wrong.stdout.splitlines()[0]
        assert '"invalid_api_key"' in wrong.stdout
        assert re.match(r"HTTP/1.1 4\d\d ", huge.stdout)
        assert " 200 " in head.stdout.splitlines()[0]
        assert secret not in "\n".join(running.log)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_guide_run_a_batch(tmp_path: Path) -> None:
    """A reader sets the key and the model, and writes ids in the place of those in the guide."""
    with portal(tmp_path / "portal", speed=20) as running:
        running.bootstrap()
        example = partial(run_example, running, tmp_path, make_key(running, "submit"))
        models = example("List the models", **{"export BATCHAPP_KEY='ba_…'": ""})
        example("Make a file", **{"'MODEL'": f"'{MODEL}'"})

        file = json.loads(example("Send the file"))
        batch = json.loads(example("Order a batch", **{"file-ID": file["id"]}))
        again = json.loads(example("Order a batch", **{"file-ID": file["id"]}))
        anew = json.loads(example("Order a batch", **{"file-ID": file["id"], "curl 1": "curl 2"}))
        follow = partial(example, "Follow the batch", batch_ID=batch["id"])
        until(lambda: json.loads(follow())["status"] == "completed", "the batch", running.tail)
        answers = example("Read the answers", **{"file-output-ID": batch["output_file_id"]})
        failures = example("Read what failed", **{"file-error-ID": batch["error_file_id"]})
        single = example("One answer", article="single-requests")

        assert f'"{MODEL}"' in models
        assert file["filename"] == "requests.jsonl"
        assert again["id"] == batch["id"] != anew["id"]
        assert {json.loads(line)["custom_id"] for line in answers.splitlines()} == {"1", "2"}
        assert failures == ""
        assert json.loads(single)["choices"][0]["message"]["content"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_of_the_guide_that_reads_failures_ends_with_them(tmp_path: Path) -> None:
    with portal(tmp_path / "portal", speed=20) as running:
        running.bootstrap()
        file = write_requests(tmp_path)
        first, rest = file.read_text().split("\n", 1)
        fields = json.loads(first)
        fields["body"]["user"] = "sandbox:fail=418"
        file.write_text(f"{json.dumps(fields)}\n{rest}")
        example = partial(run_example, running, tmp_path, make_key(running, "submit"))

        file_id = json.loads(example("Send the file"))["id"]
        batch = json.loads(example("Order a batch", **{"file-ID": file_id}))
        follow = partial(example, "Follow the batch", batch_ID=batch["id"])
        until(lambda: json.loads(follow())["status"] == "completed", "the batch", running.tail)
        ids = {"file-error-ID": batch["error_file_id"]}
        failures = example("Read what failed", exit_code=1, **ids)

        assert [json.loads(line)["custom_id"] for line in failures.splitlines()] == ["row-0"]
