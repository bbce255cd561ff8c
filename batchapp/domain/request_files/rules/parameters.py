"""The parameters of a body by url: one table of their types and ranges.

Sources: OpenAI's API reference for each url, Anthropic's for /v1/messages, and what vLLM, which
serves most open models, takes beyond them. A range is the widest that one of them allows.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.rules.known_fields import KNOWN_FIELDS

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"

MAX_ECHO = 12  # characters of a wrong value in a message; the shortest secret has more
MAX_QUOTED = 40  # characters of a number or a truth value in quotes


class Parameter(NamedTuple):
    """The type of a value, which may also be null, and the same in words."""

    type: Any
    words: str


def _number(low: float, high: float) -> Parameter:
    return Parameter(
        Annotated[float, Meta(ge=low, le=high)],
        f"a number from {low:g} to {high:g}",
    )


def _whole(low: int, high: int | None = None) -> Parameter:
    limits = f"from {low}" if high is None else f"from {low} to {high:,}"
    return Parameter(Annotated[int, Meta(ge=low, le=high)], f"a whole number {limits}")


def _choice(*names: str) -> Parameter:
    return Parameter(Literal[names], f"one of {', '.join(names)}")


FLAG = Parameter(bool, "true or false, without quotes")
TEXT = Parameter(str, "a text")
TEXTS = Parameter(list[str], "a list of texts")
OBJECT = Parameter(dict, "an object")
TOKEN_IDS = Parameter(list[int], "a list of whole numbers")
WHOLE = Parameter(int, "a whole number")
NUMBER = Parameter(float, "a number")
TEXT_OR_LIST = Parameter(str | list, "a text or a list")

SAMPLING = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "top_k": _whole(-1),
    "min_p": _number(0, 1),
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
    "repetition_penalty": Parameter(Annotated[float, Meta(gt=0)], "a number above 0"),
    "length_penalty": NUMBER,
    "stop": Parameter(
        str | Annotated[list[str], Meta(max_length=4)], "a text or a list of at most 4 texts"
    ),
    "seed": WHOLE,
    "n": _whole(1, 128),
    "best_of": _whole(1),
    "logit_bias": Parameter(
        dict[str, Annotated[float, Meta(ge=-100, le=100)]],
        "an object of token ids with numbers from -100 to 100",
    ),
    "min_tokens": _whole(0),
    "stop_token_ids": TOKEN_IDS,
    "allowed_token_ids": TOKEN_IDS,
    "bad_words": TEXTS,
    "prompt_logprobs": WHOLE,
    **dict.fromkeys(
        (
            *("include_stop_str_in_output", "ignore_eos", "skip_special_tokens", "echo"),
            *("spaces_between_special_tokens", "use_beam_search", "add_special_tokens"),
            *("add_generation_prompt", "continue_final_message"),
        ),
        FLAG,
    ),
    "guided_regex": TEXT,
    "guided_choice": TEXTS,
    "guided_grammar": TEXT,
}
COMMON = {
    "user": TEXT,
    "metadata": OBJECT,
    "stream": FLAG,
    "stream_options": OBJECT,
    "service_tier": TEXT,
    "safety_identifier": TEXT,
    "prompt_cache_key": TEXT,
    "store": FLAG,
    "background": FLAG,
    "parallel_tool_calls": FLAG,
}
VERBOSITY = _choice("low", "medium", "high")

_TABLES: dict[str, dict[str, Parameter]] = {
    CHAT: SAMPLING
    | COMMON
    | {
        "logprobs": FLAG,
        "top_logprobs": _whole(0, 20),
        "verbosity": VERBOSITY,
        "modalities": TEXTS,
    },
    COMPLETIONS: SAMPLING | COMMON | {"logprobs": _whole(0, 20), "suffix": TEXT},
    EMBEDDINGS: COMMON
    | {
        "encoding_format": _choice("float", "base64", "bytes"),
        "dimensions": _whole(1),
        "truncate_prompt_tokens": WHOLE,
        "add_special_tokens": FLAG,
        "normalize": FLAG,
    },
    RESPONSES: SAMPLING
    | COMMON
    | {
        "top_logprobs": _whole(0, 20),
        "instructions": TEXT_OR_LIST,
        "max_tool_calls": _whole(1),
        "previous_response_id": TEXT,
        "include": TEXTS,
        "truncation": _choice("auto", "disabled"),
    },
    MESSAGES: SAMPLING
    | COMMON
    | {
        "temperature": _number(0, 1),
        "system": TEXT_OR_LIST,
        "stop_sequences": TEXTS,
        "thinking": OBJECT,
    },
}
# A field that the url does not know has another finding, see ``known_fields``.
PARAMETERS = {
    url: {name: parameter for name, parameter in table.items() if name in KNOWN_FIELDS[url]}
    for url, table in _TABLES.items()
}


def _holder(type_: Any) -> type[msgspec.Struct]:
    """Return a type with the one field ``value``; msgspec keeps what it learns of such types."""
    return msgspec.defstruct("Holder", [("value", type_)], gc=False)


_HOLDERS = {
    id(parameter): _holder(parameter.type)
    for table in PARAMETERS.values()
    for parameter in table.values()
}


def find_wrong_parameters(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    """Yield a finding for each parameter of another type, or out of its range."""
    for name, value in body.items():
        if not is_taken(name, value, url):
            is_quoted = unquoted(name, value, url) is not value
            yield RequestFinding(
                "quoted_parameter" if is_quoted else "bad_parameter",
                f"{name} is {_shown(value)}, so this request will fail; use "
                f"{PARAMETERS[url][name].words}, or leave it out.",
            )


def is_taken(name: str, value: object, url: str) -> bool:
    """Return True if ``url`` takes the value; null and a field of no table always."""
    parameter = PARAMETERS.get(url, {}).get(name)
    if parameter is None or value is None:
        return True
    try:
        msgspec.convert({"value": value}, _HOLDERS[id(parameter)])
    except msgspec.ValidationError:
        return False
    return True


def unquoted(name: str, value: object, url: str) -> object:
    """Return a number or truth value that stands in quotes where a text is not taken."""
    if not isinstance(value, str) or len(value) > MAX_QUOTED or is_taken(name, value, url):
        return value
    try:
        meant = msgspec.json.decode(value.strip().lower())
    except msgspec.DecodeError:
        return value
    is_simple = isinstance(meant, int | float)
    return meant if is_simple and is_taken(name, meant, url) else value


def _shown(value: object) -> str:
    """Describe a wrong value; a text is shown if it is short, in its quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value}"[:MAX_ECHO]
    if isinstance(value, str):
        is_short = len(value) <= MAX_ECHO
        return f'"{presentable(value)}" in quotes' if is_short else "a text"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return "an object"
