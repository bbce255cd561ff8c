"""Count the tokens of a request roughly, where the model or the request's shape is not known."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.tokens import image_tokens
from batchapp.domain.tokens.vocabularies import Vocabulary

QUARTERS_PER_TOKEN = 4  # quarters are added up, so that nothing is rounded before the end

# Quarters of a token per character, by its length in UTF-8, because vocabularies are built from
# bytes. English averages four ASCII characters a token; Latin with accents, Cyrillic, Greek,
# Hebrew and Arabic about two; Chinese, Japanese, Korean, the Indic scripts and emoji about one.
ONE_BYTE, TWO_BYTES, LONGER = 1, 2, 4

PER_MESSAGE = 4  # tokens of a chat template around each message: its role and its two marks
PER_REPLY = 3  # tokens of a chat template that open the model's turn
# Tokens of an image, sound or document of unknown size. Base64 is never read as text.
PER_ATTACHMENT = image_tokens.ASSUMED_IMAGE_TOKENS

TEXT_FIELDS = (
    *("messages", "input", "prompt", "suffix", "system", "instructions"),
    *("query", "documents", "text_1", "text_2"),  # of scoring and reranking
)
SCHEMA_FIELDS = ("tools", "functions", "response_format", "text")
ATTACHMENT_TYPES = frozenset(
    {"image_url", "input_image", "image", "input_audio", "audio_url", "video_url"}
    | {"input_file", "file", "document"}
)
TEXTLESS_FIELDS = frozenset({"role", "type", "id", "tool_call_id", "call_id", "cache_control"})
TEXT_HOLDERS = frozenset({str, list, dict})
CHAT_URLS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")


class Size(NamedTuple):
    """The size of a request's input; ``tokens`` includes the attachments.

    ``tokens`` excludes ``texts`` and ``repeated`` texts, which ``vocabulary`` is still to count.
    ``is_exact`` if the model's server counts the same; ``assumed`` counts the attachments whose
    size is not known. ``longest`` is that of the longest of several prompts; 0 for one
    prompt, and without an exact count.
    """

    tokens: int
    attachments: int = 0
    assumed: int = 0
    is_exact: bool = False
    longest: int = 0
    texts: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    vocabulary: Vocabulary | None = None


def measure(
    body: Mapping[str, Any],
    url: str,
    vocabulary: Vocabulary | None = None,
    rule: image_tokens.PatchRule | None = None,
) -> Size:
    """Return the input size of a request nested no deeper than ``MAX_DEPTH``.

    If there is a ``vocabulary``, text is left to be counted with it; a chat template around the
    text is counted by an average.
    """
    texts: list[str] = []
    quarters = attachments = assumed = tokens = 0
    for value in _values(body):
        if isinstance(value, str):
            if vocabulary:
                texts.append(value)
            else:
                quarters += text_quarters(value)
        elif isinstance(value, Attachment):
            image = _image_tokens(value, rule)
            attachments += 1
            assumed += image is None
            tokens += PER_ATTACHMENT if image is None else image
        elif isinstance(value, TokenIds):
            quarters += QUARTERS_PER_TOKEN * value.amount
    tokens += -(-quarters // QUARTERS_PER_TOKEN) + _template_tokens(body, url)
    return Size(tokens, attachments, assumed, texts=tuple(texts), vocabulary=vocabulary)


class Attachment(NamedTuple):
    value: object


class TokenIds(NamedTuple):
    """A number of token ids, which a prompt may consist of; they are too many to list."""

    amount: int


def _values(body: Mapping[str, Any]) -> Iterator[object]:
    """Yield every text, attachment and token id of a request, however deep it is nested."""
    stack = [body[field] for field in TEXT_FIELDS if field in body]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield Attachment(value) if image_tokens.is_data_url(value) else value
        elif isinstance(value, dict):
            kind = value.get("type")
            if isinstance(kind, str) and kind in ATTACHMENT_TYPES:
                yield Attachment(value)
            else:
                stack.extend(part for name, part in value.items() if name not in TEXTLESS_FIELDS)
        elif isinstance(value, list):
            if TEXT_HOLDERS.isdisjoint(map(type, value)):
                yield TokenIds(len(value) - value.count(None))
            else:
                stack.extend(value)
        elif value is not None:
            yield TokenIds(1)
    for field in SCHEMA_FIELDS:
        if value := body.get(field):
            yield msgspec.json.encode(value).decode()


def _image_tokens(attachment: Attachment, rule: image_tokens.PatchRule | None) -> int | None:
    """Return the tokens of an image by ``rule``; None without a rule or a known size."""
    if not rule:
        return None
    size = None
    match attachment.value:
        case str(url) | {"image_url": str(url)} | {"image_url": {"url": str(url)}}:
            size = image_tokens.pixels(url)
        case {"source": {"type": "base64", "data": str(data)}}:
            size = image_tokens.base64_pixels(data)
    return rule.tokens(size) if size else None


def text_quarters(text: str) -> int:
    """Return the quarters of a token in ``text``: ``ONE_BYTE``, ``TWO_BYTES`` or ``LONGER`` each.

    Counting by the lengths of three encodings is ten times as fast as reading characters.
    """
    if text.isascii():
        return len(text) * ONE_BYTE
    one = len(text.encode("ascii", "ignore"))
    four = len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)
    two_and_three = len(text) - one - four
    three = len(text.encode("utf-8", "surrogatepass")) - one - 4 * four - 2 * two_and_three
    return one * ONE_BYTE + (two_and_three - three) * TWO_BYTES + (three + four) * LONGER


def _template_tokens(body: Mapping[str, Any], url: str) -> int:
    if url not in CHAT_URLS:
        return 0
    turns = body.get("input" if url == "/v1/responses" else "messages")
    messages = len(turns) if isinstance(turns, list) else 1
    messages += sum(1 for field in ("system", "instructions") if body.get(field))
    return PER_MESSAGE * messages + PER_REPLY
