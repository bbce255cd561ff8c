"""Recognize a line that follows the format of another API, and name the format in a sentence."""

from collections.abc import Mapping
from typing import Any

from batchapp.domain.request_files.findings import RequestFinding

ENVELOPE = frozenset({"custom_id", "method", "url", "body"})
HERE = (
    "have the lines turned into requests here, or write each with custom_id, method, url and body"
)

# Code -> its sentence. Every line of a format has the same finding, which is kept once.
FORMATS = {
    "anthropic_batch": f"This is Anthropic's batch format (custom_id and params); {HERE}.",
    "vertex_batch": f"This is the batch format of Vertex AI and Gemini (contents); {HERE}.",
    "bedrock_batch": f"This is Amazon Bedrock's batch format (recordId and modelInput); {HERE}.",
    "no_method_and_url": (
        "The lines have no method and no url, as Mistral, Together and others take them; have "
        'both set here, or add "method": "POST" and the url to each.'
    ),
    "bare_bodies": (
        "The lines are bodies alone, without custom_id, method and url; have them turned into "
        "requests here, or put each into the body of a request."
    ),
    "output_file": (
        "This is a file of results, not of requests; upload the file that the batch was made "
        "from. To bring a batch with its results here, use “Import a batch”."
    ),
    "fine_tuning": (
        "These are examples for fine-tuning, with the answers in them, not requests; remove the "
        "answer at the end of each line if you want it from a model, and upload the file again."
    ),
}


def name_format(code: str) -> RequestFinding:
    return RequestFinding(code, FORMATS[code])


def recognise_format(request: Mapping[str, Any]) -> str:
    """Return the code of the format that a JSON object follows; "" if it is none of them."""
    if isinstance(request.get("body"), dict):
        is_rest_missing = request.keys() <= {"custom_id", "body"}
        return "no_method_and_url" if is_rest_missing and _has_input(request["body"]) else ""
    if "method" in request or "url" in request or "body" in request:
        return ""
    if _is_result(request):
        return "output_file"
    return _recognise_wrapper(request) or _recognise_body(request)


def _recognise_wrapper(request: Mapping[str, Any]) -> str:
    """Recognize a format by the field that holds its request."""
    params, inner = request.get("params"), request.get("request")
    if isinstance(params, dict) and _has_input(params):
        return "anthropic_batch"
    if isinstance(inner, dict) and "contents" in inner:
        return "vertex_batch"
    if isinstance(request.get("contents"), list):
        return "vertex_batch"
    return "bedrock_batch" if isinstance(request.get("modelInput"), dict) else ""


def _recognise_body(request: Mapping[str, Any]) -> str:
    """Recognize a body without an envelope, and what looks like one."""
    messages = request.get("messages")
    if isinstance(request.get("conversations"), list) or "preferred_output" in request:
        return "fine_tuning"
    if isinstance(messages, list) and messages:
        is_example = "model" not in request and _ends_with_answer(messages)
        return "fine_tuning" if is_example else "bare_bodies"
    return "bare_bodies" if isinstance(request.get("model"), str) and _has_input(request) else ""


def _has_input(body: Mapping[str, Any]) -> bool:
    return any(field in body for field in ("messages", "input", "prompt"))


def _ends_with_answer(messages: list[Any]) -> bool:
    last = messages[-1]
    return isinstance(last, dict) and last.get("role") == "assistant"


def _is_result(request: Mapping[str, Any]) -> bool:
    """Recognize results as OpenAI, Anthropic, Bedrock and Vertex write them."""
    result, response = request.get("result"), request.get("response")
    if "modelOutput" in request or (isinstance(result, dict) and "type" in result):
        return True
    has_error = "response" in request and isinstance(request.get("error"), dict)
    return has_error or (isinstance(response, dict) and not isinstance(request.get("model"), str))
