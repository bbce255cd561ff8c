import pytest

from batchapp.domain.answer_lengths.choices import find_choices


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("Answer with one of: bug fix, feature.", ["bug fix", "feature"]),
        ("Respond with 'A', 'B' or 'C'.", ["A", "B", "C"]),
        (
            "Classify the ticket into billing, technical, or other.",
            ["billing", "technical", "other"],
        ),
        ("Use one of the following labels:\n- red: warm\n- blue\n\nThe text: x", ["red", "blue"]),
        ("Categories:\n1. red\n2. blue\n", ["red", "blue"]),
        ("Label the sentiment (positive/negative)", ["positive", "negative"]),
        ("Determine the sentiment: good, bad, or mixed", ["good", "bad", "mixed"]),
        ("Choose between cats and dogs", ["cats", "dogs"]),
        ("Which label fits: yes, no?", ["yes", "no"]),
        ("Answer with the translation alone.", []),
        ("One of the best books that I have read, and one I can recommend to everybody.", []),
        ("Options: " + ", ".join(map(str, range(100))), []),
    ],
)
def test_labels_are_found_where_they_are_announced(text, choices):
    assert find_choices(text) == choices
