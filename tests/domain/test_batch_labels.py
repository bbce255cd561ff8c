"""Tags and cost centres as they are typed, stored and refused."""

import pytest

from batchapp.domain.batch_labels import MAX_TAGS, clean_cost_centre, read_tags
from batchapp.domain.refused import Refusal, Refused


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        (" , ,, ", ()),
        ("Urgent", ("urgent",)),
        ("b, a,b , A", ("a", "b")),
        ("week  48,\tq4", ("q4", "week-48")),
        ("\u00dcbung, \u0055\u0308bung", ("übung",)),  # one letter, written in two ways
        ("<b>x</b>", ("<b>x</b>",)),
        ("=cmd", ("=cmd",)),
        ("क्\u200dष", ("क्\u200dष",)),
        ("x" * 40, ("x" * 40,)),
    ],
)
def test_tags_are_short_words_in_lower_case_each_once(text: str, tags: tuple[str, ...]) -> None:
    assert read_tags(text) == tags


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 41, Refusal.TAG_TOO_LONG),
        ("good\u202eexe", Refusal.TAG_INVALID),
        ("a\u200fb", Refusal.TAG_INVALID),
        ("a\x00b", Refusal.TAG_INVALID),
        ("\u2066", Refusal.TAG_INVALID),
        (",".join(str(number) for number in range(MAX_TAGS + 1)), Refusal.TAGS_TOO_MANY),
        (",".join(str(number) for number in range(100_000)), Refusal.TAGS_TOO_MANY),
    ],
)
def test_what_is_no_tag_is_refused(text: str, code: Refusal) -> None:
    with pytest.raises(Refused) as refused:
        read_tags(text)

    assert refused.value.code is code


def test_a_cost_centre_is_one_line_of_any_text() -> None:
    assert clean_cost_centre("  CC 12 \n North, =1+1 ") == "CC 12 North, =1+1"
    for text, code in (
        ("x" * 81, Refusal.COST_CENTRE_TOO_LONG),
        ("CC\u202e1", Refusal.COST_CENTRE_INVALID),
    ):
        with pytest.raises(Refused) as refused:
            clean_cost_centre(text)
        assert refused.value.code is code
