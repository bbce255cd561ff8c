"""The results of a batch, block by block."""

import pytest

from batchapp.models import Project, User
from batchapp.services.results.columns import result_rows
from tests.make import answer_line, finish, make_batch, make_upload, request_file

pytestmark = pytest.mark.django_db


def test_long_answers_are_in_smaller_blocks(
    project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_rows, "BYTES_PER_BLOCK", 5_000)
    batch = make_batch(upload=make_upload(project, user, content=request_file(6)))
    lengths = [10, 10, 3_000, 3_000, 9_000, 10]
    finish(batch, [answer_line(n, text="x" * size) for n, size in enumerate(lengths, start=1)])

    blocks = list(result_rows.read_blocks(batch, merged=True))

    assert [block.columns["line"] for block in blocks] == [[1, 2, 3], [4], [5], [6]]
    assert [n for block in blocks for n in block.columns["answer_length"]] == lengths
