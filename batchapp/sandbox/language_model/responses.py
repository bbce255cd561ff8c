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
from batchapp.sandbox.language_model.facts import words_of
from batchapp.sandbox.language_model.reasoning import thinks, thoughts
from batchapp.sandbox.language_model.response_formats import FORMATTERS, Choice, Reply
from batchapp.sandbox.language_model.structured_output import StructuredOutput
from batchapp.sandbox.language_model.task import MAX_PROMPT_CHARACTERS
from batchapp.sandbox.language_model.text import REFUSAL, generate_text
from batchapp.sandbox.prompt_cache.reuse import CachedTokens
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


def make_response(
    line: RequestLine,
    directive: str,
    *,
    response_id: str,
    created: int,
    cached: CachedTokens | None = None,
) -> bytes:
    """Return the response body as JSON with its keys in alphabetical order.

    ``cached`` are the tokens to report of the prompt cache, None for a model without one.
    """
    if directive == "non-json":
        return msgspec.json.encode("<html><body>upstream connect error</body></html>")
    if line.url == EMBEDDINGS_URL:
        body = embeddings.embeddings_response(line.body)
    else:
        formatter = FORMATTERS[line.url]
        reply = _reply(line, directive)
        reply.cached = cached
        body = formatter(reply, line.body["model"], response_id, created)
    return msgspec.json.encode(body, order="sorted")


def _reply(line: RequestLine, directive: str) -> Reply:
    conversation = parse_conversation(line.url, line.body)
    seed = f"{line.custom_id}\0{line.body['model']}\0{conversation.prompt[:500]}"
    is_thinking = thinks(line.url, line.body) and directive not in {"refuse", "empty"}
    choices = []
    for index in range(conversation.choices):
        random = SeededRandom(f"{seed}\0{index}")
        choice = _choice(conversation, line.body["model"], directive, random)
        if is_thinking:
            choice.thoughts = thoughts(conversation, line.body, _billed_text(choice), random)
        choices.append(choice)
    reasoning_tokens = sum(_tokens(choice.thoughts) for choice in choices)
    return Reply(
        choices,
        prompt_tokens=conversation.size.tokens,
        completion_tokens=reasoning_tokens
        + sum(_tokens(_billed_text(choice)) for choice in choices),
        reasoning_tokens=reasoning_tokens if is_thinking else None,
    )


def _choice(
    conversation: Conversation, model: str, directive: str, random: SeededRandom
) -> Choice:
    if directive == "refuse":
        return Choice(text=REFUSAL, is_refusal=True)
    if directive == "empty":
        return Choice(text="")
    tool = _tool_to_call(conversation)
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


def _tool_to_call(conversation: Conversation) -> Tool | None:
    """Return the tool whose name has most words of the prompt, or else the first one.

    There is none without tools or if a tool has just returned its result.
    """
    if not conversation.tools or conversation.last_role in {"tool", "function"}:
        return None
    for tool in conversation.tools:
        if tool.name == conversation.required_tool:
            return tool
    words = set(words_of(conversation.prompt[:MAX_PROMPT_CHARACTERS]))
    return max(conversation.tools, key=lambda tool: len(words.intersection(words_of(tool.name))))


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


def _billed_text(choice: Choice) -> str:
    if choice.tool is None:
        return choice.text
    return f"{choice.tool}{msgspec.json.encode(choice.arguments).decode()}"


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
