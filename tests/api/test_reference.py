"""The pages about the API: one for people, one for agents."""

import json
import re
from typing import get_args

import pytest
from django.conf import settings
from django.test import Client

from batchapp.api.openapi_document import document
from batchapp.api.schemas.batches import PortalFacts, Status
from batchapp.api.schemas.files import CostEstimate
from batchapp.pipeline.states import BATCH_STATES, WaitsFor
from batchapp.presenters import guide

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("user")]


def test_everybody_reads_each_operation_with_its_scope(client: Client) -> None:
    response = client.get("/v1/reference")

    page = response.content.decode()
    assert response.status_code == 200
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            assert f'<h3 id="{operation["operationId"]}">' in page
            assert f"<code>{method.upper()} {path}</code>" in page
    assert 'href="/v1/openapi.json"' in page
    assert "The first error is in <code>message</code>" in page
    assert "``" not in page


def test_the_guide_shows_the_address_of_the_portal_in_examples_that_are_sound(
    client: Client,
) -> None:
    text = (guide.FOLDER / "clients.md").read_text()
    examples = re.findall(r"```(\w+) [^\n]+\n(.*?)```", text, re.DOTALL)

    page = client.get("/guide/clients/").content.decode()

    assert [language for language, _ in examples] == [
        *7 * ["sh"],
        "python",
        "js",
        *2 * ["python"],
    ]
    for language, example in examples:
        assert f"{guide.EXAMPLE_ADDRESS}/v1" in example or "> requests.jsonl" in example
        if language == "python":
            compile(example, "clients.md", "exec")
    assert page.count(f"{settings.PUBLIC_URL}/v1") >= len(examples) - 1
    assert guide.EXAMPLE_ADDRESS not in page


def test_an_agent_reads_what_the_api_has(client: Client) -> None:
    response = client.get("/skill.md")

    text = response.content.decode()
    known = {path.replace("{", "").replace("}", "") for path in document()["paths"]}
    named = re.findall(r"`(?:GET|POST) (/v1/[^`?]*)", text)
    paths = {re.sub("FILE", "file_id", path).replace("BATCH", "batch_id") for path in named}
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert f"The portal is at {settings.PUBLIC_URL}." in text
    assert paths <= known
    assert len(paths) > 4
    for member in ("total_estimated_cost", "low_cost", "high_cost", "ceiling_cost"):
        assert f"`{member}`" in text
        assert member in CostEstimate.model_fields
    for member in ("state", "url", "cost_usd"):
        assert f"`portal.{member}`" in text
        assert member in PortalFacts.model_fields
    waiting = {state.code for state in BATCH_STATES if state.waits_for is WaitsFor.PERSON}
    over = set(get_args(Status)) - {"validating", "in_progress", "finalizing", "cancelling"}
    assert over | waiting <= set(re.findall(r"`(\w+)`", text))
    (request,) = [line for line in text.splitlines() if line.startswith("{")]
    assert set(json.loads(request)) == {"custom_id", "method", "url", "body"}
