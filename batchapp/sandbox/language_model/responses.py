"""The response body of one request, computed from the request each time it is read."""

import re
from typing import Any

import msgspec

from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model import embeddings
from batchapp.sandbox.language_model.conversation import (
    CHARACTERS_PER_TOKEN,
    Conversation,
    JsonObject,
    Tool,
    parse_conversation,
)
from batchapp.sandbox.language_model.response_formats import FORMATTERS, Choice, Reply
from batchapp.sandbox.language_model.structured_output import StructuredOutput
from batchapp.sandbox.language_model.text import MAX_PROMPT_CHARACTERS, REFUSAL, generate_text
from batchapp.sandbox.seeded_random import SeededRandom

EMBEDDINGS_URL = "/v1/embeddings"


def token_usage(line: RequestLine, directive: str) -> tuple[int, int]:
    """Return the prompt and completion tokens that the response to ``line`` reports."""
    if directive == "non-json":
        return 0, 0
    if line.url == EMBEDDINGS_URL:
        return embeddings.prompt_tokens(line.body), 0
    reply = _reply(line, directive)
    return reply.prompt_tokens, reply.completion_tokens


def make_response(line: RequestLine, directive: str, *, response_id: str, created: int) -> bytes:
    """Return the response body as JSON with its keys in alphabetical order."""
    if directive == "non-json":
        return msgspec.json.encode("<html><body>upstream connect error</body></html>")
    if line.url == EMBEDDINGS_URL:
        body = embeddings.embeddings_response(line.body)
    else:
        formatter = FORMATTERS[line.url]
        body = formatter(_reply(line, directive), line.body["model"], response_id, created)
    return msgspec.json.encode(body, order="sorted")


def _reply(line: RequestLine, directive: str) -> Reply:
    conversation = parse_conversation(line.url, line.body)
    seed = f"{line.custom_id}\0{line.body['model']}\0{conversation.prompt[:500]}"
    choices = [
        _choice(conversation, line.body["model"], directive, SeededRandom(f"{seed}\0{index}"))
        for index in range(conversation.choices)
    ]
    return Reply(choices, conversation.prompt_tokens, sum(map(_choice_tokens, choices)))


def _choice(
    conversation: Conversation, model: str, directive: str, random: SeededRandom
) -> Choice:
    if directive == "refuse":
        return Choice(text=REFUSAL, is_refusal=True)
    if directive == "empty":
        return Choice(text="")
    tool = _tool_to_call(conversation, random)
    if tool is not None:
        arguments = StructuredOutput(tool.parameters, conversation, random).generate()
        if not isinstance(arguments, dict):
            arguments = {}
        return Choice(text="", tool=tool.name, arguments=arguments)
    text = _text(conversation, model, random)
    end = len(text)
    if conversation.max_tokens is not None:
        end = conversation.max_tokens * CHARACTERS_PER_TOKEN
    if directive == "length":
        end = min(end, max(len(text) // 2, 1))
    return Choice(text=text[:end], is_truncated=end < len(text) or directive == "length")


def _tool_to_call(conversation: Conversation, random: SeededRandom) -> Tool | None:
    """Return the tool to call; None without tools or if a tool has just returned its result."""
    if not conversation.tools or conversation.last_role in {"tool", "function"}:
        return None
    for tool in conversation.tools:
        if tool.name == conversation.required_tool:
            return tool
    return random.choice(conversation.tools)


def _text(conversation: Conversation, model: str, random: SeededRandom) -> str:
    schema = conversation.schema
    if schema is None and conversation.wants_json:
        schema = _schema_of_quoted_names(conversation)
    if schema is None:
        return generate_text(conversation, model, random)
    value = StructuredOutput(schema, conversation, random).generate()
    return msgspec.json.encode(value).decode()


def _schema_of_quoted_names(conversation: Conversation) -> JsonObject:
    """Return the schema of an object whose keys are the names that the prompt quotes."""
    end = MAX_PROMPT_CHARACTERS
    text = f"{conversation.system[:end]}\n{conversation.prompt[:end]}"
    names = re.findall(r'["`\']([A-Za-z_]\w{0,40})["`\']', text)[:12] or ["answer"]
    properties: dict[str, Any] = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties}


def _choice_tokens(choice: Choice) -> int:
    text = choice.text
    if choice.tool is not None:
        text = f"{choice.tool}{msgspec.json.encode(choice.arguments).decode()}"
    return -(-len(text) // CHARACTERS_PER_TOKEN)
