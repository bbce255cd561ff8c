"""Texts are compared word by word, in bounded time."""

import time

import pytest

from batchapp.domain.results.word_diff import EXCERPT_LENGTH, Piece, diff_words, excerpts


def test_only_the_words_that_differ_are_marked() -> None:
    first, second = diff_words("The link is broken.", "The page is broken.")

    assert first == [
        Piece("The", differs=False),
        Piece(" link", differs=True),
        Piece(" is broken.", differs=False),
    ]
    assert [piece.text for piece in second if piece.differs] == [" page"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        ("", "a"),
        ("a b", "a b"),
        ("a", "a a"),
        ("a x a", "a a"),
        ("\u202e <b>", "\0 </b>"),
    ],
)
def test_the_pieces_are_the_whole_texts(first: str, second: str) -> None:
    pieces, others = diff_words(first, second)

    assert "".join(piece.text for piece in pieces) == first
    assert "".join(piece.text for piece in others) == second
    assert any(piece.differs for piece in pieces + others) == (first != second)


def test_long_texts_are_compared_in_a_moment() -> None:
    started = time.process_time()

    diff_words("a b " * 200_000, "b a a " * 150_000)
    diff_words("x" * 1_000_000, "y" * 1_000_000)
    diff_words("a b a " * 66, "b a b " * 66)

    assert time.process_time() - started < 10


def test_an_excerpt_shows_the_first_difference_of_long_texts() -> None:
    texts = ["same " * 2_000 + "left", "same " * 2_000 + "right", "same " * 2_000 + "right too"]

    shown = excerpts(texts)

    assert [text[-4:] for text in shown] == ["left", "ight", " too"]
    assert shown[0].startswith("…")
    assert all(len(text) <= EXCERPT_LENGTH + 2 for text in shown)
