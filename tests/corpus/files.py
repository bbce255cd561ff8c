"""Small difficult request files, each with the report that the check must give.

A finding is written "line severity code", line 0 for the file as a whole, in the order of the
report. ``differs`` says why the sandbox does not agree with the check.
"""

import gzip
import json
from dataclasses import dataclass
from typing import Any

from batchapp.domain.request_files.findings import FINDINGS_KEPT_PER_CODE

MODEL = "Qwen/Qwen3.5-9B"
EMBEDDER = "Qwen/Qwen3-Embedding-8B"
CHAT = "/v1/chat/completions"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    requests: int
    findings: tuple[str, ...] = ()
    valid: bool = True
    totals: dict[str, int] | None = None  # given if not every finding is kept
    differs: str = ""

    @property
    def is_gzip(self) -> bool:
        """Return what the check says of the file, without the time of a check."""
        return self.data.startswith(b"\x1f\x8b")


def row(custom_id: Any = "a", **changes: Any) -> bytes:
    """Make a valid line with a question of its own; a change of ... removes a field."""
    request = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body(custom_id)}
    fields = {name: value for name, value in (request | changes).items() if value is not ...}
    return json.dumps(fields).encode()


def line(value: Any) -> bytes:
    return json.dumps(value).encode()


def body(question: Any = "a", **changes: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"Question {question}"}
    fields = {"model": MODEL, "max_tokens": 10, "messages": [message]} | changes
    return {name: value for name, value in fields.items() if value is not ...}


def responses(**changes: Any) -> bytes:
    """Make a valid line for the responses API."""
    fields = {"model": MODEL, "input": "Question a", "max_output_tokens": 10}
    return row(url="/v1/responses", body=fields | changes)


def file(*rows: bytes, end: bytes = b"\n") -> bytes:
    return b"".join(row + end for row in rows)


def bad(name: str, second: bytes, *findings: str, differs: str = "") -> Case:
    """Make a file of a valid first line and this second line, with errors."""
    return Case(name, file(row("first"), second), 2, findings, valid=False, differs=differs)


def good(name: str, second: bytes, *findings: str, differs: str = "") -> Case:
    """Make a file of a valid first line and this second line, without errors."""
    return Case(name, file(row("first"), second), 2, findings, differs=differs)


def marked(kind: str) -> list[dict[str, Any]]:
    """Make messages of which the first is to be cached."""
    rules = {"type": "text", "text": "Rules", "cache_control": {"type": kind}}
    question = {"role": "user", "content": "Question a"}
    return [{"role": "system", "content": [rules]}, question]


def replaced(old: bytes, new: bytes, line: bytes = row()) -> bytes:
    assert old in line
    return line.replace(old, new)


SHAPE = [
    Case("two good rows", file(row("a"), row("b")), 2),
    Case("no final newline", row("a") + b"\n" + row("b"), 2),
    Case("CRLF", file(row("a"), row("b"), end=b"\r\n"), 2),
    Case("CRLF and a finding after blank lines", b"\r\n\r\n" + row() + b"\r\n \t\r\n{\r\n", 2,
         ("5 error invalid_json",), valid=False),
    Case("blank lines everywhere", b"\n\n" + row("a") + b"\n\n \n" + row("b") + b"\n\n\n", 2),
    Case("a form feed for a line", file(row("a"), b"\x0c", row("b")), 2),
    Case("white space around", b" \t" + row("a") + b" \t\n" + row("b") + b"  ", 2),
    Case("no-break spaces around", b"\xc2\xa0" + row("a") + b"\xe3\x80\x80\n" + row("b"), 2),
    Case("a line of Unicode spaces", file(row("a"), "\u00a0\u2028\u3000".encode(), row("b")), 2),
    Case("U+2028 in a text is no line break",
         file(replaced(b"Question", "Quest\u2028ion\u2029\x85".encode()), b"{"), 2,
         ("2 error invalid_json",), valid=False),
    Case("a carriage return between fields",
         file(row("b"), replaced(b', "method"', b',\r"method"'), b"{"), 3,
         ("2 info carriage_return", "3 error invalid_json"), valid=False),
    Case("lines joined by carriage returns", file(row("a") + b"\r" + row("b")), 1,
         ("1 error cr_line_ends",), valid=False),
    Case("empty", b"", 0, ("0 error empty_file",), valid=False),
    Case("only blank lines", b"\n \r\n\t\n", 0, ("0 error only_blank_lines",), valid=False),
    Case("byte order mark", BOM + file(row("a"), row("b")), 2, ("1 error byte_order_mark",),
         valid=False),
    Case("byte order mark where two files were joined", file(row("a"), BOM + row("b")), 2,
         ("2 error byte_order_mark",), valid=False),
    Case("more bad rows than are kept",
         file(*(row(f"{number}", method="GET") for number in range(FINDINGS_KEPT_PER_CODE + 7))),
         FINDINGS_KEPT_PER_CODE + 7,
         tuple(f"{line} error method_not_post" for line in range(1, FINDINGS_KEPT_PER_CODE + 1)),
         valid=False, totals={"method_not_post": FINDINGS_KEPT_PER_CODE + 7}),
]  # fmt: skip

JSON = [
    bad("cut short", row()[:-1], "2 error invalid_json"),
    bad("cut in the middle of a text", row()[:120], "2 error invalid_json"),
    bad("a comma after", row() + b",", "2 error trailing_comma"),
    bad("a trailing comma within", row()[:-1] + b",}", "2 error invalid_json"),
    bad("two on a line", row() + row("b"), "2 error several_values"),
    bad("single quotes", repr(json.loads(row())).encode(), "2 error python_dict"),
    bad("a comment", b"// " + row(), "2 error comment_line"),
    bad("a comment as in a shell", b"# mine", "2 error comment_line"),
    bad("curly quotes", replaced(b'"', "“".encode()), "2 error curly_quotes"),
    bad("encoded twice", json.dumps(row().decode()).encode(), "2 error encoded_twice"),
    Case("a line break in a text",
         file(row("b"), replaced(b"Question", b"One\n\n{ two\n# three"), row("c")), 3,
         ("2 error line_break_in_text",), valid=False),
    bad("NaN", row(body=body(temperature=float("nan"))), "2 error invalid_json"),
    bad("Infinity", row(body=body(temperature=float("inf"))), "2 error invalid_json"),
    bad("a float too large", replaced(b": 10", b": 1e999"), "2 error invalid_json"),
    bad("a whole number beyond all floats", replaced(b": 10", b": 1" + b"0" * 309),
        "2 error invalid_json"),
    good("a whole number that is a float at most", replaced(b": 10", b": 1" + b"0" * 308),
         "2 warning bad_max_tokens", "0 info no_max_tokens"),
    good("many digits in a text", replaced(b"Question", b"9" * 900)),
    bad("a leading zero", replaced(b": 10", b": 010"), "2 error invalid_json"),
    bad("True", replaced(b": 10", b": True"), "2 error invalid_json"),
    bad("a tab in a text", replaced(b"Question", b"Quest\tion"), "2 error control_character"),
    bad("a zero byte in a text", replaced(b"Question", b"Quest\0ion"),
        "2 error control_character"),
    bad("half a surrogate pair", replaced(b"Question", rb"\ud83d"), "2 error invalid_json"),
    bad("the other half", replaced(b"Question", rb"\ude00 \ud83d"), "2 error invalid_json"),
    good("a whole surrogate pair", replaced(b"Question", rb"\ud83d\ude00")),
    good("an escaped zero", replaced(b"Question", rb"\u0000")),
    bad("an unknown escape", replaced(b"Question", rb"\x41"), "2 error invalid_json"),
    bad("Latin-1", replaced(b"Question", b"Fa\xe7ade"), "2 error invalid_utf8"),
    bad("UTF-8 cut short", replaced(b"Question", b"\xe2\x82"), "2 error invalid_utf8"),
    bad("an overlong slash", replaced(b"Question", b"\xc0\xaf"), "2 error invalid_utf8"),
    bad("a surrogate in UTF-8", replaced(b"Question", b"\xed\xa0\x80"), "2 error invalid_utf8"),
    bad("a list", b"[1, 2]", "2 error not_an_object"),
    bad("a text", b'"hello"', "2 error not_an_object"),
    bad("null", b"null", "2 error not_an_object"),
    bad("too deep", replaced(b": 10", b": " + b"[" * 130 + b"]" * 130), "2 error too_deep"),
    bad("too deep in the first of two fields",
        replaced(b": 10", b': 10, "seed": ' + b"[" * 126 + b"]" * 126 + b', "seed": 1'),
        "2 error too_deep"),
    good("brackets in a text", replaced(b"Question", b'\\" [{' + b"[" * 200)),
    bad("unclosed brackets", b"[" * 100_000, "2 error too_deep"),
    bad("custom_id twice", row()[:-1] + b', "custom_id": "b"}', "2 error repeated_key"),
    bad("body twice", row()[:-1] + b', "body": {}}',
        "2 error repeated_key", "2 error missing_model", "2 error missing_messages"),
    good("model twice", row()[:-2] + b', "model": "%b"}}' % MODEL.encode(),
         "2 warning repeated_body_key"),
]  # fmt: skip

ENVELOPE = [
    bad("no custom_id", row(...), "2 error missing_custom_id"),
    bad("a number for a custom_id", row(7), "2 error custom_id_not_text"),
    bad("true for a custom_id", row(True), "2 error custom_id_not_text"),
    bad("null for a custom_id", row(None), "2 error custom_id_not_text"),
    bad("an empty custom_id", row(""), "2 error blank_custom_id"),
    good("a custom_id of 64", row("x" * 64)),
    bad("a custom_id of 65", row("x" * 65), "2 error custom_id_too_long"),
    bad("a custom_id of 66 bytes", row("é" * 33), "2 error custom_id_too_long"),
    good("an accent in a custom_id", row("é")),
    good("other scripts in a custom_id", row("注文 عدد 😀")),
    good("a custom_id of 64 bytes in another script", row("é" * 32)),
    bad("a custom_id of a wide space", row("\u3000"), "2 error blank_custom_id"),
    bad("a line break in a custom_id", row("a\nb"), "2 error control_character_in_custom_id"),
    bad("an escape in a custom_id", row("é\x1b"), "2 error control_character_in_custom_id"),
    bad("a delete character in a custom_id", row("a\x7f"),
        "2 error control_character_in_custom_id"),
    good("a tab in a custom_id", row("a\tb")),
    good("quotes in a custom_id", row('"\\"')),
    bad("a duplicate custom_id", row("first"), "2 error duplicate_custom_id"),
    bad("a duplicate behind an escape", replaced(b'"first"', rb'"\u0066irst"', row("first")),
        "2 error duplicate_custom_id"),
    bad("no method", row(method=...), "2 error missing_method"),
    bad("GET", row(method="GET"), "2 error method_not_post"),
    bad("a list for a method", row(method=["POST"]), "2 error method_not_text"),
    good("post", row(method="post")),
    bad("no url", row(url=...), "2 error missing_url"),
    bad("a slash too many", row(url=CHAT + "/"), "2 error misspelled_url"),
    bad("a whole address", row(url="https://x.invalid" + CHAT), "2 error misspelled_url"),
    bad("a url of no endpoint", row(url="/v1/rerank"), "2 error url_not_allowed"),
    bad("no body", row(body=...), "2 error missing_body"),
    bad("a text for a body", row(body="{}"), "2 error body_not_object"),
    bad("a body as text", row(body=json.dumps(body())), "2 error body_is_text"),
    bad("names of another API", row(..., customId="a", url=..., endpoint=CHAT),
        "2 error misspelled_field"),
    bad("the body's fields beside it", row(body=..., **body()), "2 error fields_beside_body"),
    bad("the model beside the body", row(body=body(model=...), model=MODEL),
        "2 error fields_beside_body"),
    bad("the messages beside the body", row(body={"model": MODEL}, messages=[{}]),
        "2 error input_beside_body"),
    bad("null for a body", row(body=None), "2 error body_not_object"),
    bad("everything wrong at once", row("", method="GET", url="/x", body=[]),
        "2 error blank_custom_id", "2 error method_not_post", "2 error url_not_allowed",
        "2 error body_not_object"),
    good("a field of one's own beside body", row(note=[1])),
    good("a field of the body beside it", row(temperature=0), "2 warning misplaced_field"),
]  # fmt: skip

BODY = [
    bad("no model", row(body=body(model=...)), "2 error missing_model"),
    bad("a number for a model", row(body=body(model=1)), "2 error model_not_text"),
    bad("a blank model", row(body=body(model=" ")), "2 error blank_model"),
    bad("no messages", row(body=body(messages=...)), "2 error missing_messages"),
    bad("a text for messages", row(body=body(messages="hi")), "2 error messages_not_list"),
    bad("no message in messages", row(body=body(messages=[])), "2 error empty_messages"),
    bad("a completion without a prompt", row(url="/v1/completions", body=body(messages=...)),
        "2 error missing_prompt"),
    good("no max_tokens", row(body=body(max_tokens=...)), "0 info no_max_tokens"),
    good("max_tokens true", row(body=body(max_tokens=True)),
         "2 warning bad_max_tokens", "0 info no_max_tokens"),
    good("stream", row(body=body(stream=True)), "2 warning stream"),
    good("several answers", row(body=body(n=3)), "2 warning several_answers"),
    good("a misspelled field", row(body=body(max_token=5)), "2 warning unknown_field"),
    good("a schema that is none",
         row(body=body(response_format={"type": "json_schema", "json_schema": {"name": "x",
             "schema": {"type": "dict"}}})), "2 warning bad_response_format"),
    good("an image over http",
         row(body=body(messages=[{"role": "user", "content": [
             {"type": "image_url", "image_url": {"url": "http://x.invalid/a.png"}}]}])),
         "2 warning http_image"),
    good("a secret", row(body=body("sk-" + "a1B2" * 12)), "2 warning secret"),
    good("a body as in an earlier line", row(body=body("first")), "2 warning identical_body"),
    good("two kinds of requests",
         row(url="/v1/embeddings", body={"model": EMBEDDER, "input": "x"}),
         "0 info mixed_models", "0 info mixed_urls"),
]  # fmt: skip

REASONING = [
    good("an effort", row(body=body(reasoning_effort="minimal"))),
    good("null for an effort", row(body=body(reasoning_effort=None))),
    bad("an unknown effort", row(body=body(reasoning_effort="off")),
        "2 error bad_reasoning_effort"),
    bad("true for an effort", row(body=body(reasoning_effort=True)),
        "2 error bad_reasoning_effort"),
    bad("an effort in capitals", row(body=body(reasoning_effort="Low")),
        "2 error bad_reasoning_effort"),
    bad("fields for a chat template",
        row(body=body(chat_template_kwargs={"enable_thinking": False})),
        "2 error unsupported_reasoning"),
    bad("no fields for a chat template", row(body=body(chat_template_kwargs=None)),
        "2 error unsupported_reasoning"),
    bad("thinking in a chat", row(body=body(thinking={"type": "enabled", "budget_tokens": 9})),
        "2 error unsupported_reasoning"),
    bad("a budget in a chat", row(body=body(thinking_token_budget=100)),
        "2 error unsupported_reasoning"),
    bad("reasoning of the responses API in a chat", row(body=body(reasoning={"effort": "low"})),
        "2 error unsupported_reasoning"),
    bad("two fields for reasoning", row(body=body(thinking=False, reasoning_effort="no")),
        "2 error unsupported_reasoning", "2 error bad_reasoning_effort"),
    good("enable_thinking outside the fields of the template",
        row(body=body(enable_thinking=False)), "2 warning ignored_thinking"),
    good("an effort in the responses API", responses(reasoning={"effort": "max"}),
         "0 info mixed_urls"),
    bad("an unknown effort in the responses API", responses(reasoning={"effort": "deep"}),
        "2 error bad_reasoning_effort"),
    bad("a text for reasoning", responses(reasoning="low"), "2 error bad_reasoning_effort"),
    bad("a list for reasoning", responses(reasoning=[]), "2 error bad_reasoning_effort"),
    bad("reasoning_effort in the responses API", responses(reasoning_effort="low"),
        "2 error unsupported_reasoning"),
    bad("an effort in a completion",
        row(url="/v1/completions",
            body={"model": MODEL, "prompt": "x", "max_tokens": 9, "reasoning_effort": "low"}),
        "2 error unsupported_reasoning"),
    good("thinking in the messages API",
         row(url="/v1/messages", body=body(thinking={"type": "disabled"})),
         "0 info mixed_urls"),
]  # fmt: skip

PICTURE = {"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
TEXT_MODEL = "openai/gpt-oss-20b"
MODELS = [
    bad("a chat with an embedding model", row(body=body(model=EMBEDDER)),
        "2 error wrong_endpoint"),
    bad("an embedding with a chat model",
        row(url="/v1/embeddings", body={"model": MODEL, "input": "x"}),
        "2 error wrong_endpoint"),
    good("an image to a model that reads text alone",
         row(body=body(model=TEXT_MODEL, messages=[{"role": "user", "content": [PICTURE]}])),
         "2 warning model_reads_no_image", "0 info mixed_models"),
    good("a sound to a model that reads text and images",
         row(body=body(messages=[{"role": "user", "content": [SOUND]}])),
         "2 warning model_reads_no_audio"),
    good("a prompt beyond the context of its model",
         row(body=body("a " * 140_000, model=TEXT_MODEL)),
         "2 warning too_long_for_model", "0 info mixed_models"),
    good("texts that fit only one by one",
         row(url="/v1/embeddings", body={"model": EMBEDDER, "input": ["a " * 30_000] * 3}),
         "0 info mixed_models", "0 info mixed_urls"),
    good("more new tokens than the model writes",
         row(body=body(model="Qwen/Qwen3-VL-235B-A22B-Instruct-FP8", max_tokens=20_000)),
         "2 warning too_many_new_tokens", "0 info mixed_models"),
]  # fmt: skip

# What the provider accepts at upload, and every request of which fails when it runs.
WILL_FAIL = [
    good("a temperature in quotes", row(body=body(temperature="0.2")),
         "2 warning quoted_parameter"),
    good("a temperature of 3", row(body=body(temperature=3)), "2 warning bad_parameter"),
    good("five stops", row(body=body(stop=[*".!?;:"])), "2 warning bad_parameter"),
    good("stream in quotes", row(body=body(stream="false")), "2 warning quoted_parameter"),
    good("both limits", row(body=body(max_completion_tokens=9)), "2 warning two_limits"),
    good("an unknown role", row(body=body(messages=[{"role": "usr", "content": "x"}])),
         "2 warning bad_message"),
    good("a text for a message", row(body=body(messages=["x"])), "2 warning bad_message"),
    good("null for a content", row(body=body(messages=[{"role": "user", "content": None}])),
         "2 warning bad_message"),
    good("a blank question", row(body=body(messages=[{"role": "user", "content": " "}])),
         "2 warning blank_question"),
    good("a part of the responses API in a chat",
         row(body=body(messages=[{"role": "user", "content": [
             {"type": "input_text", "text": "x"}]}])), "2 warning bad_part"),
    good("a picture by its path",
         row(body=body(messages=[{"role": "user", "content": [
             {"type": "image_url", "image_url": {"url": "C:\\a.png"}}]}])),
         "2 warning bad_attachment"),
    good("a choice without tools", row(body=body(tool_choice="auto")),
         "2 warning bad_tool_choice"),
    good("no tools in tools", row(body=body(tools=[])), "2 warning bad_tool"),
    good("a limit by the name of another url", row(body=body(max_output_tokens=5)),
         "2 warning field_of_another_endpoint"),
    bad("an input by the name of another url",
        row(url="/v1/embeddings", body={"model": EMBEDDER, "texts": ["x"]}),
        "2 error misnamed_input"),
    good("a blank text to embed",
         row(url="/v1/embeddings", body={"model": EMBEDDER, "input": ["x", ""]}),
         "2 warning bad_input", "0 info mixed_models", "0 info mixed_urls"),
    good("no max_tokens in the messages API",
         row(url="/v1/messages", body=body(max_tokens=...)),
         "2 warning missing_max_tokens", "0 info no_max_tokens", "0 info mixed_urls"),
    good("a strict schema that says nothing of other fields",
         row(body=body(response_format={"type": "json_schema", "json_schema": {
             "name": "x", "strict": True, "schema": {"type": "object"}}})),
         "2 warning strict_schema"),
    good("a marker of the cache on a shared block", row(body=body(messages=marked("ephemeral")))),
    bad("a marker of the cache of an unknown type", row(body=body(messages=marked("session"))),
        "2 error bad_cache_marker"),
    good("a marker of the cache beside the messages",
         row(body=body(cache_control={"type": "ephemeral"})), "2 warning costly_cache_marker"),
]  # fmt: skip

PACKED = [
    Case("gzip", gzip.compress(file(row("a"), row("b")), mtime=0), 2),
    Case("gzip with a finding", gzip.compress(file(row("a"), b"{"), mtime=0), 2,
         ("2 error invalid_json",), valid=False),
    Case("gzip cut short", gzip.compress(file(row("a"), row("b")), mtime=0)[:-9], 2,
         ("0 error gzip_truncated",), valid=False),
    Case("gzip damaged", gzip.compress(file(row("a")), mtime=0)[:-8] + bytes(8), 0,
         ("0 error gzip_damaged",), valid=False),
    Case("gzip in gzip", gzip.compress(gzip.compress(file(row()))), 0,
         ("0 error compressed",), valid=False),
    Case("UTF-16", file(row()).decode().encode("utf-16"), 0, ("0 error utf16",), valid=False),
    Case("a JSON array", b"[" + row() + b"]", 0, ("0 error json_array",), valid=False),
    Case("a table", b"id,prompt\n1,hello\n", 0, ("0 error csv",), valid=False),
]  # fmt: skip

MESSAGE = {"role": "user", "content": "Hi"}
FORMATS = [
    bad("Anthropic", line({"custom_id": "a", "params": body()}), "2 error anthropic_batch"),
    bad("Mistral", line({"custom_id": "a", "body": {"messages": [MESSAGE]}}),
        "2 error no_method_and_url"),
    bad("a body alone", line(body()), "2 error bare_bodies"),
    bad("Vertex", line({"key": "a", "request": {"contents": [{"parts": [{"text": "Hi"}]}]}}),
        "2 error vertex_batch"),
    bad("Vertex with a file", line({"request": {"contents": [{"parts": [{"fileData": {}}]}]}}),
        "2 error vertex_batch", "2 error not_convertible"),
    bad("Bedrock", line({"recordId": "a", "modelInput": {"prompt": "Hi"}}),
        "2 error bedrock_batch"),
    bad("fine-tuning", line({"messages": [MESSAGE, {"role": "assistant", "content": "Hi"}]}),
        "2 error fine_tuning"),
    bad("a result", line({"id": "1", "custom_id": "a", "response": {"status_code": 200}}),
        "2 error output_file"),
    Case("a format is named once",
         file(*(line({"custom_id": name, "params": body()}) for name in "abcdefghi")), 9,
         ("1 error anthropic_batch",), valid=False, totals={"anthropic_batch": 9}),
]  # fmt: skip

CASES = [*SHAPE, *JSON, *ENVELOPE, *BODY, *REASONING, *MODELS, *WILL_FAIL, *FORMATS, *PACKED]
