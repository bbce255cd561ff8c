"""Count the text that a server makes of a request for its model, piece by piece."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from batchapp.domain.tokens import image_tokens
from batchapp.domain.tokens.vocabularies import Vocabulary

Message = Mapping[str, Any]

# The text that Qwen's templates print for an image; the server then repeats the middle token.
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
IMAGE_TEXT_TOKENS = 3  # of ``IMAGE`` itself, which is counted with the text around the image

# Fields that change the prompt in known ways, or not at all. Guided decoding limits the output and
# adds nothing to the input.
NEUTRAL_FIELDS = frozenset(
    {
        *("model", "messages", "prompt", "input", "tools", "tool_choice", "chat_template_kwargs"),
        *("max_tokens", "max_completion_tokens", "min_tokens", "n", "best_of", "seed", "stop"),
        *("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty"),
        *("repetition_penalty", "length_penalty", "logit_bias", "logprobs", "top_logprobs"),
        *("ignore_eos", "stop_token_ids", "include_stop_str_in_output", "skip_special_tokens"),
        *("response_format", "guided_json", "guided_regex", "guided_choice", "guided_grammar"),
        *("structured_outputs", "parallel_tool_calls", "stream", "stream_options", "user"),
        *("store", "metadata", "priority", "service_tier", "background", "safety_identifier"),
        *("prompt_cache_key", "encoding_format", "dimensions", "reasoning_effort"),
        "cache_control",
    }
)


class UnfamiliarError(Exception):
    """The request has a shape whose prompt is not known to the letter."""


class Template(Protocol):
    def write(self, body: Message, prompt: "Prompt") -> None:
        """Add to ``prompt`` the tokens of all text that the template prints for a chat.

        Raises:
            UnfamiliarError: the template's text for this chat is not known.
        """

    def add_text(self, role: str, text: str, prompt: "Prompt") -> bool:
        """Add to ``prompt`` what ``write`` adds for a message of ``role`` with this text.

        The message is one before the last question, or that question. Return False if the text
        may also change what is printed for other messages, or is not printed as it stands.
        """


class Prompt:
    """The text of a prompt: ``tokens`` of fixed text, and texts still to be counted.

    ``texts`` and ``repeated`` have no special tokens; ``repeated`` are texts that most requests of
    a file share, and that are therefore worth to be looked up. ``is_exact`` is set to False for
    text that differs between servers.
    """

    __slots__ = (
        *("_image", "assumed_images", "images", "is_exact", "repeated", "texts", "tokens"),
        "vocabulary",
    )

    def __init__(
        self, vocabulary: Vocabulary, image: image_tokens.PatchRule | None = None
    ) -> None:
        self.vocabulary = vocabulary
        self.texts: list[str] = []
        self.repeated: list[str] = []
        self.tokens = self.images = self.assumed_images = 0
        self.is_exact = True
        self._image = image

    def add(self, text: str) -> None:
        """Add a text in which the name of a special token is that token."""
        if "<" in text:
            self.tokens += self.vocabulary.split_special(text, self.texts)
        else:
            self.texts.append(text)

    def add_repeated(self, text: str) -> None:
        """Do the same as ``add`` for a text that most requests of a file share."""
        self.tokens += self.vocabulary.split_special(text, self.repeated)

    def content(self, parts: object, between: str = "") -> str:
        """Return the text of a message, with ``IMAGE`` for each image; count the images."""
        if isinstance(parts, str):
            return parts
        if parts is None:
            return ""
        if not isinstance(parts, list):
            raise UnfamiliarError
        return between.join([text for part in parts if (text := self._part(part))])

    def uncounted_content(self, parts: object, between: str = "") -> str:
        """Return the same as ``content``, but count no image."""
        return Prompt(self.vocabulary, self._image).content(parts, between)

    def _part(self, part: object) -> str:
        if not isinstance(part, dict):
            raise UnfamiliarError
        kind = part.get("type")
        if kind == "text" and isinstance(text := part.get("text"), str):
            return text
        if kind == "image_url" and self._image:
            reference = part.get("image_url")
            url = reference.get("url") if isinstance(reference, dict) else None
            if isinstance(url, str):
                self._add_image(url, self._image)
                return IMAGE
        raise UnfamiliarError

    def _add_image(self, url: str, rule: image_tokens.PatchRule) -> None:
        size = image_tokens.pixels(url)
        tokens = rule.tokens(size) if size else None
        self.images += 1
        if tokens is None:
            self.assumed_images += 1
            self.is_exact = False
            tokens = image_tokens.ASSUMED_IMAGE_TOKENS
        self.tokens += tokens - IMAGE_TEXT_TOKENS


def conversation(body: Message) -> Sequence[Message]:
    """Return the messages of a chat, at least one, each of which is an object."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise UnfamiliarError
    for message in messages:
        if not isinstance(message, dict):
            raise UnfamiliarError
    return messages
