"""What the check measures of the prompts that the requests of a file share."""

from typing import Any

import msgspec
import pytest

from batchapp.domain.prompt_cache import prefix_tree
from batchapp.domain.request_files.check_file import Limits, Report
from tests.domain.prompt_cache.prompts import EXACT, MARKER, MODEL, facts, request, text
from tests.domain.request_lines import LIMITS, check_bytes, make_body, make_file, make_line


def test_a_system_prompt_of_all_requests_is_measured_to_the_token():
    lines = [request(n, text("rules"), f"Question {n}") for n in range(200)]

    (shared,) = facts(*lines).shared

    assert (shared.requests, shared.tokens) == (200, EXACT(text("rules")))
    assert shared.added == shared.tokens
    assert shared.early == [1, 2, 4, 8, 16, 32, 64, 128]
    assert facts(*lines).repeated_tokens == 199 * shared.tokens


@pytest.mark.parametrize("is_sorted", [True, False])
def test_each_of_twenty_system_prompts_is_counted(is_sorted):
    pairs = [(group, n) for n in range(10) for group in range(20)]
    pairs = sorted(pairs) if is_sorted else pairs
    lines = [request(100 * g + n, text(f"{g}"), f"Question {n}") for g, n in pairs]

    shared = facts(*lines).shared

    assert sorted(row.tokens for row in shared) == sorted(EXACT(text(f"{g}")) for g in range(20))
    assert {row.requests for row in shared} == {10}
    assert {row.early[3] for row in shared} == {8 if is_sorted else 1}


def test_a_document_behind_a_system_prompt_is_a_longer_shared_prompt():
    def content(document: int, n: int) -> list[dict[str, Any]]:
        return [{"type": "text", "text": row} for row in (text(f"d{document}"), f"Question {n}")]

    lines = [request(10 * d + n, text("rules"), content(d, n)) for d in range(3) for n in range(4)]

    rules, *documents = facts(*lines).shared

    assert (rules.requests, rules.tokens, rules.parent) == (12, EXACT(text("rules")), -1)
    assert [(row.requests, row.parent) for row in documents] == [(4, 0)] * 3
    assert all(row.tokens == rules.tokens + row.added for row in documents)
    assert {row.added for row in documents} == {EXACT(text(f"d{d}")) for d in range(3)}


def test_tools_and_examples_before_the_question_belong_to_the_prompt():
    tools = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    examples = [text("rules", 50), "Is it late?", "Yes.", "Is it lost?", "No."]
    lines = [request(n, *examples, f"Question {n}", tools=tools) for n in range(5)]

    (shared,) = facts(*lines).shared

    sizes = [request(0, "Rules", "Question"), request(0, "Rules", "Question", tools=tools)]
    plain, with_tools = (check_bytes(row).models[MODEL].input_tokens for row in sizes)
    assert shared.requests == 5
    # Without a system text, the template opens a message for the tools.
    written = sum(map(EXACT, examples)) + with_tools - plain
    assert written <= shared.tokens <= written + 5


def test_the_last_block_is_no_shared_prompt_even_where_all_requests_are_equal():
    lines = [request(n, text("rules", 20), "Question") for n in range(5)]

    (shared,) = facts(*lines).shared

    assert (shared.requests, shared.tokens) == (5, EXACT(text("rules", 20)))


def test_prompts_that_differ_by_one_space_are_not_the_same():
    lines = [request(n, "Rules" + " " * (n % 2), f"Question {n}") for n in range(10)]

    assert [row.requests for row in facts(*lines).shared] == [5, 5]


@pytest.mark.parametrize(
    "lines",
    [
        [request(1, text("rules"), "Question")],
        [make_line(url="/v1/responses", body={"model": MODEL, "input": "Hi"})] * 2,
        [make_line(body=make_body(model=MODEL))] * 2,
    ],
)
def test_a_single_request_and_other_endpoints_share_nothing(lines):
    assert not check_bytes(make_file(*lines)).prompts


def test_each_model_has_its_own_prompts():
    lines = [request(n, "Rules", f"{n}", model="ab"[n % 2]) for n in range(10)]

    prompts = check_bytes(make_file(*lines)).prompts

    assert {model: row.shared[0].requests for model, row in prompts.items()} == {"a": 5, "b": 5}


def test_a_provider_without_markers_is_not_measured():
    lines = [request(n, "Rules", f"Question {n}") for n in range(3)]

    report = check_bytes(make_file(*lines), Limits(max_bytes=10**6, reads_cache_markers=False))

    assert not report.prompts


def test_markers_are_counted_at_the_prompts_they_end():
    block = [{"type": "text", "text": text("rules")} | MARKER]
    lines = [request(n, block, f"Question {n}") for n in range(10)]

    row = facts(*lines)

    assert row.marked == 10
    assert row.shared[0].marked == {"5m": 10}
    assert not row.unshared


def test_the_whole_prompt_is_written_for_a_marker_on_the_last_block():
    lines = [request(n, text("rules"), f"Question {n}", **MARKER) for n in range(10)]
    report = check_bytes(make_file(*lines))

    row = report.prompts[MODEL]

    assert row.unshared == {"5m": report.models[MODEL].input_tokens}
    assert row.unshared_requests == 10


def test_a_marked_prompt_too_short_for_the_cache_is_a_note_of_the_file():
    def lines(words: int) -> list[bytes]:
        block = [{"type": "text", "text": "word " * words} | MARKER]
        return [request(n, block, f"Question {n}") for n in range(3)]

    assert check_bytes(make_file(*lines(900))).finding_totals == {"short_cached_prompt": 3}
    assert not check_bytes(make_file(*lines(1_100))).finding_totals


def test_a_marked_prompt_is_too_short_by_the_price_of_its_model_where_that_says_it():
    def check(words: int, least: dict[str, int | None]) -> dict[str, int]:
        block = [{"type": "text", "text": "word " * words} | MARKER]
        lines = [request(n, block, f"Question {n}") for n in range(3)]
        limits = msgspec.structs.replace(LIMITS, min_cached_by_model=least)
        report = check_bytes(make_file(*lines), limits)
        assert all(f"{least.get(MODEL):,} tokens" in row.message for row in report.findings)
        return report.finding_totals

    assert not check(900, {MODEL: 512})
    assert not check(900, {"*": 512})
    assert check(1_100, {MODEL: 2_048, "*": 512}) == {"short_cached_prompt": 3}
    assert not check(1_100, {MODEL: None, "*": 2_048})


def test_many_prompts_of_one_request_each_are_forgotten(monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_NODES", 64)
    monkeypatch.setattr(prefix_tree, "CLOSED_CHILDREN", 16)
    lines = [request(n, f"Rules {n}", f"Question {n}") for n in range(500)]

    assert not facts(*lines).shared


def test_groups_that_come_after_many_single_prompts_are_still_counted(monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_NODES", 64)
    lines = [request(n, f"Rules {n}", "Question") for n in range(500)]
    lines += [request(500 + n, "Rules", f"Question {n}") for n in range(50)]

    row = facts(*lines)

    assert [shared.requests for shared in row.shared] == [50]
    assert row.is_partial


def test_different_prompts_without_end_need_bounded_memory(monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_NODES", 200)
    monkeypatch.setattr(prefix_tree, "CLOSED_CHILDREN", 1_000)  # nothing is given up early
    tree = prefix_tree.PrefixTree()
    for number in range(5_000):
        block = prefix_tree.Block("system", f"Rules {number}")
        tree.add(prefix_tree.PromptStart("u", "m", (block,)), "", number, 100)
        assert number % 500 or len(list(prefix_tree.walk(tree.roots["u", "m"]))) <= 201

    (root,) = tree.roots.values()
    assert sum(node.requests for node in prefix_tree.walk(root)) == 5_000


def test_a_report_stored_before_prompts_were_measured_is_still_read():
    stored = msgspec.to_builtins(check_bytes(make_file(make_line())))
    del stored["prompts"]

    assert msgspec.convert(stored, Report).prompts == {}


def test_hostile_blocks_break_nothing():
    odd: list[Any] = [
        [{"type": "text", "text": "\0\u202e<b>"} | MARKER, {"type": "text"}, {"x": MARKER}],
        [{"type": "image_url", "image_url": {"url": "data:,"}}],
        "=cmd()" * 1_000,
    ]
    lines = [request(n, odd[n % 3], f"Question {n}") for n in range(9)]

    assert check_bytes(make_file(*lines)).requests == 9
