"""Count the tokens that the harmony format of gpt-oss prints for a chat.

Source: openai-harmony 0.0.8 and ``docs/format.md`` beside it, and vLLM's current
``parse_chat_input_to_harmony_message``. Its releases of 2025 named one channel fewer in the system
message of a chat without tools, which is two tokens a request. Unlike other servers' templates,
harmony reads the name of a special token in a message as plain text.
"""

from batchapp.domain.tokens.model_prompt import Message, Prompt, UnfamiliarError, conversation
from batchapp.domain.tokens.tool_prompts import printed_tools, tool_calls

EFFORTS = (None, "low", "medium", "high")
INSTRUCTIONS = "# Instructions\n\n"

# Tokens of the fixed text. The system message that harmony itself writes has the model, the date,
# the effort and the channels; a date has the same number of tokens on every day.
SYSTEM_TOKENS = 61
TURN_TOKENS = 4  # ``<|start|>``, the role, ``<|message|>`` and ``<|end|>``
CHANNEL_TOKENS = 2  # ``<|channel|>`` and its name
OPENING_TOKENS = 2  # ``<|start|>assistant``, which opens the answer
TOOLS_TOKENS = 40  # about: the headings around tools, and a note in the system message


class Harmony:
    def write(self, body: Message, prompt: Prompt) -> None:
        if body.get("reasoning_effort") not in EFFORTS or body.get("chat_template_kwargs"):
            raise UnfamiliarError
        prompt.tokens += SYSTEM_TOKENS + OPENING_TOKENS
        if tools := printed_tools(body, prompt):
            # Harmony prints tools as TypeScript, which is about as long as their JSON.
            prompt.is_exact = False
            prompt.tokens += TOOLS_TOKENS
            for tool in tools:
                prompt.add_repeated(tool)
        if body.get("response_format"):
            prompt.is_exact = False  # harmony can print the schema, but not every server does
        for message in conversation(body):
            self._write(message, prompt)

    def add_text(self, role: str, text: str, prompt: Prompt) -> bool:
        if role == "assistant" and not text:
            return False
        self._add_turn(role, text, prompt)
        return True

    def _write(self, message: Message, prompt: Prompt) -> None:
        text = prompt.content(message.get("content"))
        match message.get("role"):
            case "system" | "developer":
                self._add_turn("system", text, prompt)
            case "user":
                prompt.tokens += TURN_TOKENS
                self._add_content(message, prompt)
            case "assistant":
                calls = tool_calls(message)
                if text:
                    prompt.tokens += TURN_TOKENS + CHANNEL_TOKENS
                    self._add_content(message, prompt)
                if calls or message.get("reasoning"):
                    prompt.is_exact = False
                for name, arguments in calls:
                    prompt.tokens += TURN_TOKENS + CHANNEL_TOKENS
                    prompt.texts.append(f" to=functions.{name} json{arguments}")
            case "tool":
                prompt.is_exact = False
                prompt.tokens += TURN_TOKENS + CHANNEL_TOKENS
                prompt.texts.append(f"functions to=assistant{text}")
            case _:
                raise UnfamiliarError

    def _add_turn(self, role: str, text: str, prompt: Prompt) -> None:
        prompt.tokens += TURN_TOKENS + (CHANNEL_TOKENS if role == "assistant" else 0)
        if role in {"system", "developer"}:
            prompt.repeated.append(INSTRUCTIONS + text)
        else:
            prompt.texts.append(text)

    def _add_content(self, message: Message, prompt: Prompt) -> None:
        # Harmony encodes each part of a message on its own.
        parts = message.get("content")
        for part in [[part] for part in parts] if isinstance(parts, list) else [parts]:
            prompt.texts.append(prompt.content(part))
