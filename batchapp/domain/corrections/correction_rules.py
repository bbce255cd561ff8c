"""The corrections that a person can choose, in words, and the findings that each corrects."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from batchapp.domain.prompt_cache.choice import Marking
from batchapp.domain.request_files.findings import FILE_CODES, Severity, severity_of


class CorrectionKind(StrEnum):
    CONVERT_TO_UTF8 = "convert_to_utf8"
    ONE_PER_LINE = "one_per_line"
    REMOVE_BYTE_ORDER_MARK = "remove_byte_order_mark"
    REMOVE_COMMENTS = "remove_comments"
    WRITE_JSON = "write_json"
    RENAME_FIELDS = "rename_fields"
    CONVERT_FORMAT = "convert_format"
    UNWRAP_BODY = "unwrap_body"
    MOVE_INTO_BODY = "move_into_body"
    SET_METHOD_AND_URL = "set_method_and_url"
    SET_CUSTOM_ID = "set_custom_id"
    SET_MODEL = "set_model"
    FIT_PARAMETERS = "fit_parameters"
    SET_MAX_TOKENS = "set_max_tokens"
    LOWER_MAX_TOKENS = "lower_max_tokens"
    STRIP_STREAM = "strip_stream"
    SET_REASONING_EFFORT = "set_reasoning_effort"
    REMOVE_MARKERS = "remove_markers"
    SUFFIX_DUPLICATES = "suffix_duplicates"
    DROP_REPEATED = "drop_repeated"
    DROP_BAD_ROWS = "drop_bad_rows"
    MARK_SHARED_PROMPT = "mark_shared_prompt"


class CorrectionRule(NamedTuple):
    """A correction in words.

    ``codes`` are the corrected findings; ``changes`` describes one changed line and several;
    ``needs`` is the field of ``Choice`` to fill in, if any. ``is_default`` is False if it removes
    what can be sent, so that a person must choose it.
    """

    title: str
    explanation: str
    codes: tuple[str, ...]
    changes: tuple[str, str]
    needs: str = ""
    is_default: bool = True


# In the order in which the corrections are made.
CORRECTION_RULES = {
    CorrectionKind.CONVERT_TO_UTF8: CorrectionRule(
        "Convert to UTF-8",
        "Writes the same text in UTF-8.",
        ("utf16",),
        ("file converted to UTF-8", "files converted to UTF-8"),
    ),
    CorrectionKind.ONE_PER_LINE: CorrectionRule(
        "Put each request on a line of its own",
        "Removes the brackets, commas and line breaks around the requests, and nothing in them.",
        ("json_array", "pretty_printed_json", "requests_object", "cr_line_ends", "several_values"),
        ("request put on a line of its own", "requests put on lines of their own"),
    ),
    CorrectionKind.REMOVE_BYTE_ORDER_MARK: CorrectionRule(
        "Remove the byte order mark",
        "Removes three bytes that programs on Windows put before the text.",
        ("byte_order_mark",),
        ("byte order mark removed", "byte order marks removed"),
    ),
    CorrectionKind.REMOVE_COMMENTS: CorrectionRule(
        "Remove the comments",
        "Removes the lines that begin with // or #, also requests behind these signs.",
        ("comment_line",),
        ("comment removed", "comments removed"),
    ),
    CorrectionKind.WRITE_JSON: CorrectionRule(
        "Write the lines as JSON",
        "Straight quotation marks, \\n for a line break in a text, no comma after a request, no "
        "JSON in JSON. A line whose meaning is not certain stays as it is.",
        (
            *("python_dict", "trailing_comma", "curly_quotes", "control_character"),
            *("line_break_in_text", "encoded_twice"),
        ),
        ("line written as JSON", "lines written as JSON"),
    ),
    CorrectionKind.RENAME_FIELDS: CorrectionRule(
        "Rename the fields",
        "Gives misspelled fields the names custom_id, method, url and body.",
        ("misspelled_field",),
        ("request with fields renamed", "requests with fields renamed"),
    ),
    CorrectionKind.CONVERT_FORMAT: CorrectionRule(
        "Turn into requests",
        "Writes custom_id, method, url and body. Marks of the other service without text, such as "
        "cache_control, safetySettings and anthropic_version, are left out. A line of which "
        "anything else would be lost stays as it is.",
        ("anthropic_batch", "vertex_batch", "bedrock_batch", "no_method_and_url", "bare_bodies"),
        ("line turned into a request", "lines turned into requests"),
    ),
    CorrectionKind.UNWRAP_BODY: CorrectionRule(
        "Write body as an object",
        "Reads the JSON that stands in body as text.",
        ("body_is_text",),
        ("body written as an object", "bodies written as objects"),
    ),
    CorrectionKind.MOVE_INTO_BODY: CorrectionRule(
        "Move fields into body",
        "Moves model, messages and others from beside body into it.",
        ("fields_beside_body", "input_beside_body", "misplaced_field"),
        ("request with fields moved into body", "requests with fields moved into body"),
    ),
    CorrectionKind.SET_METHOD_AND_URL: CorrectionRule(
        "Correct method and url",
        "Writes POST, and the url that is meant or that takes such a body.",
        (
            *("missing_method", "method_not_text", "method_not_post"),
            *("misspelled_url", "missing_url"),
        ),
        ("request given its method and url", "requests given their method and url"),
    ),
    CorrectionKind.SET_CUSTOM_ID: CorrectionRule(
        "Write a custom_id",
        "Writes numbers as text, and the number of the line where there is no custom_id.",
        ("missing_custom_id", "custom_id_not_text", "blank_custom_id"),
        ("custom_id written", "custom_ids written"),
    ),
    CorrectionKind.SET_MODEL: CorrectionRule(
        "Set the model",
        "Writes this model into the requests that name none, or into all of them.",
        ("missing_model", "model_not_text", "blank_model", "bad_model_name", "mixed_models"),
        ("request given the model {model}", "requests given the model {model}"),
        "model",
    ),
    CorrectionKind.FIT_PARAMETERS: CorrectionRule(
        "Write parameters as the endpoint takes them",
        "Renames fields of other endpoints, such as max_tokens to max_output_tokens, and takes "
        "numbers, true and false out of their quotes.",
        ("field_of_another_endpoint", "misnamed_input", "quoted_parameter", "bad_max_tokens"),
        ("request with parameters rewritten", "requests with parameters rewritten"),
    ),
    CorrectionKind.SET_MAX_TOKENS: CorrectionRule(
        "Limit the length of answers",
        "Writes this limit into the requests that have none, or one that cannot be kept.",
        ("no_max_tokens", "bad_max_tokens", "missing_max_tokens"),
        ("answer limited to {max_tokens:,} tokens", "answers limited to {max_tokens:,} tokens"),
        "max_tokens",
    ),
    CorrectionKind.LOWER_MAX_TOKENS: CorrectionRule(
        "Lower the limit to what the model writes",
        "Writes the most new tokens of the model where a request allows more.",
        ("too_many_new_tokens",),
        ("limit of an answer lowered", "limits of answers lowered"),
    ),
    CorrectionKind.STRIP_STREAM: CorrectionRule(
        "Remove stream",
        "A batch has nothing to stream to; answers come as a whole.",
        ("stream",),
        ("stream removed", "streams removed"),
    ),
    CorrectionKind.SET_REASONING_EFFORT: CorrectionRule(
        "Write reasoning as reasoning_effort",
        "Turns enable_thinking, thinking and other fields into the effort that means the same, "
        "where that is certain. A budget of tokens becomes the nearest effort, which may think "
        "more or less.",
        ("unsupported_reasoning", "bad_reasoning_effort", "ignored_thinking"),
        ("reasoning effort set", "reasoning efforts set"),
    ),
    CorrectionKind.REMOVE_MARKERS: CorrectionRule(
        "Remove wrong cache markers",
        "Removes cache_control where the request would fail, where it only costs, and where it is "
        "not read. The other markers stay.",
        ("bad_cache_marker", "costly_cache_marker", "ignored_cache_marker"),
        ("request with markers removed", "requests with markers removed"),
    ),
    CorrectionKind.SUFFIX_DUPLICATES: CorrectionRule(
        "Number repeated custom_ids",
        "The first request keeps its custom_id; those after it get -2, -3 and so on.",
        ("duplicate_custom_id",),
        ("custom_id numbered", "custom_ids numbered"),
    ),
    CorrectionKind.DROP_REPEATED: CorrectionRule(
        "Drop repeated requests",
        "Drops every request that asks word for word what an earlier one asks. Its custom_id gets "
        "no result.",
        ("identical_body",),
        ("repeated request dropped", "repeated requests dropped"),
        is_default=False,
    ),
    CorrectionKind.DROP_BAD_ROWS: CorrectionRule(
        "Drop the lines with errors",
        "Drops every line that cannot be sent and that no other correction here corrects.",
        (),  # every error of a line, see corrections_for
        ("line dropped", "lines dropped"),
    ),
    CorrectionKind.MARK_SHARED_PROMPT: CorrectionRule(
        "Mark the shared prompt",
        "Writes cache_control on the last block that requests share.",
        (),  # of no finding, see ``prompt_marks``
        ("request marked for the cache", "requests marked for the cache"),
        "marking",
        is_default=False,
    ),
}

# Corrections of the file as text, after which its lines are others than before.
STRUCTURE = frozenset(
    {
        *(CorrectionKind.CONVERT_TO_UTF8, CorrectionKind.ONE_PER_LINE),
        *(CorrectionKind.REMOVE_COMMENTS, CorrectionKind.WRITE_JSON),
    }
)

# Corrections after which a line may have another custom_id, or one at all.
ID_WRITERS = STRUCTURE | {
    *(CorrectionKind.REMOVE_BYTE_ORDER_MARK, CorrectionKind.RENAME_FIELDS),
    *(CorrectionKind.CONVERT_FORMAT, CorrectionKind.SET_CUSTOM_ID),
}

# Corrections that write the endpoint of ``Choice`` where a request does not tell its own.
URL_WRITERS = frozenset({CorrectionKind.CONVERT_FORMAT, CorrectionKind.SET_METHOD_AND_URL})


def corrections_for(code: str) -> list[CorrectionKind]:
    """Return the corrections for a finding of ``code``; the first keeps most of the file."""
    kinds = [kind for kind, rule in CORRECTION_RULES.items() if code in rule.codes]
    if code not in FILE_CODES and severity_of(code) is Severity.ERROR:
        kinds.append(CorrectionKind.DROP_BAD_ROWS)
    return kinds


class Choice(msgspec.Struct, frozen=True):
    """The corrections that a person chose, and the values to write.

    ``every_model`` also replaces the models that requests name already, and ``every_marker`` also
    removes markers that are not wrong. ``url`` is the endpoint
    of requests that do not tell theirs, and of those that can be written for several. ``marking``
    is made alone, by ``PromptMarker``.
    """

    corrections: frozenset[CorrectionKind]
    model: str = ""
    max_tokens: int = 0
    every_model: bool = False
    url: str = ""
    marking: Marking | None = None
    every_marker: bool = False
