import pytest

from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.domain.request_files.rules.envelope import (
    decode_body,
    fields_beside,
    guess_url,
    meant_url,
    misspelled_fields,
)
from tests.domain.request_lines import CHAT, make_request


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *((name, "custom_id") for name in ("customId", "custom-id", "Custom_ID", "custom_id ")),
        *((name, "custom_id") for name in ("CUSTOM ID", "id", "request_id", "custom_di")),
        *((name, "method") for name in (" method", "Method", "http_method", "metod")),
        *((name, "url") for name in ("endpoint", "URL", "uri", "path", "\turl")),
        *((name, "body") for name in ("Body", "payload", "request", "params", "requestBody")),
    ],
)
def test_a_name_that_is_nearly_right_is_understood(name, field):
    request = make_request()
    request[name] = request.pop(field)

    assert misspelled_fields(request) == {name: field}


@pytest.mark.parametrize(
    "request_",
    [
        make_request(),
        make_request(id="b", endpoint="/v1"),
        make_request(custom_id=..., note="b"),
        make_request(custom_id=..., id={"a": 1}),
        make_request(body=..., request=5),
        make_request(url=..., **{"x" * 1000: "y"}),
    ],
)
def test_a_name_is_not_guessed_where_nothing_is_missing_or_nothing_fits(request_):
    assert misspelled_fields(request_) == {}


def test_the_nearest_of_several_names_is_taken():
    assert misspelled_fields(make_request(custom_id=..., id="1", customID="2")) == {
        "customID": "custom_id"
    }


@pytest.mark.parametrize(
    "url",
    [
        "/chat/completions",
        "chat/completions",
        "v1/chat/completions",
        "/v1/chat/completions/",
        "//v1//chat/completions",
        " /v1/chat/completions ",
        "/V1/Chat/Completions",
        "POST /v1/chat/completions",
        "https://api.openai.com/v1/chat/completions",
        "http://localhost:8000/v1/chat/completions?x=1#y",
        "https://x.test/openai/deployments/gpt-4o/chat/completions?api-version=1",
        "/api/v1/chat/completions",
        "/v1beta/openai/chat/completions",
        "/v1/chat/completion",
    ],
)
def test_a_url_written_otherwise_is_understood(url):
    assert meant_url(url, ALLOWED_URLS) == CHAT


@pytest.mark.parametrize(
    "url", ["", "/", "/x", "/v1/rerank", "/threads/7/messages", "http://[", None, 5, "/" * 9000]
)
def test_a_url_of_no_endpoint_stays_unknown(url):
    assert meant_url(url, ALLOWED_URLS) == ""


def test_an_endpoint_that_the_connection_lacks_is_not_meant():
    assert meant_url("/embeddings", (CHAT,)) == ""


def test_a_body_that_fits_several_endpoints_has_none():
    assert guess_url({"input": "x", "model": "m"}) == ""
    assert guess_url({"model": "m"}) == ""


def test_fields_beside_body_are_those_that_its_url_takes_and_the_body_lacks():
    request = make_request(body={"model": "m"}, messages=[], model="other", note=1, seed=2)

    assert fields_beside(request, CHAT) == ["messages", "seed"]
    assert fields_beside(request, None) == fields_beside(request, "/x") == []
    assert fields_beside(make_request(body="x", seed=1), CHAT) == []


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (' {"a": {}}', {"a": {}}),
        ("{}", None),
        ("[1]", None),
        ("{a}", None),
        ("\ud800", None),
        ('{"a":' * 5000, None),
        ({"a": 1}, None),
    ],
)
def test_a_body_as_text_is_decoded(body, value):
    assert decode_body(body) == value
