"""Look into the body of a request: warnings of everything that fails when the request runs.

The provider does not check this when it accepts a file. A body of a plain shape is compared with
one compiled type, and only other bodies are explained field by field.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.rules.combinations import (
    find_wrong_combinations,
    is_reasoning_model,
)
from batchapp.domain.request_files.rules.inputs import MAX_INPUTS, find_wrong_inputs
from batchapp.domain.request_files.rules.messages import find_wrong_messages
from batchapp.domain.request_files.rules.parameters import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    PARAMETERS,
    RESPONSES,
    find_wrong_parameters,
)
from batchapp.domain.request_files.rules.tools import NAME, find_wrong_calls, find_wrong_tools

MAX_FINDINGS = 12  # of one body; a conversation may be wrong in a thousand places

Filled = Annotated[str, Meta(min_length=1)]


class _ChatMessage(msgspec.Struct, gc=False):
    """A message that is sound in every chat, unless it is blank."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Filled


class _Turn(msgspec.Struct, gc=False):
    """A message that is sound at the url that knows only these two roles, unless it is blank."""

    role: Literal["user", "assistant"]
    content: Filled


class _Function(msgspec.Struct, gc=False):
    name: Annotated[str, Meta(pattern=rf"^{NAME.pattern}\Z")]
    parameters: dict[str, Any] | None = None


class _Tool(msgspec.Struct, gc=False):
    """A tool that is sound in a chat."""

    type: Literal["function"]
    function: _Function


Messages = Annotated[list[_ChatMessage], Meta(min_length=1)]
# The field of each url that is asked, and its plain type.
INPUTS: dict[str, tuple[str, Any]] = {
    CHAT: ("messages", Messages),
    MESSAGES: ("messages", Annotated[list[_Turn], Meta(min_length=1)]),
    RESPONSES: ("input", Filled | Messages),
    COMPLETIONS: ("prompt", Filled),
    EMBEDDINGS: (
        "input",
        Filled | Annotated[list[Filled], Meta(min_length=1, max_length=MAX_INPUTS)],
    ),
}
# The parameters that most bodies have. A body with one of the others is always explained: every
# further field of the type would slow down all bodies.
USUAL = (
    *("temperature", "top_p", "frequency_penalty", "presence_penalty", "stop", "seed", "n"),
    *("stream", "user", "encoding_format", "dimensions"),
)
# Fields that are looked into together with others.
JOINED = frozenset({"tool_choice", "thinking"})
# By url; tools of another url are explained.
PLAIN_TOOLS = {CHAT: Annotated[list[_Tool], Meta(min_length=1)] | None}


def _compile(url: str) -> type[msgspec.Struct]:
    """Return the type of the plain bodies for ``url``, which does not look at other fields."""
    field, type_ = INPUTS[url]
    table = PARAMETERS[url]
    fields = [(name, table[name].type | None, None) for name in USUAL if name in table]
    fields.append(("tools", PLAIN_TOOLS.get(url), None))
    limits = [("max_completion_tokens", int | None, None)]
    if url != MESSAGES:
        limits.append(("max_tokens", int | None, None))
    required = [(field, type_), ("model", str)]
    required += [("max_tokens", int)] if url == MESSAGES else []
    return msgspec.defstruct("PlainBody", [*required, *limits, *fields], gc=False)


PLAIN_BODIES = {url: _compile(url) for url in INPUTS}
EXPLAINED = {url: JOINED | (PARAMETERS[url].keys() - USUAL) for url in INPUTS}


def find_failures(body: Mapping[str, Any], url: str) -> list[RequestFinding]:
    """Return warnings of what fails when the request runs; nothing for an unknown url."""
    if url not in INPUTS:
        return []
    if body.keys().isdisjoint(EXPLAINED[url]):
        try:
            plain: Any = msgspec.convert(body, PLAIN_BODIES[url])
        except msgspec.ValidationError:
            pass
        else:
            if _is_sound(plain, INPUTS[url][0], url):
                return []
    return list(islice(_explain(body, url), MAX_FINDINGS))


def _is_sound(plain: Any, field: str, url: str) -> bool:
    """Return True if a body of the plain type needs no explanation."""
    has_two_limits = plain.max_completion_tokens is not None and plain.max_tokens is not None
    if has_two_limits or is_reasoning_model(plain.model):
        return False
    value = getattr(plain, field)
    if isinstance(value, str):
        return not value.isspace()
    if url == EMBEDDINGS:
        return not any(map(str.isspace, value))
    has_question = False
    for message in value:
        if message.role == "user":
            has_question = True
        if message.content.isspace():
            return False
    return has_question


def _explain(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    return chain(
        find_wrong_messages(body, url),
        find_wrong_inputs(body, url),
        find_wrong_parameters(body, url),
        find_wrong_combinations(body, url),
        find_wrong_tools(body, url),
        find_wrong_calls(body.get("messages")) if url == CHAT else (),
    )
