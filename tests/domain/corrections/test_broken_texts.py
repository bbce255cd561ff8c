import json

import pytest

from batchapp.domain.corrections.broken_texts import join_broken_texts
from batchapp.domain.request_files.reading import lines
from tests.domain.request_lines import codes, make_body, make_file, make_line

QUESTION = 'First.\n\n# Heading\n{ \\"a\\": 1 }\n}\n12\nLast: “x”.'
BROKEN = make_line(custom_id="b").replace(b"Hello", QUESTION.encode())


def joined(data: bytes, max_length: int = 10**6, *, is_joining: bool = True) -> list[bytes]:
    pieces = lines.iter_pieces([data], max_length)
    rows = join_broken_texts(pieces, max_length, is_joining=is_joining)
    return [row.piece.data for row in rows]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_the_lines_of_a_text_are_joined_and_the_others_keep_their_every_byte(ending):
    before, after = (
        make_line(custom_id="a") + ending,
        make_line(custom_id="c", body=make_body(seed=1)) + ending,
    )
    data = before + BROKEN.replace(b"\n", ending) + ending + after

    first, middle, last = joined(data)

    assert (first, last) == (before, after)
    content = json.loads(middle)["body"]["messages"][0]["content"]
    assert content == QUESTION.replace('\\"', '"').replace("\n", ending.decode())
    assert codes(data) == {"line_break_in_text": 1}
    assert codes(b"".join([first, middle, last])) == {}


def test_without_joining_the_lines_are_marked_so_that_none_of_them_is_a_comment():
    pieces = lines.iter_pieces([make_file(BROKEN, b"# a comment")], 10**6)

    rows = list(join_broken_texts(pieces, 10**6, is_joining=False))

    assert [row.is_text for row in rows] == [True] * (QUESTION.count("\n") + 1) + [False]
    assert b"".join(row.piece.data for row in rows) == make_file(BROKEN, b"# a comment")


@pytest.mark.parametrize(
    "data",
    [
        make_file(make_line()[:90], make_line(custom_id="b")),
        make_file(make_line()[:90], b"nonsense", b"more", make_line(custom_id="b")),
        make_file(make_line()[:90], b'nonsense"', make_line(custom_id="b")),
        make_line()[:90],
        make_file(*[make_line()[:90]] * 3),
    ],
)
def test_what_gives_no_request_stays_as_it_is(data):
    assert b"".join(joined(data)) == data


def test_a_text_longer_than_a_line_may_be_is_given_up():
    data = make_file(BROKEN.replace(b"12", b"x\n" * 500), make_line(custom_id="c"))

    assert b"".join(joined(data, 400)) == data


def test_a_cut_line_is_told_from_a_line_break():
    cut = make_line(custom_id="b")[:110]

    assert codes(make_file(cut, make_line())) == {"invalid_json": 1}
    assert codes(make_file(make_line(), cut)) == {"invalid_json": 1}
    assert codes(make_file(make_line(), cut, b"", b"and more")) == {"line_break_in_text": 1}
