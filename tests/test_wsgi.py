"""What the entry point of the web server makes of a request before a view sees it."""

from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from config.wsgi import Utf8Request, application

# Codecs of Python that are none of texts, or that read other texts than were sent.
CHARSETS = ["hex", "rot13", "undefined", "idna", "utf-16", "latin-1", "no-such"]
FORM = (
    '--b\r\nContent-Disposition: form-data; name="naïve"\r\n\r\ncafé\r\n'
    '--b\r\nContent-Disposition: form-data; name="file"; filename="é.jsonl"\r\n\r\n{}\r\n--b--\r\n'
).encode()


def environ(kind: str, *, query: str = "", body: bytes = b"") -> dict[str, Any]:
    method = "POST" if body else "GET"
    found: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": query}
    found |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    setup_testing_defaults(found)
    return found


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_that_a_sender_names_changes_nothing(charset: str) -> None:
    address = Utf8Request(environ(f"text/html; charset={charset}", query="name=caf%C3%A9"))
    form = Utf8Request(environ(f"multipart/form-data; boundary=b; charset={charset}", body=FORM))

    assert address.GET["name"] == "café"
    assert form.POST["naïve"] == "café"
    assert form.FILES["file"].name == "é.jsonl"
    form.close()


def test_the_web_server_reads_its_requests_so() -> None:
    assert application.request_class is Utf8Request
