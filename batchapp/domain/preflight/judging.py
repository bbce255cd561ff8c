"""All that can be said of a line by itself, so that lines can be judged in any order."""

from collections.abc import Iterator

import msgspec

from batchapp.domain.preflight import lines, rows, rules, shapes, sniff
from batchapp.domain.preflight.faults import FAULTS_KEPT_PER_CODE
from batchapp.domain.preflight.limits import Limits
from batchapp.domain.tokens import counting

NO_LIMIT = -1


class Judged(msgspec.Struct, array_like=True, gc=False):
    """What becomes of one line, whatever the others are.

    ``is_request`` is false of a blank line, and of one that cannot be read; what follows it in
    the list is of a request without errors only. ``body`` is a hash that holds in this process and
    in its forks; ``limit`` is ``NO_LIMIT`` where nothing bounds the answer.
    """

    length: int
    is_blank: bool = False
    is_request: bool = False
    has_mark: bool = False
    has_error: bool = True
    custom_id: str = ""
    findings: list[rules.Finding] = []
    body: int = 0
    has_return: bool = False
    url: str = ""
    model: str = ""
    input_tokens: int = 0
    attachments: int = 0
    assumed: int = 0
    is_exact: bool = False
    expected: int = 0
    limit: int = NO_LIMIT
    shape: str = ""


def judge_block(block: lines.Block, limits: Limits) -> list[Judged]:
    """Every line of ``block``. Broken JSON has its sentence as often as such faults are kept."""
    return list(_judge_all(block, limits))


def _judge_all(block: lines.Block, limits: Limits) -> Iterator[Judged]:
    unexplained = FAULTS_KEPT_PER_CODE
    for data, length in block.lines():
        judged = judge(data, length, limits, explain=unexplained > 0)
        unexplained -= not (judged.is_request or judged.is_blank)
        yield judged


def judge(data: bytes, length: int, limits: Limits, *, explain: bool = True) -> Judged:
    """A line of ``length`` bytes; ``data`` needs no more of them than can be held."""
    if length > limits.longest_line:
        data = data[: limits.longest_line]
    has_mark = data.startswith(sniff.BOM)
    data = lines.trimmed(data.removeprefix(sniff.BOM) if has_mark else data)
    if not data:
        return Judged(length, is_blank=True, has_mark=has_mark)
    if length > limits.longest_line:
        row = rows.too_long(data, length, limits)
    else:
        row = rows.examine(data, limits, explain=explain)
    request = row.request
    if request is None or row.has_error:
        return Judged(
            length,
            is_request=request is not None,
            has_mark=has_mark,
            custom_id=row.custom_id,
            findings=row.findings,
        )
    body, url = request["body"], request["url"]
    size = counting.measure(body, url)
    output = counting.output(body, url, size.tokens)
    return Judged(
        length,
        False,  # noqa: FBT003  # by position: it is done for every line
        True,  # noqa: FBT003
        has_mark,
        False,  # noqa: FBT003
        row.custom_id,
        row.findings,
        hash(row.body),
        b"\r" in data,
        url,
        body["model"],
        size.tokens,
        size.attachments,
        size.assumed,
        size.is_exact,
        output.expected,
        NO_LIMIT if output.limit is None else output.limit,
        "" if url == "/v1/embeddings" else shapes.shape(body, url),
    )
