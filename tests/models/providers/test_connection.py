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


@pytest.mark.parametrize(
    ("base_url", "is_read"),
    [("https://api.doubleword.ai/v1", True), ("https://api.openai.com/v1", False)],
)
def test_only_doubleword_reads_markers_of_cached_prompts(base_url: str, *, is_read: bool) -> None:
    connection = Connection(base_url=base_url, reasoning_effort_only=not is_read)

    assert connection.limits.reads_cache_markers == is_read


@pytest.mark.parametrize(
    ("kind", "base_url", "is_doubleword"),
    [
        ("doubleword", "http://batches.internal:8000", True),  # found out by its answers
        ("openai", "https://proxy.doubleword.ai", False),  # chosen by a person
        ("", "https://batches.internal", False),
    ],
)
def test_the_kind_decides_what_a_request_may_say_and_not_the_host(
    kind: str, base_url: str, *, is_doubleword: bool
) -> None:
    limits = Connection(kind=kind, base_url=base_url).limits

    assert limits.reads_cache_markers == limits.reasoning_effort_only == is_doubleword


@pytest.mark.parametrize(
    ("kind", "base_url", "account_page"),
    [
        ("", "https://api.doubleword.ai/v1", "https://app.doubleword.ai"),
        ("doubleword", "https://batches.internal", ""),
        (
            "",
            "https://api.openai.com",
            "https://platform.openai.com/settings/organization/billing",
        ),
        ("groq", "https://api.groq.com/openai", "https://console.groq.com/settings/billing"),
        ("", "https://batches.internal", ""),
    ],
)
def test_credits_are_added_at_the_page_of_the_provider_whose_address_it_is(
    kind: str, base_url: str, account_page: str
) -> None:
    connection = Connection(kind=kind, base_url=base_url)

    assert connection.account_page == account_page
    assert connection.has_shipped_lists == (account_page == "https://app.doubleword.ai")
