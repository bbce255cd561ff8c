"""What the chat templates of Qwen3, Qwen3-VL and Qwen3.5 print, in tokens.

Source: ``chat_template`` of Qwen/Qwen3-14B, Qwen/Qwen3-VL-30B-A3B-Instruct and Qwen/Qwen3.5-4B,
and how vLLM (``entrypoints/chat_utils.py``) prepares messages and tools for them. The numbers of
fixed text were counted with the model's own vocabulary.
"""

from collections.abc import Sequence
from typing import ClassVar

from batchapp.domain.tokens.model_prompt import Message, Prompt, UnfamiliarError, conversation
from batchapp.domain.tokens.tool_prompts import printed, printed_tools, tool_calls
from batchapp.domain.tokens.vocabularies import Vocabulary

TURN = 5
"""``<|im_start|>``, the role, a line ending, ``<|im_end|>`` and a line ending."""

OPENING = 3
"""``<|im_start|>assistant`` and a line ending, for the model to go on from."""

NO_THOUGHT = 4
"""An empty thought, which keeps the model from thinking."""

OPEN_THOUGHT = 2
"""``<think>`` and a line ending, for the model to think first."""


class Qwen3:
    """Thinks unless told not to; of earlier turns only the answers are repeated."""

    BETWEEN: ClassVar[str] = "\n"
    """vLLM joins the parts of a message so, where the template does not look at parts itself."""

    TOOLS_HEAD: ClassVar[int] = 33
    TOOLS_TAIL: ClassVar[int] = 42

    def write(self, body: Message, prompt: Prompt) -> None:
        messages = conversation(body)
        tools = printed_tools(body, prompt)
        opens_with_system = messages[0].get("role") == "system"
        if tools or opens_with_system:
            text = self._text(messages[0], prompt) if opens_with_system else None
            self._write_system(text, tools, prompt)
        self._write_turns(messages, int(opens_with_system), prompt)
        self._open(_thinking(body, prompt), prompt)

    def question(self, text: str, vocabulary: Vocabulary) -> int:
        return _turn_tokens("user", self._trim(text), vocabulary)

    def _write_system(self, text: str | None, tools: Sequence[str], prompt: Prompt) -> None:
        if tools:
            prompt.tokens += self.TOOLS_HEAD + self.TOOLS_TAIL
            prompt.tokens += sum(prompt.vocabulary.remember(tool + "\n") for tool in tools)
            text = "# Tools" if text is None else text + "\n\n# Tools"
        _turn("system", text or "", prompt)

    def _write_turns(self, messages: Sequence[Message], start: int, prompt: Prompt) -> None:
        asked: int | None = None
        for index in range(start, len(messages)):
            message = messages[index]
            role = message.get("role")
            if role == "user":
                _turn("user", self._text(message, prompt), prompt)
            elif role == "assistant":
                if asked is None:
                    asked = self._last_question(messages, prompt)
                _turn("assistant", self._answer(messages, index, asked, prompt), prompt)
            elif role == "tool" and index:
                self._write_result(messages, index, prompt)
            else:
                self._write_other(role, message, prompt)

    def _write_result(self, messages: Sequence[Message], index: int, prompt: Prompt) -> None:
        """Results that follow one another share a turn, which the first of them writes."""
        if messages[index - 1].get("role") == "tool":
            return
        results = []
        for message in messages[index:]:
            if message.get("role") != "tool":
                break
            text = self._text(message, prompt)
            results.append(f"<tool_response>\n{text}\n</tool_response>")
        _turn("user", "\n".join(results), prompt)

    def _write_other(self, role: object, message: Message, prompt: Prompt) -> None:
        if role != "system":
            raise UnfamiliarError
        _turn("system", self._text(message, prompt), prompt)

    def _text(self, message: Message, prompt: Prompt) -> str:
        return self._trim(prompt.content(message.get("content"), self.BETWEEN))

    def _trim(self, text: str) -> str:
        return text

    def _last_question(self, messages: Sequence[Message], prompt: Prompt) -> int:
        """Thoughts are kept after the last message that is a person's and not a tool's result."""
        for index in range(len(messages) - 1, -1, -1):
            if messages[index].get("role") == "user":
                text = self._trim(prompt.glance(messages[index].get("content"), self.BETWEEN))
                if not (text.startswith("<tool_response>") and text.endswith("</tool_response>")):
                    return index
        return len(messages) - 1

    def _answer(self, messages: Sequence[Message], index: int, asked: int, prompt: Prompt) -> str:
        """What the template prints of an earlier answer."""
        content, thought = _thought(messages[index], self._text(messages[index], prompt))
        calls = self._calls(messages[index], prompt, has_content=bool(content))
        if index > asked:
            prompt.is_exact = prompt.is_exact and not _given_thought(messages[index])
            if thought or index == len(messages) - 1:
                thought = thought.strip("\n")
                content = f"<think>\n{thought}\n</think>\n\n" + content.lstrip("\n")
        return content + calls

    def _calls(self, message: Message, prompt: Prompt, *, has_content: bool) -> str:
        calls = [
            f'<tool_call>\n{{"name": "{name}", "arguments": {printed(arguments)}}}\n</tool_call>'
            for name, arguments in tool_calls(message)
        ]
        return "\n" * (has_content and bool(calls)) + "\n".join(calls)

    def _open(self, thinks: bool | None, prompt: Prompt) -> None:  # noqa: FBT001
        prompt.tokens += OPENING + (NO_THOUGHT if thinks is False else 0)


class Qwen3VL(Qwen3):
    """Does not think, takes a message part by part, and has but one system prompt."""

    BETWEEN: ClassVar[str] = ""

    def _write_other(self, role: object, message: Message, prompt: Prompt) -> None:
        if role != "system":
            raise UnfamiliarError

    def _answer(self, messages: Sequence[Message], index: int, asked: int, prompt: Prompt) -> str:
        message = messages[index]
        has_content = message.get("content") not in (None, [])
        return self._text(message, prompt) + self._calls(message, prompt, has_content=has_content)

    def _open(self, thinks: bool | None, prompt: Prompt) -> None:  # noqa: FBT001
        prompt.tokens += OPENING


class Qwen3_5(Qwen3):  # noqa: N801
    """Trims every message, prints tools first and calls as XML, and opens the thought itself."""

    BETWEEN: ClassVar[str] = ""
    TOOLS_HEAD: ClassVar[int] = 16
    TOOLS_TAIL: ClassVar[int] = 180
    AFTER_TOOLS: ClassVar[int] = 1

    def __init__(self, *, thinks: bool) -> None:
        self._thinks = thinks

    def _write_system(self, text: str | None, tools: Sequence[str], prompt: Prompt) -> None:
        if tools:
            prompt.tokens += self.TOOLS_HEAD + self.TOOLS_TAIL
            prompt.tokens += sum(prompt.vocabulary.remember(tool + "\n") for tool in tools)
            prompt.tokens += self.AFTER_TOOLS if text else 0
        _turn("system", text or "", prompt)

    def _write_other(self, role: object, message: Message, prompt: Prompt) -> None:
        raise UnfamiliarError

    def _text(self, message: Message, prompt: Prompt) -> str:
        parts = message.get("content")
        if isinstance(parts, list) and len(parts) > 1:
            prompt.is_exact = False  # vLLM before its change 42660 joins them by line endings
        return super()._text(message, prompt)

    def _trim(self, text: str) -> str:
        return text.strip()

    def _answer(self, messages: Sequence[Message], index: int, asked: int, prompt: Prompt) -> str:
        content, thought = _thought(messages[index], self._text(messages[index], prompt))
        calls = self._calls(messages[index], prompt, has_content=bool(content.strip()))
        if index > asked:
            prompt.is_exact = prompt.is_exact and not _given_thought(messages[index])
            content = f"<think>\n{thought.strip()}\n</think>\n\n{content}"
        return content + calls

    def _calls(self, message: Message, prompt: Prompt, *, has_content: bool) -> str:
        calls = []
        for name, arguments in tool_calls(message):
            fields = []
            for field, value in arguments.items():
                if isinstance(value, bool | None):
                    prompt.is_exact = False  # printed as Python or as JSON, by the release
                shown = printed(value) if isinstance(value, dict | list) else str(value)
                fields.append(f"<parameter={field}>\n{shown}\n</parameter>\n")
            calls.append(
                f"<tool_call>\n<function={name}>\n{''.join(fields)}</function>\n</tool_call>"
            )
        return "\n\n" * (has_content and bool(calls)) + "\n".join(calls)

    def _open(self, thinks: bool | None, prompt: Prompt) -> None:  # noqa: FBT001
        thinks = self._thinks if thinks is None else thinks
        prompt.tokens += OPENING + (OPEN_THOUGHT if thinks else NO_THOUGHT)


def _given_thought(message: Message) -> str:
    """A thought in a field of its own, which not every release hands to the template."""
    thought = message.get("reasoning_content") or message.get("reasoning")
    return thought if isinstance(thought, str) else ""


def _thought(message: Message, content: str) -> tuple[str, str]:
    """The answer without its thought, and the thought."""
    if thought := _given_thought(message):
        return content, thought
    if "</think>" not in content:
        return content, ""
    before, *_, answer = content.split("</think>")
    thought = before.rstrip("\n").rpartition("<think>")[2].lstrip("\n")
    return answer.lstrip("\n"), thought


def _thinking(body: Message, prompt: Prompt) -> bool | None:
    """Whether the request turns thinking on or off; None leaves it to the template."""
    if "chat_template_kwargs" not in body and "reasoning_effort" not in body:
        return None
    options = body.get("chat_template_kwargs") or {}
    if not isinstance(options, dict) or body.get("reasoning_effort") is not None:
        prompt.is_exact = False
        return None
    thinks = options.get("enable_thinking")
    if options.keys() - {"enable_thinking"} or not isinstance(thinks, bool | None):
        prompt.is_exact = False
    return thinks if isinstance(thinks, bool) else None


def _turn(role: str, text: str, prompt: Prompt) -> None:
    prompt.tokens += _turn_tokens(role, text, prompt.vocabulary)


def _turn_tokens(role: str, text: str, vocabulary: Vocabulary) -> int:
    """One message; what it begins with may melt into the line ending before it."""
    count = vocabulary.remember if role == "system" else vocabulary.count
    if text[:1].isspace():
        return TURN - 2 + count(f"{role}\n{text}")
    return TURN + count(text)
