"""Lists of models as people and spreadsheets write them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.csv_list import UnreadableList
from batchapp.domain.model_card_csv import read_cards, rows_of
from batchapp.domain.model_cards import INPUTS, Kind, ModelCard, Thinking


def written(*cards: ModelCard) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows_of(cards))
    return text.getvalue()


def test_only_the_name_is_needed_and_empty_cells_stay_unknown() -> None:
    parsed = read_cards('note,MODEL,Context_Tokens\nx,acme/a,\ny,acme/b,"131,072"\n')

    assert parsed.bad == []
    assert parsed.cards == {
        "acme/a": ModelCard("acme/a"),
        "acme/b": ModelCard("acme/b", context_tokens=131_072),
    }


def test_inputs_and_windows_are_lists() -> None:
    text = "model;inputs;windows\nacme/a;Image text;24h, 1 hour,24h\n"

    card = read_cards(text).cards["acme/a"]

    assert card.inputs == ("text", "image")
    assert card.windows == ("24h", "1 hour")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",chat,,,,,", "There is no model."),
        ("a,talk,,,,,", "The endpoint “talk” is not known: write chat, completions, embeddings"),
        ("a,,smell,,,,", "The input “smell” is not known: write text, image, audio, video"),
        ("a,,,32K,,,", "“32K” is no number of tokens. Write it like 131072."),
        ("a,,,0,,,", "“0” is no number of tokens."),
        ("a,,,,99999999999,,", "“99999999999” is no number of tokens."),
        ("a,,,,,maybe,", "The thinking “maybe” is not known: write never, always, switch"),
        (f"a,,,,,,{'h' * 21}", "has more than 20 characters."),
        (f"{'a' * 201},,,,,,", "The model has more than 200 characters, or odd ones."),
    ],
)
def test_a_bad_cell_is_told_with_its_line(cells: str, reason: str) -> None:
    head = "model,kind,inputs,context_tokens,max_new_tokens,thinking,windows\n"

    [bad] = read_cards(head + "ok,,,,,,\n" + cells + "\n").bad

    assert bad.number == 3
    assert reason in bad.reason


def test_a_model_that_is_listed_twice_is_told() -> None:
    parsed = read_cards("model,kind\nacme/a,chat\nacme/a,embeddings\n")

    assert [(bad.number, bad.reason) for bad in parsed.bad] == [
        (3, "acme/a is in the list already.")
    ]


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
TOKENS = st.none() | st.integers(1, 2_000_000_000)
CARDS = st.builds(
    ModelCard,
    model=NAMES,
    kind=st.sampled_from(["", *Kind]),
    inputs=st.sets(st.sampled_from(INPUTS)).map(
        lambda given: tuple(name for name in INPUTS if name in given)
    ),
    context_tokens=TOKENS,
    max_new_tokens=TOKENS,
    thinking=st.sampled_from(["", *Thinking]),
    windows=st.lists(st.sampled_from(["24h", "1h", "7 days"]), unique=True).map(tuple),
    source=NAMES,
)


@given(CARDS)
def test_what_is_written_is_read_back_unchanged(card: ModelCard) -> None:
    assert read_cards(written(card)).cards == {card.model: card}


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    for head in ("", "model,kind\n"):
        try:
            read_cards(head + text)
        except UnreadableList:
            continue
