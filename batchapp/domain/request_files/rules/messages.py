"""Find messages that no model server takes: roles, contents and the parts of a content, by url.

Sources: the API references of OpenAI and Anthropic, and vLLM's types of messages.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.rules import attachments
from batchapp.domain.request_files.rules.parameters import CHAT, MESSAGES, RESPONSES

MAX_ECHO = 24  # characters of a role or a type in a message, less than of a long secret
EXAMPLE = '{"role": "user", "content": "…"}'


class MessageRules(NamedTuple):
    """The messages of one url.

    ``part_types`` maps a type of a part to the field that it needs; "" if none is needed.
    ``other_types`` maps types of other urls to the type that means the same here.
    ``typed_items`` is True if the list also has items that are no messages, told by their type.
    """

    field: str
    roles: tuple[str, ...]
    part_types: dict[str, str]
    other_types: dict[str, str]
    role_advice: dict[str, str] = {}
    typed_items: bool = False


RULES = {
    CHAT: MessageRules(
        "messages",
        ("developer", "system", "user", "assistant", "tool", "function"),
        {
            "text": "text",
            "refusal": "refusal",
            "image_url": "image_url",
            "input_audio": "input_audio",
            "audio_url": "audio_url",
            "video_url": "video_url",
            "file": "file",
            "thinking": "",
            "image_embeds": "",
            "audio_embeds": "",
        },
        {
            **dict.fromkeys(("input_text", "output_text"), "text"),
            **dict.fromkeys(("input_image", "image"), "image_url"),
            **dict.fromkeys(("input_file", "document"), "file"),
            "audio": "input_audio",
            "tool_result": "text, in a message with the role tool",
            "tool_use": "text, and tool_calls beside content",
        },
    ),
    RESPONSES: MessageRules(
        "input",
        ("developer", "system", "user", "assistant"),
        {
            "input_text": "text",
            "output_text": "text",
            "refusal": "refusal",
            "reasoning_text": "text",
            "summary_text": "text",
            "input_image": "",
            "input_file": "",
            "input_audio": "input_audio",
        },
        {
            "text": "input_text, or output_text in an answer",
            **dict.fromkeys(("image_url", "image"), "input_image"),
            **dict.fromkeys(("file", "document"), "input_file"),
        },
        {"tool": 'write an item {"type": "function_call_output", …} instead'},
        typed_items=True,
    ),
    MESSAGES: MessageRules(
        "messages",
        ("user", "assistant"),
        {
            "text": "text",
            "image": "source",
            "document": "source",
            "tool_use": "name",
            "tool_result": "tool_use_id",
            "thinking": "thinking",
            **dict.fromkeys(("redacted_thinking", "search_result", "container_upload"), ""),
            **dict.fromkeys(("server_tool_use", "mcp_tool_use", "mcp_tool_result"), ""),
        },
        {
            **dict.fromkeys(("input_text", "output_text"), "text"),
            **dict.fromkeys(("image_url", "input_image"), "image"),
            **dict.fromkeys(("file", "input_file"), "document"),
        },
        {
            **dict.fromkeys(
                ("system", "developer"), "move its text into the field system beside messages"
            ),
            "tool": "write a part of the type tool_result in a message of the user",
        },
    ),
}
# Fields of an assistant's message that stand in for a content.
INSTEAD_OF_CONTENT = (
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "reasoning_content",
    "reasoning",
)
SUFFIX_OF_RESULTS = "_tool_result"  # of the types of parts that Anthropic's own tools give


def find_wrong_messages(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    """Yield the findings of all messages of a body; an ``input`` that is a text has none."""
    rules = RULES.get(url)
    messages = body.get(rules.field) if rules else None
    if rules is None or not isinstance(messages, list):
        return
    noun = "item" if rules.typed_items else "message"
    for number, message in enumerate(messages, 1):
        if problem := _find_problem(message, rules, url):
            yield problem.finding(f"{noun} {number:,}")
    if url == CHAT and all(_is_instruction(message) for message in messages):
        yield RequestFinding(
            "no_question",
            "messages holds only instructions, which many models refuse; add a message with the "
            "role user.",
        )


class Problem(NamedTuple):
    """The first problem of a message.

    ``words`` go on after the name of the message, or of its ``part``, and have the next step
    behind a semicolon.
    """

    words: str
    code: str = "bad_message"
    part: int = 0

    def finding(self, name: str) -> RequestFinding:
        problem, _, advice = self.words.partition("; ")
        if self.code != "blank_question":
            problem += ", so this request will fail"
        where = f"Part {self.part:,} of {name}" if self.part else name.capitalize()
        return RequestFinding(self.code, f"{where} {problem}; {advice}.")


def _is_instruction(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def is_blank(content: str) -> bool:
    return not content or content.isspace()


def _find_problem(message: object, rules: MessageRules, url: str) -> Problem | None:
    if not isinstance(message, dict):
        kind = "a text" if isinstance(message, str) else "no object"
        return Problem(f"is {kind}; write {EXAMPLE}")
    if rules.typed_items and message.get("type", "message") != "message":
        return None
    role = message.get("role")
    if role not in rules.roles if isinstance(role, str) else True:
        return _wrong_role(role, rules)
    content = message.get("content")
    if isinstance(content, str):
        return _blank_content(role) if is_blank(content) else None
    if isinstance(content, list) and content:
        return _find_wrong_part(content, rules, url)
    return _wrong_content(message, content, str(role))


def _wrong_role(role: object, rules: MessageRules) -> Problem:
    if role is None:
        return Problem(f"has no role; write {EXAMPLE}")
    if not isinstance(role, str):
        return Problem("has a role that is no text; write it as text")
    default = f"write one of {', '.join(rules.roles)}"
    return Problem(
        f"has the role “{presentable(role, MAX_ECHO)}”; {rules.role_advice.get(role, default)}"
    )


def _blank_content(role: object) -> Problem | None:
    if role != "user":
        return None
    return Problem(
        "is blank, so the model has nothing to answer and is paid all the same; fill it in, or "
        "drop the request",
        "blank_question",
    )


def _wrong_content(message: dict[str, Any], content: object, role: str) -> Problem | None:
    if content is None or content == []:
        if role == "assistant" and any(message.get(field) for field in INSTEAD_OF_CONTENT):
            return None
        if "text" in message and "content" not in message:
            return Problem("has text; name the field content")
        return Problem("has no content; add a text")
    kind = {dict: "an object", bool: "true or false"}.get(type(content), "a number")
    return Problem(f"has {kind} for its content; write a text")


def _find_wrong_part(content: list[Any], rules: MessageRules, url: str) -> Problem | None:
    for number, part in enumerate(content, 1):
        if words := _wrong_part(part, rules):
            return Problem(words, "bad_part", number)
        if words := attachments.find_problem(part, url):
            return Problem(words, "bad_attachment", number)
    return None


def _wrong_part(part: object, rules: MessageRules) -> str:
    text_type = next(iter(rules.part_types))
    advice = f'write {{"type": "{text_type}", "text": "…"}}'
    if not isinstance(part, dict):
        return f"is no object; {advice}"
    kind = part.get("type")
    if not isinstance(kind, str):
        return f"has no type; {advice}"
    needed = rules.part_types.get(kind, None if not kind.endswith(SUFFIX_OF_RESULTS) else "")
    words = ""
    if needed is None:
        usual = f"one of {', '.join(rules.part_types)}"
        name = presentable(kind, MAX_ECHO)
        words = f"has the type “{name}”; write {rules.other_types.get(kind, usual)}"
    elif needed and part.get(needed) is None:
        words = f"has the type {kind} and no {needed}; add it"
    elif needed == "text" and not isinstance(part["text"], str):
        words = "has a text that is none; write it in quotes"
    return words
