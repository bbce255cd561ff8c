"""Each result of a check before an order has one sentence.

The sentences themselves are read in ``tests/services/orders/test_readiness.py``.
"""

from batchapp.presenters.readiness_text import SENTENCES
from batchapp.services.orders.readiness import CheckCode
from tests.presenters.facts_in_code import members_used


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    assert set(SENTENCES) == set(CheckCode)


def test_every_code_is_the_result_of_a_check() -> None:
    assert members_used("CheckCode") == {code.name for code in CheckCode}
