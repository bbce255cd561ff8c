"""How many tokens a request holds, by stated ratios, where no tokenizer is at hand."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import msgspec

QUARTERS_PER_TOKEN = 4
"""We add up quarters of a token, so that nothing is rounded before the end."""

ONE_BYTE, TWO_BYTES, LONGER = 1, 2, 4
"""Quarters per character, by its length in UTF-8, since the vocabularies are built from bytes.

English averages four ASCII characters a token; Latin with accents, Cyrillic, Greek, Hebrew and
Arabic about two; Chinese, Japanese, Korean, the Indic scripts and emoji about one.
"""

PER_MESSAGE = 4
"""Tokens of a chat template around each message: its role and its two marks."""

PER_REPLY = 3
"""Tokens of a chat template that open the model's turn."""

PER_ATTACHMENT = 1_000
"""Tokens of an image, sound or document, whatever its size. A vision model cuts an image into
patches, and one of a megapixel comes to about a thousand. Base64 is never read as text."""

MIN_EXPECTED_OUTPUT = 100
"""Tokens. A short question is answered with a paragraph, not with another short question."""

MAX_ANSWERS = 128
"""Source: https://platform.openai.com/docs/api-reference/chat/create, ``n``."""

MAX_OUTPUT = 10_000_000
"""No model writes more tokens; a larger ``max_tokens`` is a slip of the keyboard."""

CONTENT = ("messages", "input", "prompt", "suffix", "system", "instructions")
SCHEMAS = ("tools", "functions", "response_format", "text")
ATTACHMENTS = frozenset(
    {
        *("image_url", "input_image", "image", "input_audio", "audio_url", "video_url"),
        *("input_file", "file", "document"),
    }
)
WITHOUT_TEXT = frozenset({"role", "type", "id", "tool_call_id", "call_id", "cache_control"})

OUTPUT_LIMITS = {
    "/v1/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages": ("max_tokens",),
}
"""Fields of the body that bound an answer, the one that counts first."""

CHAT_URLS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")


class Size(NamedTuple):
    """Of a request's input; ``tokens`` includes the attachments' flat share."""

    tokens: int
    attachments: int


class Output(NamedTuple):
    """Output tokens of all answers to one request; ``limit`` is None when nothing bounds them."""

    expected: int
    limit: int | None


def count(body: Mapping[str, Any], url: str) -> int:
    """Input tokens of a request, by the ratios above; the model's own tokenizer will differ."""
    return measure(body, url).tokens


def measure(body: Mapping[str, Any], url: str) -> Size:
    """Input tokens and attachments of a request nested no deeper than ``MAX_DEPTH``."""
    quarters = attachments = 0
    stack = [body[field] for field in CONTENT if field in body]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if _is_data_url(value):
                attachments += 1
            else:
                quarters += text_quarters(value)
        elif isinstance(value, dict):
            kind = value.get("type")
            if isinstance(kind, str) and kind in ATTACHMENTS:
                attachments += 1
            else:
                stack.extend(part for name, part in value.items() if name not in WITHOUT_TEXT)
        elif isinstance(value, list):
            stack.extend(value)
        elif value is not None:
            quarters += QUARTERS_PER_TOKEN  # a prompt may be a list of token ids
    for field in SCHEMAS:
        if value := body.get(field):
            quarters += text_quarters(msgspec.json.encode(value).decode())
    template = _template_tokens(body, url)
    return Size(
        -(-quarters // QUARTERS_PER_TOKEN) + template + attachments * PER_ATTACHMENT, attachments
    )


def text_quarters(text: str) -> int:
    """Quarters of a token in ``text``; ``ONE_BYTE`` and its neighbours say how many per character.

    Counting by the lengths of three encodings is ten times as fast as looking at characters.
    """
    if text.isascii():
        return len(text) * ONE_BYTE
    one = len(text.encode("ascii", "ignore"))
    four = len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)
    two_and_three = len(text) - one - four
    three = len(text.encode("utf-8", "surrogatepass")) - one - 4 * four - 2 * two_and_three
    return one * ONE_BYTE + (two_and_three - three) * TWO_BYTES + (three + four) * LONGER


def answers(body: Mapping[str, Any], url: str) -> int:
    """How many answers one request asks for: ``n`` for each of its prompts."""
    asked = body.get("n")
    per_prompt = min(asked, MAX_ANSWERS) if is_count(asked) else 1
    prompt = body.get("prompt")
    if url == "/v1/completions" and isinstance(prompt, list) and prompt:
        return per_prompt * (1 if isinstance(prompt[0], int) else len(prompt))
    return per_prompt


def output(body: Mapping[str, Any], url: str, input_tokens: int) -> Output:
    """What to expect without history: 1.1 times the input, within the request's own limit.

    Source: the provider's own fallback, control-layer 10.13, ``GET /files/{id}/cost-estimate``.
    """
    if url == "/v1/embeddings":
        return Output(0, 0)
    number = answers(body, url)
    expected = max(-(-input_tokens * 11 // 10), MIN_EXPECTED_OUTPUT) * number
    for field in OUTPUT_LIMITS.get(url, ()):
        if is_count(most := body.get(field)) and most <= MAX_OUTPUT:
            return Output(min(expected, most * number), most * number)
    return Output(expected, None)


def is_count(value: object) -> TypeGuard[int]:
    """Whether ``value`` is a whole number from 1; JSON's ``true`` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_data_url(text: str) -> bool:
    return text.startswith("data:") and ";base64," in text[:200]


def _template_tokens(body: Mapping[str, Any], url: str) -> int:
    if url not in CHAT_URLS:
        return 0
    turns = body.get("input" if url == "/v1/responses" else "messages")
    spoken = len(turns) if isinstance(turns, list) else 1
    instructed = sum(1 for field in ("system", "instructions") if body.get(field))
    return PER_MESSAGE * (spoken + instructed) + PER_REPLY
