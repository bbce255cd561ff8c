"""Read a request outside of batches, and follow its answer for the usage that it reports."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from batchapp.domain.results.answer_usage import UNKNOWN, AnswerUsage, read_usage
from batchapp.domain.tokens.counting import MAX_ANSWERS, count_answers, is_count, limit_output

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
RESPONSES = "/v1/responses"
ENDPOINTS = frozenset({CHAT, EMBEDDINGS, RESPONSES})

BYTES_PER_TOKEN = 3  # of a body; English has about four, so the input is rather counted too high
USUAL_OUTPUT_TOKENS = 1_000  # of an answer without a limit
MAX_ANSWER_BYTES = 64 * 1024 * 1024  # of an answer that is read for its usage
MAX_ID_BYTES = 2_000  # of a response, as of a batch of the provider
LONGEST_NAME = 64  # characters of a field that an error repeats
PENDING = frozenset({"queued", "in_progress"})  # of a response in the background
OTHER_MODELS = ("models", "fallbacks")
"""The fields in which OpenRouter and LiteLLM read models to run in place of ``model``."""
LAST_EVENTS = frozenset({"response.completed", "response.failed", "response.incomplete"})
"""The events that end the stream of a response; that of a chat ends with ``[DONE]``."""
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)  # what decoders raise
_USAGE_OPTION = b',"stream_options":{"include_usage":true}}'


class InvalidCall(ValueError):
    """The body is no request; the message says why, and ``param`` names the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class DirectCall:
    """A request as it is sent to the provider.

    ``body`` are the bytes of the sender. Only a streamed chat without ``stream_options`` gets
    that option added, since its cost would be unknown otherwise; ``hides_usage`` then says that
    the sender does not expect the event with the usage.
    """

    endpoint: str
    model: str
    body: bytes
    is_streamed: bool = False
    hides_usage: bool = False
    tier: str = ""
    max_output_tokens: int | None = None
    answers: int = 1

    @property
    def input_tokens(self) -> int:
        """Return the estimated tokens of the prompt."""
        return -(-len(self.body) // BYTES_PER_TOKEN)

    @property
    def is_unbounded(self) -> bool:
        """Return True if nothing limits the answer."""
        return self.max_output_tokens is None and self.endpoint != EMBEDDINGS

    @property
    def output_tokens(self) -> int:
        """Return the estimated tokens of all answers together."""
        if self.endpoint == EMBEDDINGS:
            return 0
        usual = USUAL_OUTPUT_TOKENS * self.answers
        return usual if self.max_output_tokens is None else min(self.max_output_tokens, usual)


def read_call(endpoint: str, body: bytes) -> DirectCall:
    """Return the request in ``body``.

    Raises:
        InvalidCall: the body is no JSON object with a model, names a field twice, asks for a
            number of answers that is none, or names models in place of the model.
    """
    try:
        fields = msgspec.json.decode(body)
        repeated = _find_repeated(body)
    except _UNREADABLE as exc:
        raise InvalidCall("The body is not valid JSON, or is nested too deeply.") from exc
    if repeated:
        name = repeated[:LONGEST_NAME]
        raise InvalidCall(f"The body has {name!r} twice; keep the one that is meant.", name)
    model = fields.get("model") if isinstance(fields, dict) else None
    if not isinstance(model, str) or not 0 < len(model) <= 200 or not model.isprintable():
        raise InvalidCall("The body must be an object with the name of a model.", "model")
    for name in OTHER_MODELS:
        if fields.get(name):
            # Neither the price nor the models that a portal key allows would hold for them.
            raise InvalidCall(f"Leave {name} out: a single request here has one model.", name)
    answers = fields.get("n")
    if answers is not None and not (is_count(answers) and answers <= MAX_ANSWERS):
        # Lenient servers read "9" and 9.0 as well, and would give more answers than are reserved.
        raise InvalidCall(f"n must be a whole number from 1 to {MAX_ANSWERS}.", "n")
    is_streamed = fields.get("stream") is True and endpoint != EMBEDDINGS
    hides_usage = is_streamed and endpoint == CHAT and fields.get("stream_options") is None
    if hides_usage and "stream_options" not in fields:
        body = body.rstrip()[:-1] + _USAGE_OPTION
    tier = fields.get("service_tier")
    return DirectCall(
        endpoint=endpoint,
        model=model,
        body=body,
        is_streamed=is_streamed,
        hides_usage=hides_usage,
        tier=tier[:20] if isinstance(tier, str) and tier.isprintable() else "",
        max_output_tokens=limit_output(fields, endpoint).tokens,
        answers=count_answers(fields, endpoint),
    )


def _find_repeated(body: bytes) -> str:
    """Return a name that the outermost object in ``body`` has twice; "" without one.

    The provider may read another of the two than the portal, and run another model, or without
    the limit that was reserved. Some servers read names in any case of their letters.
    """
    names: list[str] = []

    def remember(pairs: list[tuple[str, object]]) -> None:
        names[:] = [name for name, _value in pairs]  # the outermost object comes last

    json.loads(body, object_pairs_hook=remember)
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return ""


class AnswerReader:
    """The bytes of an answer on their way, and what they say of its usage.

    ``pieces`` counts the events that carry a part of the answer, which is about one token each.
    ``has_last_event`` is True once a stream has said that it ends: clients hang up then, before
    the connection ends.
    """

    def __init__(self, *, is_stream: bool, hides_usage: bool = False) -> None:
        self._is_stream = is_stream
        self._hides_usage = hides_usage
        self._rest = b""
        self._size = 0
        self.usage: AnswerUsage = UNKNOWN
        self.response_id = ""
        self.status = ""
        self.pieces = 0
        self.has_last_event = False

    @property
    def is_pending(self) -> bool:
        """Return True for a response in the background that is not ready yet."""
        return not self._is_stream and self.status in PENDING

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the provider, and return those for the sender of the request."""
        self._size += len(data)
        if not self._is_stream:
            if self._size <= MAX_ANSWER_BYTES:
                self._rest += data
            return data
        *events, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        hidden = [self._read_event(event) for event in events]
        if not self._hides_usage:
            return data
        shown = [event for event, hide in zip(events, hidden, strict=True) if not hide]
        return b"".join(event + b"\n\n" for event in shown)

    def finish(self) -> bytes:
        """Return what is left for the sender, once the provider has sent everything."""
        rest, self._rest = self._rest, b""
        if not self._is_stream:
            if self._size <= MAX_ANSWER_BYTES:
                self._read(_decoded(rest))
            return b""
        return rest if self._hides_usage else b""

    def _read_event(self, event: bytes) -> bool:
        """Note what ``event`` says; True if it has nothing but the usage."""
        lines = [line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
        data = b"\n".join(lines).strip()
        fields = _decoded(data)
        response = fields.get("response")
        self._read(response if isinstance(response, dict) else fields)
        self.has_last_event |= data == b"[DONE]" or fields.get("type") in LAST_EVENTS
        choices = fields.get("choices")
        self.pieces += bool(choices) or str(fields.get("type", "")).endswith(".delta")
        return choices == [] and fields.get("usage") is not None

    def _read(self, fields: dict[str, Any]) -> None:
        if fields.get("usage") is not None:
            self.usage = read_usage(fields)
        if fields.get("object") == "response":
            self.response_id = str(fields.get("id", ""))
            if not is_response_id(self.response_id):
                self.response_id = ""
            self.status = str(fields.get("status", ""))


def is_response_id(text: str) -> bool:
    """Return True if ``text`` can be the id of a response, and can be stored."""
    return text.isprintable() and 0 < len(text.encode()) <= MAX_ID_BYTES


def _decoded(data: bytes) -> dict[str, Any]:
    """Return the object in ``data``; {} if there is none.

    An answer may have what no strict reader takes, such as half of a surrogate pair or NaN, and
    its usage counts all the same.
    """
    try:
        fields = msgspec.json.decode(data)
    except _UNREADABLE:
        try:
            fields = json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError):
            return {}
    return fields if isinstance(fields, dict) else {}
