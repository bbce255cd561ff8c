"""What a model answers to a request, made anew from the request whenever it is read."""

import re
from typing import Any

import msgspec

from batchapp.sandbox.answers import embeddings
from batchapp.sandbox.answers.conversation import (
    CHARACTERS_PER_TOKEN,
    Conversation,
    JsonObject,
    Tool,
    conversation,
)
from batchapp.sandbox.answers.schema_answers import SchemaWriter
from batchapp.sandbox.answers.shapes import SHAPES, Choice, Reply
from batchapp.sandbox.answers.writing import READ_CHARACTERS, REFUSAL, text_answer
from batchapp.sandbox.dice import Dice
from batchapp.sandbox.files.validation import RequestLine

EMBEDDINGS_URL = "/v1/embeddings"


def token_usage(line: RequestLine, wish: str) -> tuple[int, int]:
    """Prompt and completion tokens of the answer to ``line``, as its ``usage`` will say."""
    if wish == "non-json":
        return 0, 0
    if line.url == EMBEDDINGS_URL:
        return embeddings.prompt_tokens(line.body), 0
    reply = _reply(line, wish)
    return reply.prompt_tokens, reply.completion_tokens


def answer_body(line: RequestLine, wish: str, *, answer_id: str, created: int) -> bytes:
    """The response body as JSON, keys in alphabetical order; ``wish`` is the directive."""
    if wish == "non-json":
        return msgspec.json.encode("<html><body>upstream connect error</body></html>")
    if line.url == EMBEDDINGS_URL:
        body = embeddings.embedding_body(line.body)
    else:
        shape = SHAPES[line.url]
        body = shape(_reply(line, wish), line.body["model"], answer_id, created)
    return msgspec.json.encode(body, order="sorted")


def _reply(line: RequestLine, wish: str) -> Reply:
    talk = conversation(line.url, line.body)
    seed = f"{line.custom_id}\0{line.body['model']}\0{talk.prompt[:500]}"
    choices = [
        _choice(talk, line.body["model"], wish, Dice(f"{seed}\0{index}"))
        for index in range(talk.choices)
    ]
    return Reply(choices, talk.prompt_tokens, sum(map(_choice_tokens, choices)))


def _choice(talk: Conversation, model: str, wish: str, dice: Dice) -> Choice:
    if wish == "refuse":
        return Choice(text=REFUSAL, is_refusal=True)
    if wish == "empty":
        return Choice(text="")
    tool = _tool_to_call(talk, dice)
    if tool is not None:
        arguments = SchemaWriter(tool.parameters, talk, dice).answer()
        if not isinstance(arguments, dict):
            arguments = {}
        return Choice(text="", tool=tool.name, arguments=arguments)
    text = _text(talk, model, dice)
    end = len(text) if talk.max_tokens is None else talk.max_tokens * CHARACTERS_PER_TOKEN
    if wish == "length":
        end = min(end, max(len(text) // 2, 1))
    return Choice(text=text[:end], is_cut=end < len(text) or wish == "length")


def _tool_to_call(talk: Conversation, dice: Dice) -> Tool | None:
    """A tool is called whenever there is one, but not again once it has answered."""
    if not talk.tools or talk.last_role in {"tool", "function"}:
        return None
    for tool in talk.tools:
        if tool.name == talk.required_tool:
            return tool
    return dice.one_of(talk.tools)


def _text(talk: Conversation, model: str, dice: Dice) -> str:
    if talk.schema is not None:
        value = SchemaWriter(talk.schema, talk, dice).answer()
    elif talk.wants_json:
        value = SchemaWriter(_guessed_schema(talk), talk, dice).answer()
    else:
        return text_answer(talk, model, dice)
    return msgspec.json.encode(value).decode()


def _guessed_schema(talk: Conversation) -> JsonObject:
    """An object with the keys the prompt itself writes in quotation marks."""
    text = f"{talk.system[:READ_CHARACTERS]}\n{talk.prompt[:READ_CHARACTERS]}"
    names = re.findall(r'["`\']([A-Za-z_]\w{0,40})["`\']', text)[:12] or ["answer"]
    properties: dict[str, Any] = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties}


def _choice_tokens(choice: Choice) -> int:
    written = choice.text
    if choice.tool is not None:
        written = f"{choice.tool}{msgspec.json.encode(choice.arguments).decode()}"
    return -(-len(written) // CHARACTERS_PER_TOKEN)
