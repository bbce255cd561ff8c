"""Secrets of portal keys: their form, their digest, and how a header carries them."""

import re

import pytest

from batchapp.domain import portal_keys


def test_secrets_differ_and_have_256_random_bits() -> None:
    made = {portal_keys.new_secret() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch(r"ba_[A-Za-z0-9]{43}", secret) for secret in made)
    assert 62**43 > 2**256


def test_pages_show_six_characters_of_a_secret() -> None:
    secret = portal_keys.new_secret()

    assert portal_keys.shown_part(secret) == secret[:9]


@pytest.mark.parametrize("text", ["", "ba_é", "\udcff", "ba_" + "x" * 10_000, "\x00"])
def test_any_text_has_a_digest(text: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", portal_keys.digest_of(text))


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer ba_x", "ba_x"),
        ("bearer ba_x", "ba_x"),
        ("BEARER   ba_x  ", "ba_x"),
        ("Bearer\tba_x", "ba_x"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Bearer ba_x, Bearer ba_y", "ba_x, Bearer ba_y"),
        ("Basic ba_x", None),
        ("Bearerba_x", None),
        ("ba_x", None),
        ("", None),
        ("   ", None),
    ],
)
def test_the_scheme_is_bearer_in_any_case(header: str, secret: str | None) -> None:
    assert portal_keys.bearer_secret(header) == secret
