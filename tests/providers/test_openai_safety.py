"""A key is sent to one host, and appears in no error."""

import httpx
import pytest

from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason
from tests.doubleword import connect
from tests.providers.doubles import KEY, failure

UNREACHABLE = ["http://[x", "http://a b", "http://a..b", "http://a:99999", "http://a:x"]


@pytest.mark.parametrize(
    ("status", "maybe_done"), [(301, False), (302, True), (303, True), (307, False), (308, False)]
)
def test_a_redirect_is_reported_and_not_followed(client_of, status, maybe_done):
    hosts = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(status, headers={"Location": "https://user:pw@elsewhere.test/x?a=b"})

    error = failure(client_of(handler))

    assert hosts == ["provider.test"]
    assert isinstance(error, ProviderUnavailable)
    assert error.maybe_done is maybe_done
    assert "redirects to https://elsewhere.test (HTTP" in str(error)


def test_a_redirect_to_nowhere_is_reported_too(client_of):
    assert "redirects" in str(failure(client_of(302)))
    assert "redirects" in str(failure(client_of(302, headers={"Location": "https://[bad"})))
    assert "redirects" in str(failure(client_of(304)))


@pytest.mark.parametrize("location", ["data:,", "mailto:ada@example.com", "http://xn--2xh/"])
def test_a_redirect_to_what_is_no_address_is_no_crash(client_of, location):
    error = failure(client_of(302, headers={"Location": location}))

    assert isinstance(error, ProviderUnavailable)
    assert error.maybe_done
    assert "redirects to what is no address" in str(error)


def test_the_key_is_removed_from_the_providers_message(client_of, caplog):
    caplog.set_level(0)
    client = client_of(401, json={"error": {"message": f"Incorrect API key provided: {KEY}."}})

    error = failure(client)

    assert error.message == "Incorrect API key provided: [key]."
    assert KEY not in f"{error!r} {client!r} {vars(client)!r} {caplog.text}"


@pytest.mark.parametrize("key", ["", "  ", "sk-a b", "sk-a\nb", "sk-é"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(key):
    with pytest.raises(ProviderRejected) as caught:
        connect("https://provider.test", key)

    assert caught.value.reason is Reason.KEY_REFUSED
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    ["", "provider.test", "ftp://provider.test", "https://", "https://u:p@a.test", *UNREACHABLE],
)
def test_a_base_url_that_is_no_web_address_is_reported(base_url):
    with pytest.raises(ProviderUnavailable) as caught:
        connect(base_url, KEY)

    assert not caught.value.maybe_done
    assert "base URL" in str(caught.value)
