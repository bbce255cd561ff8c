"""Read from a request what answers it asks for, and so how long they will be."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchapp.domain.answer_lengths import instructions, schemas, tasks
from batchapp.domain.answer_lengths.expectation import NO_OUTPUT, Expectation, expect
from batchapp.domain.answer_lengths.length import CHARACTERS_PER_TOKEN, UNSAID, Length
from batchapp.domain.answer_lengths.reasoning import NO_REASONING, reasoning_of
from batchapp.domain.model_cards import ModelCard
from batchapp.domain.tokens import counting
from batchapp.domain.tokens.counting import OutputLimit

# Characters of a text that are read at its ends, where people write what they want.
SYSTEM_HEAD, SYSTEM_TAIL, QUESTION_HEAD, QUESTION_TAIL = 1_500, 500, 300, 300
INSTRUCTION_ROLES = frozenset({"system", "developer"})
IN_A_QUESTION = 12  # tokens of an instruction that is written beside the text itself
STEP = 16  # tokens to which the length of instructions is rounded, so that expectations recur

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS = "/v1/completions"

# A function like ``read_length``, which may not read every request.
ReadLength = Callable[[str, Mapping[str, Any], str], tuple[Length, bool]]


def expect_answers(
    body: Mapping[str, Any],
    url: str,
    output: OutputLimit,
    card: ModelCard | None = None,
    *,
    thinks: bool = True,
    read: ReadLength | None = None,
) -> Expectation:
    """Return the expected output of a request without errors; ``card`` if its model is known.

    ``thinks`` is False for a sandbox, whose models answer at once. ``read`` replaces
    ``read_length``.
    """
    if url not in counting.OUTPUT_LIMIT_FIELDS:
        return NO_OUTPUT
    system = _system_text(body)
    formed = _formed_length(body, url)
    length, is_fixed = (formed, True) if formed else (read or read_length)(system, body, url)
    return expect(
        length,
        reasoning_of(body, url, card) if thinks else NO_REASONING,
        output.answers,
        None if output.tokens is None else output.tokens // output.answers,
        _other_tokens(system) if length.share.high else 0,
        is_fixed,
    )


def expect_again(like: Expectation, body: Mapping[str, Any], url: str) -> Expectation:
    """Return the expected output of ``body``, which is like the body of ``like`` but for texts."""
    system = _system_text(body)
    length, _ = read_length(system, body, url)
    if length is like.length:
        return like
    other = _other_tokens(system) if length.share.high else 0
    return expect(length, like.reasoning, like.answers, like.limit, other, like.is_fixed)


def read_length(system: str, body: Mapping[str, Any], url: str) -> tuple[Length, bool]:
    """Return the length that a prompt asks for; True if another question would ask for the same.

    ``system`` are the instructions of ``body``.
    """
    if length := instructions.read_exact(system):
        return length, True
    return _questioned_length(system, question_of(body, url)), False


def has_form(body: Mapping[str, Any], url: str) -> bool:
    """Return True if the request sets the form of its answer, whatever its texts ask for."""
    return _formed_length(body, url) is not None


def question_of(body: Mapping[str, Any], url: str) -> str:
    """Return the text that a request asks about: its last message of a user, or its prompt."""
    if url == COMPLETIONS:
        prompt = body.get("prompt")
        return prompt if isinstance(prompt, str) else ""
    messages = body.get("input" if url == RESPONSES else "messages")
    if isinstance(messages, str):
        return messages
    for message in reversed(messages) if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _questioned_length(system: str, question: str) -> Length:
    tail, head = question[-QUESTION_TAIL:], question[:QUESTION_HEAD]
    pieces = (tail,) if len(question) <= QUESTION_TAIL else (tail, head)
    for piece in pieces:
        if length := instructions.read_exact(piece):
            return length
    for piece in (tail, system, head):
        if length := tasks.read_task(piece):
            return length
    return UNSAID


def _formed_length(body: Mapping[str, Any], url: str) -> Length | None:
    """Return the length of an answer whose form the request sets: a tool's call, or JSON."""
    schema = _answer_schema(body, url)
    if schema is not None:
        return schemas.length_of_json(schema)
    tools = list(_parameters(body)) if body.get("tools") else []
    return schemas.length_of_call(tools) if tools else None


def _answer_schema(body: Mapping[str, Any], url: str) -> dict[str, Any] | None:
    holder = body.get("text") if url == RESPONSES else body
    field = "format" if url == RESPONSES else "response_format"
    form = holder.get(field) if isinstance(holder, dict) else None
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return None
    inner = form if url == RESPONSES else form.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else None


def _parameters(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas of the tools that the model may call."""
    choice = body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind == "none":
        return
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    role = last.get("role") if isinstance(last, dict) else None
    if isinstance(role, str) and role in {"tool", "function"}:
        return
    tools = body["tools"]
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(function, dict):
            schema = function.get("parameters", function.get("input_schema"))
            yield schema if isinstance(schema, dict) else {}


def _system_text(body: Mapping[str, Any]) -> str:
    """Return the beginning and the end of the instructions that come before the messages."""
    texts = [_text(body[field]) for field in ("system", "instructions") if field in body]
    messages = body.get("messages", body.get("input"))
    for message in messages if isinstance(messages, list) else ():
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in INSTRUCTION_ROLES:
            break
        texts.append(_text(message.get("content")))
    text = texts[0] if len(texts) == 1 else "\n".join(texts)
    if len(text) <= SYSTEM_HEAD + SYSTEM_TAIL:
        return text
    return f"{text[:SYSTEM_HEAD]}\n{text[-SYSTEM_TAIL:]}"


def _text(content: object) -> str:
    """Return a content as a text; of several parts, the last text among them."""
    if isinstance(content, str):
        return content
    for part in reversed(content) if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            return text
    return ""


def _other_tokens(system: str) -> int:
    tokens = IN_A_QUESTION + len(system) // CHARACTERS_PER_TOKEN
    return -(-tokens // STEP) * STEP
