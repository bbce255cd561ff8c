"""Who reads a log finds no link there by which somebody comes in."""

import logging

import pytest
from django.urls import reverse
from django.urls.converters import StringConverter

from batchapp.services.people import first_administrator
from batchapp.urls import urlpatterns
from config.access_log import DiscreetRequests
from config.discreet_logs import LineFormatter, without_secrets

SECRET = "Abc-123_xyz1xXu4A5eWZ"  # of nobody
FITTING = {"uidb36": "a1"}


def links_with_a_secret() -> list[str]:
    """Return an address of each page whose address ends with a text that nobody can guess."""
    links = []
    for pattern in urlpatterns:
        converters = pattern.pattern.converters
        names = {name for name in converters if name in {"token", "key"}}
        if any(isinstance(converters[name], StringConverter) for name in names):
            given = FITTING | dict.fromkeys(names, SECRET)
            links.append(
                reverse(str(pattern.name), kwargs={name: given[name] for name in converters})
            )
    return links


def test_every_link_with_a_secret_is_written_without_it() -> None:
    links = [link for link in links_with_a_secret() if SECRET in link]
    assert len(links) >= 3

    for link in links:
        line = f'"POST {link} HTTP/1.1" 302 0 "http://localhost{link}"'
        assert without_secrets(line).count("***") == 2
        assert SECRET not in without_secrets(line)


@pytest.mark.django_db
def test_the_link_of_the_first_run_is_in_lines_of_the_portal_alone() -> None:
    link, token = first_administrator.setup_link(), first_administrator.setup_token()

    lines = {
        name: LineFormatter().format(logging.LogRecord(name, 30, "", 0, link, (), None))
        for name in ("django.request", "django.security.csrf", "batchapp.views.people.first_run")
    }

    shown = [name for name, line in lines.items() if token in line]
    assert shown == ["batchapp.views.people.first_run"]


def test_other_addresses_are_written_as_they_are() -> None:
    for path in ("/batches/0b0c7a3e-2f3a-4c44-9d5e-1f2a3b4c5d6e/", "/password/reset/", "/?q=a"):
        assert without_secrets(path) == path


def test_the_log_of_requests_has_no_secret() -> None:
    facts = ("127.0.0.1:5000", "GET", f"/first-run/?token={SECRET}", "1.1", 200)
    record = logging.LogRecord("uvicorn.access", 20, "", 0, '%s - "%s %s HTTP/%s" %d', facts, None)

    assert DiscreetRequests().filter(record)

    assert record.getMessage() == ('127.0.0.1:5000 - "GET /first-run/?token=*** HTTP/1.1" 200')
