"""Check blocks, and count the tokens of checked blocks in threads beside it.

Gain: on two processors, the tokens of a 200 MB file are counted within the time that its check
takes anyway; one after the other takes nearly twice as long.

Only one thread runs Python at a time, but the tokenizer lets the others run while it counts. A
whole block is counted by one call, because a thread may wait some milliseconds for its next turn.
A block that may have secrets or requests too long for their model is checked line by line.
"""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice

from batchapp.domain.request_files.check_lines import check_block, check_block_thoroughly
from batchapp.domain.request_files.fast.line_templates import LineTemplates
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import LineReport, count_tokens
from batchapp.domain.request_files.reading.lines import Block
from batchapp.domain.request_files.rules.request_warnings import find_secret

THREADS = 2  # that count; with the checking thread they keep two processors busy

# Bytes of a block that is searched for secrets as a whole. That loads numpy, which takes longer
# than the search of fewer lines one by one.
MIN_BLOCK_BYTES = 256 * 1024

# Blocks that wait to be counted are bounded in bytes, because a single line may have megabytes.
MAX_WAITING_BYTES = 8 * 1024 * 1024

Task = tuple[Block, list[LineReport], Future[bool]]


def check_blocks(
    blocks: Iterable[Block], limits: Limits
) -> Generator[tuple[Block, list[LineReport]], None, None]:
    """Yield every block with its line reports, in the order of ``blocks``.

    A file of one block is counted at once: for most files, to start threads takes longer.
    """
    rest = iter(blocks)
    first_two = list(islice(rest, 2))
    if len(first_two) < 2:
        templates = LineTemplates(limits)
        for block in first_two:
            line_reports = _check(block, limits, templates)
            yield _finish(block, line_reports, limits, has_long=_count(line_reports))
        return
    yield from _check_beside_threads(chain(first_two, rest), limits)


def _check_beside_threads(
    blocks: Iterable[Block], limits: Limits
) -> Generator[tuple[Block, list[LineReport]], None, None]:
    executor = ThreadPoolExecutor(THREADS, "count-tokens")
    templates = LineTemplates(limits)
    tasks: deque[Task] = deque()
    waiting_bytes = 0
    try:
        for block in blocks:
            line_reports = _check(block, limits, templates)
            tasks.append((block, line_reports, executor.submit(_count, line_reports)))
            waiting_bytes += len(block.data)
            while tasks and (waiting_bytes > MAX_WAITING_BYTES or tasks[0][2].done()):
                waiting_bytes -= len(tasks[0][0].data)
                yield _finish_task(tasks.popleft(), limits)
        while tasks:
            yield _finish_task(tasks.popleft(), limits)
    finally:
        executor.shutdown(cancel_futures=True)


def _check(block: Block, limits: Limits, templates: LineTemplates) -> list[LineReport]:
    if _may_have_secret(block):
        return check_block_thoroughly(block, limits)
    return check_block(block, limits, templates)


def _may_have_secret(block: Block) -> bool:
    if block.length:  # a single line, which fits no template
        return False
    if len(block.data) < MIN_BLOCK_BYTES:
        return any(find_secret(line) for line, _ in block.lines())
    from batchapp.domain.request_files.fast.secret_search import may_have_secret  # noqa: PLC0415

    return may_have_secret(block.data)


def _count(line_reports: list[LineReport]) -> bool:
    """Count the tokens of ``line_reports``; return True if a request may be too long."""
    count_tokens(line_reports)
    return any(row.input_tokens > row.common.most_tokens for row in line_reports)


def _finish_task(task: Task, limits: Limits) -> tuple[Block, list[LineReport]]:
    block, line_reports, has_long = task
    return _finish(block, line_reports, limits, has_long=has_long.result())


def _finish(
    block: Block, line_reports: list[LineReport], limits: Limits, *, has_long: bool
) -> tuple[Block, list[LineReport]]:
    return block, check_block_thoroughly(block, limits) if has_long else line_reports
