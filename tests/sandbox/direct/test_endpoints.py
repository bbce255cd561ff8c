"""Requests outside of batches: at once, streamed, in the background, and refused."""

import json

import httpx
import pytest

from batchapp.sandbox.direct.endpoints import BACKGROUND_SECONDS
from tests.sandbox.api_client import Api
from tests.sandbox.in_process import InProcess

CHAT = {
    "model": "Qwen/Qwen3-14B-FP8",
    "messages": [{"role": "user", "content": "Name the largest planet."}],
}


def _events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]


def test_a_chat_completion_and_an_embedding_are_answered_at_once(api: Api) -> None:
    chat = api.http.post("/v1/chat/completions", json=CHAT)
    embedding = api.http.post(
        "/v1/embeddings", json={"model": "Qwen/Qwen3-Embedding-8B", "input": "planet"}
    )

    assert chat.json()["choices"][0]["message"]["content"]
    assert chat.json()["usage"]["completion_tokens"] > 0
    assert embedding.json()["data"][0]["embedding"]


def test_a_stream_has_the_text_of_the_answer_and_its_usage_only_if_that_is_asked_for(
    api: Api,
) -> None:
    whole = api.http.post("/v1/chat/completions", json=CHAT).json()

    plain = api.http.post("/v1/chat/completions", json=CHAT | {"stream": True}).text
    options = {"stream": True, "stream_options": {"include_usage": True}}
    counted = api.http.post("/v1/chat/completions", json=CHAT | options).text

    *chunks, done = _events(plain)
    text = "".join(json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert (text, done) == (whole["choices"][0]["message"]["content"], "[DONE]")
    assert json.loads(_events(counted)[-2])["usage"] == whole["usage"]


def test_a_response_in_the_background_is_queued_and_then_there_for_its_account_alone(
    sandbox: InProcess,
) -> None:
    api, stranger = sandbox.api("sk-one"), sandbox.api("sk-other")
    body = {"model": CHAT["model"], "input": "Name a planet.", "background": True}

    queued = api.http.post("/v1/responses", json=body | {"service_tier": "flex"})
    path = f"/v1/responses/{queued.json()['id']}"
    sandbox.clock.advance(BACKGROUND_SECONDS - 1)
    early = api.http.get(path).json()
    sandbox.clock.advance(1)
    answer = api.http.get(path).json()

    assert (queued.status_code, queued.json()["status"]) == (202, "queued")
    assert early["status"] == "queued"
    assert (answer["status"], answer["service_tier"]) == ("completed", "flex")
    assert answer["usage"]["output_tokens"] > 0
    assert stranger.http.get(path).status_code == 404


def test_what_the_model_server_refuses_is_an_error_in_the_format_of_openai(
    api: Api, account
) -> None:
    refused = [
        api.http.post("/v1/chat/completions", content=b"{"),
        api.http.post("/v1/chat/completions", json={"messages": []}),
        api.http.post("/v1/chat/completions", json=CHAT | {"model": "unknown"}),
        api.http.post("/v1/chat/completions", json=CHAT | {"user": "sandbox:fail=503"}),
        account("nocredit").http.post("/v1/chat/completions", json=CHAT),
    ]

    assert [answer.status_code for answer in refused] == [400, 400, 404, 503, 402]
    assert all(answer.json()["error"]["message"] for answer in refused)


def test_the_stream_of_a_directive_breaks_off(api: Api) -> None:
    body = CHAT | {"stream": True, "user": "sandbox:break"}

    with pytest.raises(httpx.RemoteProtocolError):
        api.http.post("/v1/chat/completions", json=body)
