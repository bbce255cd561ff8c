"""Requests that ask the same share a digest, and others do not."""

import json
from typing import Any

import pytest

from batchapp.domain.reuse.request_digest import digest_request, is_sampled

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hé?"}], "max_tokens": 5}


def line(body: dict[str, Any] | None = None, custom_id: str = "a", **fields: Any) -> bytes:
    request = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions"}
    return json.dumps(request | {"body": BODY if body is None else body} | fields).encode()


def digest(body: dict[str, Any] | None = None, **fields: Any) -> bytes:
    return digest_request(line(body, **fields)).digest


def test_custom_id_order_of_fields_white_space_and_escapes_do_not_count() -> None:
    spaced = json.dumps(
        {"body": dict(reversed(BODY.items())), "url": "/v1/chat/completions", "custom_id": "b"},
        ensure_ascii=False,
        indent=None,
        separators=(" , ", " :  "),
    ).encode()

    assert digest_request(spaced).digest == digest()


@pytest.mark.parametrize(
    "other",
    [
        {"body": BODY | {"max_tokens": 6}},
        {"body": BODY | {"model": "n"}},
        {"body": BODY | {"seed": 12345678901234567890123}},
        {"url": "/v1/responses"},
    ],
    ids=["parameter", "model", "long number", "url"],
)
def test_any_other_value_makes_another_request(other: dict[str, Any]) -> None:
    assert digest(**other) != digest()
    assert digest(BODY | {"seed": 12345678901234567890124}) != digest(
        BODY | {"seed": 12345678901234567890123}
    )


@pytest.mark.parametrize(
    ("fields", "sampled"),
    [
        ({}, False),
        ({"temperature": 0}, False),
        ({"temperature": 0.7}, True),
        ({"temperature": "hot"}, False),
        ({"n": 1}, False),
        ({"n": 2}, True),
        ({"best_of": 3}, True),
    ],
    ids=str,
)
def test_a_temperature_above_0_or_several_answers_ask_for_variety(
    fields: dict[str, Any], sampled: bool
) -> None:
    assert is_sampled(digest(BODY | fields)) is sampled
