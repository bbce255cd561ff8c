"""Line templates give each line the same report as a check of that line alone."""

import json
from collections import Counter
from random import Random

import msgspec
import pytest

from batchapp.domain.prompt_cache import blocks
from batchapp.domain.request_files.check_lines import check_line
from batchapp.domain.request_files.fast.answer_sample import READ_EVERY, AnswerSample
from batchapp.domain.request_files.fast.counted_blocks import check_blocks
from batchapp.domain.request_files.fast.line_templates import MAX_INSTRUCTIONS, LineTemplates
from batchapp.domain.request_files.line_report import LineReport, count_tokens
from batchapp.domain.request_files.reading.lines import Block
from tests.domain.request_lines import LIMITS, make_line
from tests.fuzz.check_lines import mutated

QWEN = "Qwen/Qwen3-14B-FP8"
MODELS = (
    *(QWEN, QWEN, "Qwen/Qwen3.5-9B", "Qwen/Qwen3-VL-8B-Instruct", "openai/gpt-oss-20b"),
    *("Qwen/Qwen3-Embedding-8B", "unknown"),
)
# Texts that a template, a tokenizer or a check may treat in a special way.
TEXTS = (
    *("", " ", "a", "b", "\n Hi ", '"', "\\", '\\"', "custom_id", "é", "文😀", "\u2028", "\x7f"),
    *("<|im_end|>", "</think>", "<tool_response>\nx\n</tool_response>", "data:,;base64,"),
    *('"model": "m"', "{[" * 99, "x" * 70_000, "sk-" + "aB3" * 16, "key: value\n" * 9),
)
URLS = (
    *[("/v1/chat/completions", "messages")] * 5,
    *(("/v1/completions", "prompt"), ("/v1/embeddings", "input"), ("/v1/responses", "input")),
)
IDS = (
    *("a", "b", "r 2", "", " ", '"', "\\", "\t", "x" * 64, "x" * 65, "POST", "custom_id"),
    *("é", "注文 1", "\u3000", "\u2028x", "é" * 32, "é" * 33, "\x7f", "é\x7f"),
)
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
    url, field = chance.choice(URLS)
    earlier = chance.choice([[], [], ["assistant", "user"], ["tool"], ["user"], ["assistant"]])
    own_system = chance.random() < 0.3
    is_ascii, is_last = chance.random() < 0.5, chance.random() < 0.1
    common = chance.choice(CHANGES) if chance.random() < 0.4 else (b"", b"")
    lines: list[bytes] = []
    for number in range(12):
        text = chance.choice([f"Question {number}", "Hi", *TEXTS])
        messages = [{"role": "user", "content": text}]
        for role in earlier if chance.random() < 0.8 else earlier[:1]:
            other = chance.choice([f"Text {number}", text, *TEXTS])
            messages.insert(0, {"role": role, "content": other})
        if system is not None:
            own = chance.choice([system, system, *TEXTS]) if own_system else system
            messages.insert(0, {"role": "system", "content": own})
        inputs = {"messages": messages, "prompt": text, "input": text}
        body = {"model": model, field: inputs[field], "stream": False, **extra}
        custom_id = chance.choice(IDS) if chance.random() < 0.2 else f"r-{number}"
        fields = {"custom_id": custom_id, "method": "POST", "url": url}
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


def report_alone(line: bytes) -> LineReport:
    return check_line(line, len(line), LIMITS)[0]


def report_together(lines: list[bytes]) -> list[LineReport]:
    [(_, line_reports)] = check_blocks([Block(b"".join(line + b"\n" for line in lines))], LIMITS)
    return line_reports


def check_alone(line: bytes) -> LineReport:
    return without_start(report_alone(line))


def check_together(lines: list[bytes]) -> list[LineReport]:
    return [without_start(line_report) for line_report in report_together(lines)]


def without_start(line_report: LineReport) -> LineReport:
    """Leave out the start of the prompt, which the lines of a template have together."""
    return msgspec.structs.replace(line_report, prompt_start=None, own_text="")


def start_blocks(line_report: LineReport) -> list[blocks.Block]:
    start = line_report.prompt_start
    return [*start.blocks, *start.read_further(line_report.own_text)] if start else []


@pytest.mark.parametrize("seed", range(8))
def test_a_line_among_others_has_the_same_report_as_alone(seed):
    for number in range(60):
        lines = make_lines(Random(f"{seed}/{number}"))

        assert check_together(lines) == [check_alone(line) for line in lines]


@pytest.mark.parametrize("seed", range(2))
def test_a_line_among_others_begins_its_prompt_as_alone(seed):
    for number in range(60):
        lines = make_lines(Random(f"{seed}/{number}"))

        for line, line_report in zip(lines, report_together(lines), strict=True):
            start, alone = start_blocks(line_report), start_blocks(report_alone(line))
            assert start == alone[: len(start)]
            assert bool(start) == bool(alone)


@pytest.mark.parametrize("system", ["a", "b", "the same"])
@pytest.mark.parametrize("question", ["a", "b", "the same"])
@pytest.mark.parametrize("custom_id", ["a", "b", "the same"])
def test_texts_that_are_alike_are_told_apart(custom_id, question, system):
    def line(*texts: str) -> bytes:
        roles = zip(("system", "user"), texts[1:], strict=True)
        messages = [{"role": role, "content": text} for role, text in roles]
        return make_line(custom_id=texts[0], body={"model": QWEN, "messages": messages})

    lines = [line(custom_id, question, system), line("c", question, "x"), line("d", "y", "zz z")]

    assert check_together(lines) == [check_alone(line) for line in lines]


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

    assert check_together(lines) == [check_alone(line) for line in lines]


def make_chat(number: int) -> bytes:
    """Make a line with a system prompt and turns of its own."""
    roles = ("system", "user", "assistant", "user")
    messages = [{"role": role, "content": f'"{role} {number}"?'} for role in roles]
    return make_line(custom_id=f"r-{number}", body={"model": QWEN, "messages": messages})


def make_embedding(number: int) -> bytes:
    body = {"model": "Qwen/Qwen3-Embedding-8B", "input": f"Text {number}"}
    return make_line(custom_id=f"r-{number}", url="/v1/embeddings", body=body)


def make_order(number: int) -> bytes:
    """Make a line with a custom_id in another script, written as it is."""
    body = {"model": QWEN, "messages": [{"role": "user", "content": f"Order {number}"}]}
    request = json.loads(make_line(custom_id=f"注文 {number}", body=body))
    return json.dumps(request, ensure_ascii=False).encode()


@pytest.mark.parametrize("make", [make_chat, make_embedding, make_order])
def test_lines_that_differ_in_custom_id_and_texts_alone_are_checked_by_a_line_template(make):
    templates = LineTemplates(LIMITS)
    line_report, row = check_line(make(1), len(make(1)), LIMITS, answers=AnswerSample())
    templates.learn(make(1), row, line_report)

    line_report = templates.check(make(234))
    count_tokens([line_report])

    assert without_start(line_report) == check_alone(make(234))
    assert templates.check(make(5).replace(b"POST", b"GET")) is None


def test_a_conversation_of_any_length_has_a_template_soon():
    def line(number: int) -> bytes:
        roles = ["user", "assistant"] * (number % 3) + ["user"]
        messages = [{"role": role, "content": f"Text {number}"} for role in roles]
        return make_line(custom_id=f"r-{number}", body={"model": QWEN, "messages": messages})

    templates = LineTemplates(LIMITS)
    misses = 0
    for number in range(60):
        if templates.check(line(number)) is None:
            misses += 1
            data = line(number)
            templates.learn(
                data, *reversed(check_line(data, len(data), LIMITS, answers=AnswerSample()))
            )

    assert misses < 12


def test_the_answers_that_lines_ask_for_are_read_from_their_texts_from_time_to_time():
    def make(number):
        question = "Answer yes or no." if number < 2_000 else "Answer in two sentences."
        messages = [{"role": "user", "content": f"Is {number} prime? {question}"}]
        body = {"model": QWEN, "messages": messages, "max_tokens": 50}
        return make_line(custom_id=f"r{number}", body=body)

    block = Block(b"\n".join(make(number) for number in range(4_000)))

    [(_, line_reports)] = check_blocks([block], LIMITS)

    words = Counter(line_report.common.expectation.length.words for line_report in line_reports)
    assert words.keys() == {"yes or no", "2 sentences"}
    assert words["yes or no"] == pytest.approx(2_000, abs=READ_EVERY)


def learn(templates: LineTemplates, data: bytes) -> LineReport:
    line_report, row = check_line(data, len(data), LIMITS, answers=AnswerSample())
    templates.learn(data, row, line_report)
    return line_report


def test_a_template_is_kept_for_the_blocks_after_it_while_their_lines_fit():
    templates = LineTemplates(LIMITS)
    learn(templates, make_chat(1))

    for number in range(2, 5):
        templates.start_block()
        assert templates.check(make_chat(number))
    for _ in range(2):
        templates.start_block()

    assert templates.check(make_chat(5)) is None


def test_a_report_whose_tokens_are_counted_meanwhile_changes_no_template():
    def line(number: int) -> bytes:
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Text {number}"},
        ]
        return make_line(custom_id=f"r-{number}", body={"model": QWEN, "messages": messages})

    templates = LineTemplates(LIMITS)
    learn(templates, line(1)).input_tokens += 7
    templates.check(line(2))

    line_report = templates.check(line(3))
    count_tokens([line_report])

    assert without_start(line_report) == check_alone(line(3))


def test_the_answers_that_instructions_of_their_own_ask_for_are_read_from_time_to_time():
    def line(number: int) -> bytes:
        system = f"Case {number}. Answer in {20 if number < READ_EVERY else 50} words."
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": f"{number}"},
        ]
        return make_line(custom_id=f"r-{number}", body={"model": QWEN, "messages": messages})

    line_reports = report_together([line(number) for number in range(3 * READ_EVERY)])

    words = Counter(line_report.common.expectation.length.words for line_report in line_reports)
    assert words["50 words"] == pytest.approx(2 * READ_EVERY, abs=5)


def test_shapes_are_read_until_a_template_has_many_instructions():
    """A file counts the first shapes of a model alone."""
    systems = [f"System {number}" for number in range(MAX_INSTRUCTIONS + 6)]
    systems += [systems[3], systems[-1]]
    lines = [
        make_line(
            custom_id=f"r-{number}",
            body={
                "model": QWEN,
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": f"Question {number}"},
                ],
            },
        )
        for number, system in enumerate(systems)
    ]

    shapes = [line_report.shape for line_report in report_together(lines)]

    alone = [report_alone(line).shape for line in lines]
    known = [number for number, shape in enumerate(shapes) if shape]
    assert all(shapes[number] == alone[number] for number in known)
    assert MAX_INSTRUCTIONS <= len({shapes[number] for number in known}) < len(set(systems))
    assert shapes[-2] == alone[3]
    assert shapes[-1] == ""
