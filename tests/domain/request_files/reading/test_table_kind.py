"""Tables and files of requests are told apart by their first bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.request_files.reading.table_kind import (
    TableKind,
    decode_head,
    find_table_kind,
    has_requests,
    looks_like_table,
)

REQUEST = {
    "custom_id": "1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "m", "messages": [{"role": "user", "content": "{Hi}"}]},
}
TRACE = {"id": "1", "input": {"question": 'Why "so"?'}, "expectedOutput": {"answer": "\\"}}
LINES, ARRAY = TableKind.JSON_LINES, TableKind.JSON_ARRAY


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("id,text\n1,a\n", TableKind.TEXT),
        ("\ufeffid;text\r\n1;a", TableKind.TEXT),
        ("id\ttext\r1\ta", TableKind.TEXT),
        ("sep=|\nid|text\n", TableKind.TEXT),
        ("[id],[text]\n1,a\n", TableKind.TEXT),
        ("{id},{text}\n1,a\n", TableKind.TEXT),
        (json.dumps(TRACE) + "\n" + json.dumps(TRACE), LINES),
        ("\n" + json.dumps(TRACE, indent=2), LINES),
        (json.dumps([TRACE, TRACE], indent=1), ARRAY),
        (json.dumps({"title": "Hi", "body": "A text", "url": "https://e.org"}), LINES),
        (json.dumps({"prompt": "Why?", "completion": "So."}), LINES),
        ('{"text": "' + 100_000 * "x", LINES),
        ("just words\nand more", None),
        ("", None),
        ("[1, 2, 3]", None),
        ('"a"\n"b"', None),
        ("<table><tr><td>a,b</td></tr></table>", None),
    ],
)
def test_tables_of_every_kind_are_known(head: str, kind: TableKind | None) -> None:
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be"):
        data = head.removeprefix("\ufeff" if encoding != "utf-8" else "").encode(encoding)
        assert find_table_kind(data) == kind
        assert looks_like_table(data) == (kind is not None)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(REQUEST),
        json.dumps(REQUEST, indent=2),
        json.dumps([REQUEST]),
        json.dumps({"requests": [REQUEST]}),
        json.dumps({"x": 1}) + "\n" + json.dumps(REQUEST),
        json.dumps(json.dumps(REQUEST)),
        str(REQUEST),
        json.dumps(REQUEST).replace('"', "\u201d"),
        json.dumps({"Custom-ID": "1", "text": "a"}),
        json.dumps({"method": "POST", "url": "/v1/embeddings", "body": "{}"}),
        json.dumps({"params": {"model": "m"}}),
        json.dumps({"model": "m", "messages": []}),
        json.dumps({"model": "m", "prompt": "Once"}),
        json.dumps({"Model": "m", "input": "Once"}),
        json.dumps({"messages": [{"role": "user", "content": "a"}]}),
        json.dumps({"request": {"contents": []}}),
        json.dumps({"recordId": "1", "modelInput": {}}),
        '{"body": {"messages": [{"content": "' + 100_000 * "x",
    ],
)
def test_requests_in_any_form_are_no_table(text: str) -> None:
    assert not looks_like_table(text.encode())
    assert has_requests(decode_head(text.encode()))


def test_only_a_workbook_among_archives_is_a_table() -> None:
    assert find_table_kind(b"PK\x03\x04....[Content_Types].xml") is TableKind.WORKBOOK
    assert find_table_kind(b"PK\x03\x04....letters.txt") is None


@given(st.text(alphabet='[]{}":,\\a1\n '), st.integers(0, 40))
def test_any_head_gives_an_answer_wherever_it_is_cut(text: str, end: int) -> None:
    head = text.encode()[:end]

    assert looks_like_table(head) in {True, False}
    assert not (looks_like_table(head) and has_requests(decode_head(head).lstrip()))
