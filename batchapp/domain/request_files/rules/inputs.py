"""Find inputs of embeddings, completions and the responses API that no server takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.rules.parameters import COMPLETIONS, EMBEDDINGS, RESPONSES

# Source: https://platform.openai.com/docs/api-reference/embeddings/create, ``input``.
MAX_INPUTS = 2_048
# Source: https://platform.openai.com/docs/guides/batch, the limit of embeddings in a batch.
MAX_INPUTS_PER_BATCH = 50_000

FIELDS = {EMBEDDINGS: "input", COMPLETIONS: "prompt"}
NAMES = {int: "a number", float: "a number", bool: "true or false", dict: "an object"}


def find_wrong_inputs(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    field = FIELDS.get(url, "")
    value = body.get(field)
    if url == RESPONSES:
        value = body.get("input")
        if value is not None and not isinstance(value, list) and (words := _of_text(value)):
            yield _finding("input", words)
        elif value == []:
            yield _finding("input", "is an empty list; add a message")
        return
    if value is None:
        return
    if words := _describe_wrong_input(value):
        yield _finding(field, words)
    elif url == EMBEDDINGS and count_inputs(value) > MAX_INPUTS:
        yield RequestFinding(
            "many_inputs",
            f"input has {count_inputs(value):,} texts, and many servers take {MAX_INPUTS:,} in "
            "one request; spread them over several requests.",
        )


def count_inputs(value: object) -> int:
    """Return the number of texts to embed: token ids are one text, or a list of each."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return len(value)
    return 1


def _finding(field: str, words: str) -> RequestFinding:
    problem, _, advice = words.partition("; ")
    return RequestFinding("bad_input", f"{field} {problem}, so this request will fail; {advice}.")


def _describe_wrong_input(value: object) -> str:
    """Say what is wrong with a text, a list of texts, token ids, or lists of token ids."""
    if not isinstance(value, list):
        return _of_text(value)
    kinds = set(map(type, value))
    words = ""
    if not kinds:
        words = "is an empty list; add a text, or drop the request"
    elif kinds == {str}:
        number = next((at for at, text in enumerate(value, 1) if not text or text.isspace()), 0)
        words = f"has a blank text as number {number:,}; leave it out" if number else ""
    elif kinds == {list}:
        if not all(tokens and set(map(type, tokens)) == {int} for tokens in value):
            words = "has a list that is not of token ids; write whole numbers"
    elif type(None) in kinds:
        words = f"has null as number {value.index(None) + 1:,}; leave it out"
    elif kinds != {int}:
        words = "has values that are no texts; write a text, or a list of texts"
    return words


def _of_text(value: object) -> str:
    if isinstance(value, str):
        return "" if value.strip() else "is blank; write a text, or drop the request"
    return f"is {NAMES.get(type(value), 'of another kind')}; write a text, or a list of texts"
