"""Addresses that a person may enter, and what pages show of them."""

from ipaddress import ip_network

import pytest

from batchapp.outbound.address import BadAddress, parse_address, shown_address

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "https://example.com/hook?token=1",
        "  https://example.com:8443/hook ",
        "https://bücher.example/hook",
        "https://127.0.0.1/hook",  # refused when it is connected to
        "https://[::1]/hook",
    ],
)
def test_a_plain_https_address_is_taken(text: str) -> None:
    assert parse_address(text, []).scheme == "https"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https://ada:secret@example.com/",
        "https://ada@example.com/",
        "https://example.com:22/",
        "https://example.com:25/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:x/",
        "https://exa mple.com/",
        "https://" + "a" * 64 + ".example/",
        "https://0177.0.0.1/",  # octal
        "https://example.com/" + "a" * 2000,
        "https://[fe80::1%25eth0]/",
        "gopher://127.0.0.1:6379/_x",
        "https://xn--2xh.example/hook",  # the code of no letter
        "https://xn--.example/hook",
        "https://example.com\r\nHost: internal/",
    ],
)
def test_another_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text, [])


def test_plain_http_is_taken_where_the_operator_allows_private_networks() -> None:
    assert parse_address("http://hooks.internal:8080/", LOOPBACK).scheme == "http"


def test_pages_show_the_host_and_the_end_of_an_address_and_no_token_in_it() -> None:
    slack = "https://hooks.slack.com/services/T000/B000/XXXXSECRETabcd"

    assert shown_address(slack) == "https://hooks.slack.com/…abcd"
    assert shown_address("https://example.com:8443") == "https://example.com:8443"
    assert shown_address("https://example.com/secret") == "https://example.com/…"
    assert shown_address("https://xn--2xh.example/secret") == "…"
    assert shown_address("https://example.com/x?token=sixteen-letters!") == (
        "https://example.com/…ers!"
    )
