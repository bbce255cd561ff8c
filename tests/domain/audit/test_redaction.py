"""What the audit keeps for ever is JSON, exact, and without a secret."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from batchapp.domain import portal_keys
from batchapp.domain.audit.redaction import MAX_LENGTH, REDACTED, safe_facts, texts_in


@pytest.mark.parametrize(
    "name", ["secret", "new_password", "token", "api_key", "ciphertext", "Authorization"]
)
def test_a_fact_whose_name_is_that_of_a_secret_is_redacted(name: str) -> None:
    assert safe_facts({name: "anything", "before": {name: "x"}}) == {
        name: REDACTED,
        "before": {name: REDACTED},
    }


@pytest.mark.parametrize(
    "text",
    [
        portal_keys.new_secret(),
        "sk-proj-0123456789abcdefghij",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "gAAAAABkZ" + "x" * 60,
        "Bearer abcdef0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
    ids=["portal key", "provider key", "webhook", "encrypted", "bearer", "web token"],
)
def test_a_text_that_is_a_secret_is_redacted_wherever_it_stands(text: str) -> None:
    facts = safe_facts({"note": f"use {text} here", "list": [{"deep": text}]})

    assert text not in json.dumps(facts)
    assert facts["note"].startswith("use ")


def test_a_password_in_an_address_is_redacted_and_the_host_stays() -> None:
    facts = safe_facts({"base_url": "https://ada:hunter22@llm.example.com/v1"})

    assert facts["base_url"] == f"https://{REDACTED}@llm.example.com/v1"


def test_names_and_numbers_stay_exact() -> None:
    facts = safe_facts(
        {
            "price": Decimal("0.0500"),
            "at": datetime(2026, 11, 29, 12, tzinfo=UTC),
            "day": date(2026, 11, 29),
            "scopes": {"b", "a"},
            "requests": 3,
            "held": True,
            "none": None,
            "key": "main key",
        }
    )

    assert facts == {
        "price": "0.05",
        "at": "2026-11-29T12:00:00+00:00",
        "day": "2026-11-29",
        "scopes": ["a", "b"],
        "requests": 3,
        "held": True,
        "none": None,
        "key": "main key",
    }


def test_a_text_is_cut_and_holds_nothing_that_a_database_refuses() -> None:
    facts = safe_facts({"name": "a\0b\ud800", "long": "x" * 10_000})

    assert "\0" not in facts["name"]
    assert facts["name"].encode()
    assert len(facts["long"]) == MAX_LENGTH + 1


def test_every_text_is_found_at_any_depth() -> None:
    assert list(texts_in({"a": "1", "b": [{"c": "2"}, 3], "d": {"e": ["4"]}})) == ["1", "2", "4"]
