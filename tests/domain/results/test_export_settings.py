"""The names of exported columns, and the guard of cells that look like formulas."""

import pytest

from batchapp.domain.results.export_settings import guard_formula, unique_names


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "=cmd|' /C calc'!A0", "+x", "-a", "@f", "\t=1", "\rx", "\n=1", "\r\n=1"),
        *("\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)"),
    ],
)
def test_a_text_that_could_be_a_formula_gets_a_quote(text: str) -> None:
    assert guard_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    [*("-5", "+3.25", "-1,234.50", "-.5", "-1e-5", "+49", "-12%"), "007", "a=b", "", "'=1", " =1"],
)
def test_a_number_and_any_other_text_stay(text: str) -> None:
    assert guard_formula(text) == text


@pytest.mark.parametrize("text", ["-5+cmd|' /C calc'!A0", "-\u0665", "-5\n=1", "--5", "-1-2"])
def test_what_only_begins_like_a_number_is_guarded(text: str) -> None:
    assert guard_formula(text) == f"'{text}"


def test_names_that_collide_get_a_number() -> None:
    assert unique_names(["a", "b", "a", "a_2", "a", "A"]) == ["a", "b", "a_2", "a_2_2", "a_3", "A"]
    assert unique_names(["a", "A"], ignore_case=True) == ["a", "A_2"]
