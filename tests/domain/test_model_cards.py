"""What is known of a model, and what is not."""

import pytest

from batchapp.domain.model_cards import INPUTS, Kind, ModelCard
from batchapp.domain.request_files.limits import ALLOWED_URLS


def test_a_model_of_unknown_kind_and_inputs_is_not_judged() -> None:
    card = ModelCard("acme/new")

    assert card.urls is None
    assert all(card.takes(kind) for kind in INPUTS)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_answers_only_at_urls_that_requests_may_name(kind: Kind) -> None:
    assert ModelCard("acme/new", kind=kind).urls is not None
    assert ModelCard("acme/new", kind=kind).urls <= set(ALLOWED_URLS)  # type: ignore[operator]


def test_known_inputs_exclude_the_others() -> None:
    card = ModelCard("acme/ocr", inputs=("image",))

    assert [card.takes(kind) for kind in INPUTS] == [False, True, False, False]


def test_a_card_is_filled_where_it_has_no_fact() -> None:
    told = ModelCard("acme/new", context_tokens=8_192, source="the provider")
    known = ModelCard("acme/new", context_tokens=4_096, inputs=("text",), source="its card")

    assert told.filled_from(known) == ModelCard(
        "acme/new", context_tokens=8_192, inputs=("text",), source="the provider"
    )
