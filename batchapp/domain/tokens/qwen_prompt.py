"""Count the tokens that the chat templates of Qwen3, Qwen3-VL and Qwen3.5 print.

Source: ``chat_template`` of Qwen/Qwen3-14B, Qwen/Qwen3-VL-30B-A3B-Instruct and Qwen/Qwen3.5-4B,
and vLLM (``entrypoints/chat_utils.py``), which prepares messages and tools for the templates. The
tokens of fixed text were counted with the model's own vocabulary.
"""

from collections.abc import Sequence
from typing import ClassVar

from batchapp.domain.tokens.model_prompt import Message, Prompt, UnfamiliarError, conversation
from batchapp.domain.tokens.tool_prompts import printed_tools, to_json, tool_calls

Messages = Sequence[Message]

# Tokens of the fixed text.
TURN_TOKENS = 5  # ``<|im_start|>``, the role, a line ending, ``<|im_end|>`` and a line ending
OPENING_TOKENS = 3  # ``<|im_start|>assistant`` and a line ending, which open the answer
NO_THOUGHT_TOKENS = 4  # an empty thought, which keeps the model from thinking
OPEN_THOUGHT_TOKENS = 2  # ``<think>`` and a line ending, so that the model thinks first


class Qwen3:
    """Qwen3, which thinks unless it is told not to; earlier thoughts are not repeated."""

    # vLLM joins the parts of a message so, because this template does not read parts itself.
    PART_SEPARATOR: ClassVar[str] = "\n"
    TOOLS_TOKENS: ClassVar[int] = 33 + 42  # before and after the list of tools

    def write(self, body: Message, prompt: Prompt) -> None:
        messages = conversation(body)
        tools = printed_tools(body, prompt)
        opens_with_system = messages[0].get("role") == "system"
        if tools or opens_with_system:
            text = self._text(messages[0], prompt) if opens_with_system else None
            self._write_system(text, tools, prompt)
        self._write_turns(messages, int(opens_with_system), prompt)
        self._open(_requested_thinking(body, prompt), prompt)

    def add_text(self, role: str, text: str, prompt: Prompt) -> bool:
        if "<" in text and ("</think>" in text or "<tool_response>" in text):
            return False
        text = self._trim(text)
        if "<" in text or text[:1].isspace():
            _add_turn(role, text, prompt)
        else:  # Do the same as ``_add_turn``. Gain: 0.3 µs for each text of each line.
            prompt.tokens += TURN_TOKENS
            (prompt.repeated if role == "system" else prompt.texts).append(text)
        return True

    def _write_system(self, text: str | None, tools: Sequence[str], prompt: Prompt) -> None:
        if tools:
            self._add_tools(tools, prompt)
            text = "# Tools" if text is None else text + "\n\n# Tools"
        _add_turn("system", text or "", prompt)

    def _add_tools(self, tools: Sequence[str], prompt: Prompt) -> None:
        prompt.tokens += self.TOOLS_TOKENS
        for tool in tools:
            prompt.add_repeated(tool + "\n")

    def _write_turns(self, messages: Messages, start: int, prompt: Prompt) -> None:
        question: int | None = None
        for index in range(start, len(messages)):
            message = messages[index]
            role = message.get("role")
            if role == "user":
                _add_turn("user", self._text(message, prompt), prompt)
            elif role == "assistant":
                if question is None:
                    question = self._last_question(messages, prompt)
                answer = self._answer(messages, index, question, prompt)
                _add_turn("assistant", answer, prompt)
            elif role == "tool" and index:
                self._write_result(messages, index, prompt)
            else:
                self._write_other(role, message, prompt)

    def _write_result(self, messages: Messages, index: int, prompt: Prompt) -> None:
        """Add one turn for tool results that follow one another, at the first of the results."""
        if messages[index - 1].get("role") == "tool":
            return
        results = []
        for message in messages[index:]:
            if message.get("role") != "tool":
                break
            text = self._text(message, prompt)
            results.append(f"<tool_response>\n{text}\n</tool_response>")
        _add_turn("user", "\n".join(results), prompt)

    def _write_other(self, role: object, message: Message, prompt: Prompt) -> None:
        if role != "system":
            raise UnfamiliarError
        _add_turn("system", self._text(message, prompt), prompt)

    def _text(self, message: Message, prompt: Prompt) -> str:
        return self._trim(prompt.content(message.get("content"), self.PART_SEPARATOR))

    def _trim(self, text: str) -> str:
        return text

    def _last_question(self, messages: Messages, prompt: Prompt) -> int:
        """Return the index of the last message of a person; only later thoughts are repeated.

        A tool's result is printed as a user's message, but is not a person's.
        """
        for index in range(len(messages) - 1, -1, -1):
            if messages[index].get("role") == "user":
                content = messages[index].get("content")
                text = self._trim(prompt.uncounted_content(content, self.PART_SEPARATOR))
                if not (text.startswith("<tool_response>") and text.endswith("</tool_response>")):
                    return index
        return len(messages) - 1

    def _answer(self, messages: Messages, index: int, question: int, prompt: Prompt) -> str:
        """Return the text printed for an earlier answer; ``question`` is ``_last_question``."""
        content, thought = _thought(messages[index], self._text(messages[index], prompt))
        calls = self._calls(messages[index], prompt, has_content=bool(content))
        if index > question:
            prompt.is_exact = prompt.is_exact and not _separate_thought(messages[index])
            if thought or index == len(messages) - 1:
                thought = thought.strip("\n")
                content = f"<think>\n{thought}\n</think>\n\n" + content.lstrip("\n")
        return content + calls

    def _calls(self, message: Message, prompt: Prompt, *, has_content: bool) -> str:
        calls = [
            f'<tool_call>\n{{"name": "{name}", "arguments": {to_json(arguments)}}}\n</tool_call>'
            for name, arguments in tool_calls(message)
        ]
        return "\n" * (has_content and bool(calls)) + "\n".join(calls)

    def _open(self, thinks: bool | None, prompt: Prompt) -> None:  # noqa: FBT001
        prompt.tokens += OPENING_TOKENS + (NO_THOUGHT_TOKENS if thinks is False else 0)


class Qwen3VL(Qwen3):
    """Qwen3-VL, which does not think, reads a message part by part, and has one system prompt."""

    PART_SEPARATOR: ClassVar[str] = ""

    def _write_other(self, role: object, message: Message, prompt: Prompt) -> None:
        if role != "system":
            raise UnfamiliarError

    def _answer(self, messages: Messages, index: int, question: int, prompt: Prompt) -> str:
        message = messages[index]
        has_content = message.get("content") not in (None, [])
        return self._text(message, prompt) + self._calls(message, prompt, has_content=has_content)

    def _open(self, thinks: bool | None, prompt: Prompt) -> None:  # noqa: FBT001
        prompt.tokens += OPENING_TOKENS


class Qwen3_5(Qwen3):  # noqa: N801
    """Qwen3.5, which trims messages, prints tools first, calls as XML, and opens the thought."""

    PART_SEPARATOR: ClassVar[str] = ""
    TOOLS_TOKENS: ClassVar[int] = 16 + 180
    AFTER_TOOLS_TOKENS: ClassVar[int] = 1  # between the tools and the text of the system message

    def __init__(self, *, thinks: bool) -> None:
        self._thinks = thinks

    def _write_system(self, text: str | None, tools: Sequence[str], prompt: Prompt) -> None:
        if tools:
            self._add_tools(tools, prompt)
            prompt.tokens += self.AFTER_TOOLS_TOKENS if text else 0
        _add_turn("system", text or "", prompt)

    def _write_other(self, role: object, message: Message, prompt: Prompt) -> None:
        raise UnfamiliarError

    def _text(self, message: Message, prompt: Prompt) -> str:
        parts = message.get("content")
        if isinstance(parts, list) and len(parts) > 1:
            prompt.is_exact = False  # vLLM before its change 42660 joined parts by line endings
        return super()._text(message, prompt)

    def _trim(self, text: str) -> str:
        return text.strip()

    def _answer(self, messages: Messages, index: int, question: int, prompt: Prompt) -> str:
        content, thought = _thought(messages[index], self._text(messages[index], prompt))
        calls = self._calls(messages[index], prompt, has_content=bool(content.strip()))
        if index > question:
            prompt.is_exact = prompt.is_exact and not _separate_thought(messages[index])
            content = f"<think>\n{thought.strip()}\n</think>\n\n{content}"
        return content + calls

    def _calls(self, message: Message, prompt: Prompt, *, has_content: bool) -> str:
        calls = []
        for name, arguments in tool_calls(message):
            fields = []
            for field, value in arguments.items():
                if isinstance(value, bool | None):
                    # Printed as Python or as JSON, depending on the release.
                    prompt.is_exact = False
                text = to_json(value) if isinstance(value, dict | list) else str(value)
                fields.append(f"<parameter={field}>\n{text}\n</parameter>\n")
            calls.append(
                f"<tool_call>\n<function={name}>\n{''.join(fields)}</function>\n</tool_call>"
            )
        return "\n\n" * (has_content and bool(calls)) + "\n".join(calls)

    def _open(self, thinks: bool | None, prompt: Prompt) -> None:  # noqa: FBT001
        thinks = self._thinks if thinks is None else thinks
        prompt.tokens += OPENING_TOKENS + (OPEN_THOUGHT_TOKENS if thinks else NO_THOUGHT_TOKENS)


def _separate_thought(message: Message) -> str:
    """Return a thought that has its own field; some releases do not pass it to the template."""
    thought = message.get("reasoning_content") or message.get("reasoning")
    return thought if isinstance(thought, str) else ""


def _thought(message: Message, content: str) -> tuple[str, str]:
    """Return the answer without its thought, and the thought."""
    if thought := _separate_thought(message):
        return content, thought
    if "</think>" not in content:
        return content, ""
    before, *_, answer = content.split("</think>")
    thought = before.rstrip("\n").rpartition("<think>")[2].lstrip("\n")
    return answer.lstrip("\n"), thought


def _requested_thinking(body: Message, prompt: Prompt) -> bool | None:
    """Return True or False if the request turns thinking on or off, None if it does neither."""
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


def _add_turn(role: str, text: str, prompt: Prompt) -> None:
    """Add the tokens of one message.

    Leading white space may form one token with the line ending before the text.
    """
    add = prompt.add_repeated if role == "system" else prompt.add
    if text[:1].isspace():
        prompt.tokens += TURN_TOKENS - 2
        add(f"{role}\n{text}")
    else:
        prompt.tokens += TURN_TOKENS
        add(text)
