"""Line templates give each line the same report as a check of that line alone."""

import json
from random import Random

import pytest

from batchapp.domain.request_files.check_lines import check_block, check_line
from batchapp.domain.request_files.fast.line_templates import LineTemplates
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.reading.lines import Block
from batchapp.domain.request_files.rules.request_line import check_request_line
from tests.domain.request_lines import LIMITS, make_line
from tests.fuzz.check_lines import mutated

QWEN = "Qwen/Qwen3-14B-FP8"
MODELS = (QWEN, "Qwen/Qwen3.5-9B", "Qwen/Qwen3-VL-8B-Instruct", "openai/gpt-oss-20b", "unknown")
# Texts that a template, a tokenizer or a check may treat in a special way.
TEXTS = (
    *("", " ", "a", "b", "\n Hi ", '"', "\\", '\\"', "custom_id", "é", "文😀", "\u2028", "\x7f"),
    *("<|im_end|>", "</think>", "<tool_response>\nx\n</tool_response>", "data:,;base64,"),
    *('"model": "m"', "{[" * 99, "x" * 70_000, "sk-" + "aB3" * 16, "key: value\n" * 9),
)
IDS = ("a", "b", "r 2", "", " ", "é", '"', "\\", "\t", "x" * 64, "x" * 65, "POST", "custom_id")
EXTRA = ({}, {"max_tokens": 5}, {"n": 2}, {"tools": []}, {"metadata": {"custom_id": "a"}})
# Replacements of bytes in an encoded line.
CHANGES: tuple[tuple[bytes, bytes], ...] = (
    *((b"{", b" {"), (b"{", b"\xef\xbb\xbf{"), (b"{", b"\xc2\xa0{"), (b": ", b":")),
    *((b"}]", b"}] "), (b"}}", b"}}\r"), (b"}}", b"},\r}"), (b"}}", b"}"), (b"}}", b"}}}")),
    *((b'"POST"', b'"GET"'), (b'"user"', b'"assistant"'), (b'"user"', b'"system"')),
    *((b'"Hi"', b'"\\ud800"'), (b'"Hi"', b'"\xff"'), (b'"Hi"', b'"H\ti"'), (b'"Hi"', b'"H\\i"')),
    *((b'"Hi"', b'"Hi", "content": "a"'), (b'"Hi"', b'"a", "content": "Hi"'), (b'"Hi"', b"null")),
    *((b'"custom_id"', b'"custom_id": "b", "custom_id"'), (b'"body"', b'"body": {}, "body"')),
    *((b"{", b'{"note": {"custom_id": "z"}, '), (b', "stream"', b', "user": "Hi", "stream"')),
    *((b'"stream": false', b'"stream": true'), (b'"stream": false', b'"zzz": 1, "model": "m"')),
)


def make_lines(chance: Random) -> list[bytes]:
    """Make lines that mostly share a line template, and some that nearly do."""
    model, extra = chance.choice(MODELS), chance.choice(EXTRA)
    system = chance.choice([None, "Be brief.", *TEXTS])
    is_ascii, is_last = chance.random() < 0.5, chance.random() < 0.1
    common = chance.choice(CHANGES) if chance.random() < 0.4 else (b"", b"")
    lines: list[bytes] = []
    for number in range(12):
        text = chance.choice([f"Question {number}", "Hi", *TEXTS])
        messages = [{"role": "user", "content": text}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        body = {"model": model, "messages": messages, "stream": False, **extra}
        custom_id = chance.choice(IDS) if chance.random() < 0.2 else f"r-{number}"
        fields = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions"}
        fields["body"] = body
        if is_last:
            fields["custom_id"] = fields.pop("custom_id")
        line = json.dumps(fields, ensure_ascii=is_ascii).encode().replace(*common, 1)
        if chance.random() < 0.15:
            line = line.replace(*chance.choice(CHANGES), 1)
        if chance.random() < 0.15:
            line = mutated(chance, line, lines[-1] if lines else line)
        lines += line.split(b"\n")
    return lines


def check_alone(line: bytes) -> LineReport:
    return check_line(line, len(line), LIMITS)[0]


@pytest.mark.parametrize("seed", range(8))
def test_a_line_among_others_has_the_same_report_as_alone(seed):
    for number in range(60):
        lines = make_lines(Random(f"{seed}/{number}"))
        data = b"".join(line + b"\n" for line in lines)

        assert check_block(Block(data), LIMITS) == [check_alone(line) for line in lines]


@pytest.mark.parametrize("system", ["a", "b", "the same"])
@pytest.mark.parametrize("question", ["a", "b", "the same"])
@pytest.mark.parametrize("custom_id", ["a", "b", "the same"])
def test_texts_that_are_alike_are_told_apart(custom_id, question, system):
    def line(*texts: str) -> bytes:
        roles = zip(("system", "user"), texts[1:], strict=True)
        messages = [{"role": role, "content": text} for role, text in roles]
        return make_line(custom_id=texts[0], body={"model": QWEN, "messages": messages})

    lines = [line(custom_id, question, system), line("c", question, "x"), line("d", "y", "zz z")]
    data = b"".join(line + b"\n" for line in lines)

    assert check_block(Block(data), LIMITS) == [check_alone(line) for line in lines]


@pytest.mark.parametrize(
    ("old", "first", "second"),
    [
        (b"{", b'{"note": {"custom_id": "y"}, ', b'{"note": {"custom_id": "z"}, '),
        (b'"Hi"', b'"Hi", "name": "Hi"', b'"Hi", "name": "Hello there"'),
        (b'"Hi"', b'"Hi", "content": "Hi"', b'"Hi there, you", "content": "Hi"'),
    ],
)
def test_texts_that_only_look_like_a_custom_id_or_a_question_are_neither(old, first, second):
    body = {"model": QWEN, "messages": [{"role": "user", "content": "Hi"}]}
    lines = [make_line(body=body).replace(old, new, 1) for new in (first, first, second, second)]

    assert check_block(Block(b"".join(line + b"\n" for line in lines)), LIMITS) == [
        check_alone(line) for line in lines
    ]


def test_lines_that_differ_in_custom_id_and_question_alone_are_checked_by_a_line_template():
    def line(number: int) -> bytes:
        messages = [{"role": "user", "content": f'"{number}"?'}]
        return make_line(custom_id=f"r-{number}", body={"model": QWEN, "messages": messages})

    templates = LineTemplates(LIMITS)
    row = check_request_line(line(1), LIMITS)
    templates.learn(line(1), row, check_alone(line(1)))

    assert templates.check(line(234)) == check_alone(line(234))
    assert templates.check(line(5).replace(b"POST", b"GET")) is None
