"""Large request files for measurements, the same in every run."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import batchapp

# The largest file that the provider accepts, with requests as long as an e-mail.
MEGABYTES, REQUESTS = 200, 126_000
LINE_BYTES = MEGABYTES * 1_000_000 // REQUESTS

MODEL = "Qwen/Qwen3-14B-FP8"
URL = "/v1/chat/completions"
TURNS = 5  # of a conversation

Message = dict[str, str]


def make_lines(kind: str, model: str = MODEL) -> Iterator[bytes]:
    """Make requests of one of ``KINDS`` from the words of the bundled samples."""
    samples = Path(batchapp.__file__).parent / "data" / "samples" / "chat.jsonl"
    bodies = [json.loads(line)["body"] for line in samples.read_text().splitlines()]
    system = bodies[0]["messages"][0]["content"]
    words = [word for body in bodies for word in body["messages"][-1]["content"].split(" ")]
    random = Random(1)
    frame = len(_line(model, REQUESTS, KINDS[kind](system, "")))
    for number in range(REQUESTS):
        text = " ".join(random.choices(words, k=LINE_BYTES // 6))[: LINE_BYTES - frame]
        yield _line(model, number, KINDS[kind](system, text))


def one_program(system: str, text: str) -> list[Message]:
    return [{"role": "system", "content": system}, {"role": "user", "content": text}]


def own_system_prompts(system: str, text: str) -> list[Message]:
    return one_program(system + text[: len(text) // 4], text[len(text) // 4 :])


def own_turns(system: str, text: str) -> list[Message]:
    messages = [{"role": "system", "content": system}]
    length = -(-len(text) // TURNS)
    for turn in range(TURNS):
        role = "assistant" if turn % 2 else "user"
        messages.append({"role": role, "content": text[turn * length : (turn + 1) * length]})
    return messages


# Kind of file -> function that makes the messages of a request from a system prompt and a text.
KINDS = {
    "one program": one_program,
    "own system prompts": own_system_prompts,
    "own turns": own_turns,
}


def _line(model: str, number: int, messages: list[Message]) -> bytes:
    body: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": 200}
    request = {"custom_id": f"r-{number}", "method": "POST", "url": URL, "body": body}
    return json.dumps(request).encode() + b"\n"
