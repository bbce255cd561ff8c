"""Compare a request with what is known of its model; of an unknown model nothing is said."""

from collections.abc import Iterator, Mapping
from typing import Any

from batchapp.domain.model_cards import Kind, ModelCard
from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.domain.tokens import counting, model_families, token_ratio
from batchapp.domain.tokens.token_ratio import Size

TOO_LONG = "too_long_for_model"

# A count that is not exact is lowered to this share of it before a request is called too long.
# With the model's own vocabulary only the text around messages is estimated. By characters, a
# text of long words or of many blanks has half as many tokens as usual.
LEAST_SHARE_WITH_VOCABULARY = 0.9
LEAST_SHARE = 0.5

# Type of a part of a message -> what the model must be able to read.
INPUT_OF_PART = {
    **dict.fromkeys(("image_url", "input_image", "image"), "image"),
    **dict.fromkeys(("input_audio", "audio_url", "audio"), "audio"),
    **dict.fromkeys(("video_url", "video"), "video"),
}
NOUNS = {"image": "an image", "audio": "a sound", "video": "a video", "text": "text"}
KINDS = {
    Kind.CHAT: "a chat model",
    Kind.COMPLETIONS: "a completions model",
    Kind.EMBEDDINGS: "an embedding model",
    Kind.RERANKER: "a reranker",
}


def find_kind_error(
    request: Mapping[str, Any], cards: Mapping[str, ModelCard]
) -> RequestFinding | None:
    """Return an error if the model of a request does not answer at its url.

    Source: the provider refuses the whole file at upload, if it knows the kind of the model.
    """
    body, url = request.get("body"), request.get("url")
    model = body.get("model") if isinstance(body, dict) else None
    card = cards.get(model) if isinstance(model, str) else None
    urls = card.urls if card else None
    if card is None or urls is None or not isinstance(url, str):
        return None
    if url in urls or url not in ALLOWED_URLS:  # any other url is an error of its own
        return None
    advice = f"send it to {' or '.join(sorted(urls))}, or " if urls else ""
    return RequestFinding(
        "wrong_endpoint",
        f"{presentable(card.model)} is {KINDS[Kind(card.kind)]}, which does not answer at "
        f"{presentable(url)}; {advice}name another model.",
    )


def find_model_warnings(
    body: Mapping[str, Any], url: str, card: ModelCard, size: Size
) -> Iterator[RequestFinding]:
    """Yield what the model of a request cannot read or write, however long its texts are."""
    limit = counting.answer_limit(body, url)
    if card.max_new_tokens and limit and limit > card.max_new_tokens:
        yield RequestFinding(
            "too_many_new_tokens",
            f"The request allows {limit:,} new tokens, and {presentable(card.model)} writes "
            f"{card.max_new_tokens:,} at most, so it may fail; lower "
            f"{counting.answer_limit_field(body, url)}.",
        )
    if size.attachments and card.inputs:
        yield from _unreadable_inputs(body, card)


def most_prompt_tokens(body: Mapping[str, Any], url: str, card: ModelCard) -> int | None:
    """Return the most tokens that the prompt of a request may have; None without a limit."""
    if not card.context_tokens or body.get("truncate_prompt_tokens"):
        return None
    if url == "/v1/responses" and body.get("truncation") == "auto":
        return None
    if url == "/v1/embeddings":
        return card.context_tokens
    # An answer needs room for one token at least.
    return card.context_tokens - (counting.answer_limit(body, url) or 1)


def find_too_long(
    body: Mapping[str, Any], url: str, card: ModelCard, size: Size
) -> RequestFinding | None:
    """Return a warning if the input, whose texts are counted in ``size``, is too long."""
    limit = counting.answer_limit(body, url) or 0
    most, context = most_prompt_tokens(body, url, card), card.context_tokens
    if most is None or context is None or size.tokens <= most:
        return None
    tokens = _least_prompt_tokens(body, url, size)
    if tokens <= most:
        return None
    model, about = presentable(card.model), "" if size.is_exact else "at least about "
    if tokens < context and limit > 1:
        field = counting.answer_limit_field(body, url)
        return RequestFinding(
            TOO_LONG,
            f"The prompt has {about}{tokens:,} tokens and {field} adds {limit:,}, but {model} "
            f"takes {context:,} in all: this request will fail. Lower {field} to "
            f"{context - tokens:,} or less, or shorten the prompt.",
        )
    return RequestFinding(
        TOO_LONG,
        f"The prompt has {about}{tokens:,} tokens, but {model} takes {context:,}: this request "
        "will fail. Shorten the prompt, or name a model that takes more.",
    )


def _least_prompt_tokens(body: Mapping[str, Any], url: str, size: Size) -> int:
    """Return the tokens that the longest prompt of a request has at least."""
    if size.is_exact:
        return size.longest or size.tokens
    field = {"/v1/embeddings": "input", "/v1/completions": "prompt"}.get(url, "")
    texts = body.get(field)
    if isinstance(texts, list) and not all(isinstance(token, int) for token in texts):
        # Several prompts, each of which must fit.
        sizes = [token_ratio.measure({field: text}, url) for text in texts]
        return max((int(size.tokens * LEAST_SHARE) for size in sizes), default=0)
    has_vocabulary = model_families.family_of(body["model"]) is not None
    share = LEAST_SHARE_WITH_VOCABULARY if has_vocabulary else LEAST_SHARE
    return int((size.tokens - size.assumed * token_ratio.PER_ATTACHMENT) * share)


def _unreadable_inputs(body: Mapping[str, Any], card: ModelCard) -> Iterator[RequestFinding]:
    unread = {kind for kind in _inputs(body) if not card.takes(kind)}
    for kind in (name for name in NOUNS if name in unread):
        *others, last = card.inputs
        known = f"{', '.join(others)} and {last}" if others else last
        yield RequestFinding(
            f"model_reads_no_{kind}",
            f"The request holds {NOUNS[kind]}, and {presentable(card.model)} reads {known} only: "
            "this request will fail. Name a model that reads it, or leave it out.",
        )


def _inputs(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the kind of each part of the messages that is not text, however deep it is nested."""
    stack = [body[field] for field in token_ratio.TEXT_FIELDS if field in body]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            kind = value.get("type")
            if isinstance(kind, str) and kind in INPUT_OF_PART:
                yield INPUT_OF_PART[kind]
            else:
                stack.extend(value.values())
