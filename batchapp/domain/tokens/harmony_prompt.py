"""What the harmony format, which gpt-oss reads and writes, prints of a chat, in tokens.

Source: openai-harmony 0.0.8 and ``docs/format.md`` beside it, and vLLM's current
``parse_chat_input_to_harmony_message``. Its releases of 2025 named one channel fewer in the system
message of a chat without tools, which is two tokens a request. Unlike other servers' templates,
harmony reads the name of a special token in a message as text.
"""

from batchapp.domain.tokens.model_prompt import Message, Prompt, UnfamiliarError, conversation
from batchapp.domain.tokens.tool_prompts import printed_tools, tool_calls
from batchapp.domain.tokens.vocabularies import Vocabulary

SYSTEM = 61
"""The message that harmony itself writes: who the model is, the date, the effort, the channels.
A date has the same number of tokens on every day."""

EFFORTS = (None, "low", "medium", "high")

TURN = 4
"""``<|start|>``, the role, ``<|message|>`` and ``<|end|>``."""

CHANNEL = 2
"""``<|channel|>`` and its name."""

OPENING = 2
"""``<|start|>assistant``, for the model to go on from."""

INSTRUCTIONS = "# Instructions\n\n"
TOOLS = 40
"""About what stands around tools: their headings, and a note in the system message."""


class Harmony:
    def write(self, body: Message, prompt: Prompt) -> None:
        if body.get("reasoning_effort") not in EFFORTS or body.get("chat_template_kwargs"):
            raise UnfamiliarError
        prompt.tokens += SYSTEM + OPENING
        if tools := printed_tools(body, prompt):
            # Harmony prints them as TypeScript, which is about as long.
            prompt.is_exact = False
            prompt.tokens += TOOLS + sum(prompt.vocabulary.remember(tool) for tool in tools)
        if body.get("response_format"):
            prompt.is_exact = False  # the format has a place for it, and not every server uses it
        for message in conversation(body):
            self._write(message, prompt)

    def question(self, text: str, vocabulary: Vocabulary) -> int:
        return TURN + vocabulary.ordinary(text)

    def _write(self, message: Message, prompt: Prompt) -> None:
        ordinary = prompt.vocabulary.ordinary
        text = prompt.content(message.get("content"))
        match message.get("role"):
            case "system" | "developer":
                prompt.tokens += TURN + ordinary(INSTRUCTIONS + text)
            case "user":
                prompt.tokens += TURN + self._parts(message, prompt)
            case "assistant":
                calls = tool_calls(message)
                if text:
                    prompt.tokens += TURN + CHANNEL + self._parts(message, prompt)
                if calls or message.get("reasoning"):
                    prompt.is_exact = False
                for name, arguments in calls:
                    prompt.tokens += (
                        TURN + CHANNEL + ordinary(f" to=functions.{name} json{arguments}")
                    )
            case "tool":
                prompt.is_exact = False
                prompt.tokens += TURN + CHANNEL + ordinary(f"functions to=assistant{text}")
            case _:
                raise UnfamiliarError

    def _parts(self, message: Message, prompt: Prompt) -> int:
        """Each part is read on its own."""
        parts = message.get("content")
        if isinstance(parts, list):
            return sum(prompt.vocabulary.ordinary(prompt.content([part])) for part in parts)
        return prompt.vocabulary.ordinary(prompt.content(parts))
