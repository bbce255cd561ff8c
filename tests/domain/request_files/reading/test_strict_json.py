"""Lines of JSON that are hostile to the reader itself."""

import sys
import tracemalloc
from collections.abc import Callable

import pytest

from batchapp.domain.request_files.fast import line_layout
from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.reading import strict_json

MIB = 1024 * 1024


def code_of(data: bytes) -> str:
    finding = strict_json.read_object(data, explain=True)
    assert isinstance(finding, RequestFinding)
    return finding.code


def with_a_deep_stack(frames: int, call: Callable[[], str]) -> str:
    return with_a_deep_stack(frames - 1, call) if frames else call()


@pytest.mark.parametrize("depth", [200, 700, 5_000])
def test_a_broken_line_is_told_alike_however_much_stack_is_left(depth: int) -> None:
    line = b'{"body":' + b"[" * depth + b"nonsense"
    frames = sys.getrecursionlimit() // 2

    assert code_of(line) == "too_deep"
    assert with_a_deep_stack(frames, lambda: code_of(line)) == "too_deep"


def test_brackets_within_texts_are_no_levels() -> None:
    assert code_of(b'{"body": "' + b"[" * 1_000 + b'", nonsense}') == "invalid_json"


def test_a_text_of_escaped_quotes_needs_no_memory_of_its_own() -> None:
    text = b'"' + b'\\"' * 4 * MIB + b'"'
    field = b'"content": ' + text

    tracemalloc.start()
    try:
        assert strict_json.TEXT.fullmatch(text)
        assert line_layout.TEXT.fullmatch(field)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < MIB
