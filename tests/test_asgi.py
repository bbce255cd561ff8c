"""What the web server itself answers has the form of the address that was asked."""

import json

from config.asgi import explain


def test_an_error_below_the_api_has_the_envelope_of_the_api_and_others_are_text() -> None:
    kind, text = explain("/v1/files", "timeout", "The body did not come in time.")

    assert kind == "application/json"
    assert json.loads(text) == {
        "error": {
            "message": "The body did not come in time.",
            "type": "invalid_request_error",
            "param": None,
            "code": "timeout",
        }
    }
    assert explain("/files/", "timeout", "Too late.") == (
        "text/plain; charset=utf-8",
        b"Too late.",
    )
