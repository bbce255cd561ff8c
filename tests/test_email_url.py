"""EMAIL_URL: which server sends the e-mails, and what a wrong value is told."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.email_url import email_server


def test_without_a_server_e_mails_go_to_the_log() -> None:
    assert email_server("log://") == {}


def test_a_server_asks_for_tls_unless_told_otherwise() -> None:
    server = email_server("smtp://ada%40example.com:a%2Fb@mail.test:2525")

    assert (server["host"], server["port"]) == ("mail.test", 2525)
    assert (server["username"], server["password"]) == ("ada@example.com", "a/b")
    assert (server["use_tls"], server["use_ssl"]) == (True, False)
    assert email_server("smtp://mail.test?starttls=no")["use_tls"] is False


def test_a_server_may_speak_tls_from_the_start() -> None:
    server = email_server("smtps://mail.test")

    assert (server["port"], server["use_tls"], server["use_ssl"]) == (465, False, True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("smtp://", "the host is missing"),
        ("smtp://ada@mail.test", "a name needs its password"),
        ("smtp://ada:s3/cret@mail.test", "it is not a URL"),
        ("smtp://mail.test?tls=yes", "starttls=yes or starttls=no"),
        ("smtp://mail.test:many", "it is not a URL"),
    ],
)
def test_a_wrong_value_is_named_without_its_secret(url: str, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=reason) as raised:
        email_server(url)

    assert "s3" not in str(raised.value)
