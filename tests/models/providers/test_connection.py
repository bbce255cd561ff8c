"""What the check of a file learns from the connection."""

import pytest

from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.models import Connection
from tests.domain.request_lines import codes, make_line


@pytest.mark.parametrize(
    ("base_url", "is_refused"),
    [
        ("https://api.doubleword.ai", True),
        ("https://eu.doubleword.ai/v1", True),
        ("", True),  # not filled in yet
        ("https://api.notdoubleword.ai", False),
        ("http://vllm.internal:8000", False),
    ],
)
def test_only_doubleword_refuses_other_fields_for_reasoning_unless_the_operator_says_so(
    base_url: str, *, is_refused: bool
) -> None:
    connection = Connection(base_url=base_url)

    assert connection.limits.reasoning_effort_only == is_refused
    for choice in (True, False):
        connection.reasoning_effort_only = choice
        assert connection.limits.reasoning_effort_only == choice


def test_the_sandbox_refuses_what_doubleword_refuses() -> None:
    assert Connection(base_url="http://sandbox:8001", is_sandbox=True).limits.reasoning_effort_only


def test_a_connection_can_allow_more_urls_whose_requests_need_a_model_alone() -> None:
    connection = Connection(extra_urls=["/v1/rerank", "/v1/images/generations"])
    limits = connection.limits

    assert limits.urls == (*ALLOWED_URLS, "/v1/rerank", "/v1/images/generations")
    rerank = {"model": "m", "query": "a", "documents": ["b"], "stream": True, "n": 5}
    assert codes(make_line(url="/v1/rerank", body=rerank), limits) == {}
    assert codes(make_line(url="/v1/rerank", body={"query": "a"}), limits) == {"missing_model": 1}
    assert codes(make_line(url="/v1/score", body=rerank), limits)["url_not_allowed"] == 1
