"""The causes of failures that are known, and what mends each: one table.

The first row counts of which a pattern is in the provider's answer. Without one, the outcome
decides, and the message is shown as it came.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from batchapp.domain.results.outcome import FAILED, Outcome


class NextStep(StrEnum):
    """The step by which a person can mend requests of one cause."""

    RETRY = "retry"
    MORE_TOKENS = "more_tokens"
    OTHER_MODEL = "other_model"
    CORRECT = "correct"
    READ = "read"


class Cause(NamedTuple):
    """``sentence`` says why requests failed and what to change; "" if that is unknown."""

    sentence: str
    next_step: NextStep


class Known(NamedTuple):
    """A cause, and the patterns of it: in lower case, in "HTTP 400 error_code message"."""

    patterns: tuple[str, ...]
    cause: Cause


_UNKNOWN = "(unsupported|unknown|unrecogni[sz]ed|unexpected|extra)"
_INPUT = "(image|picture|audio|video|media|file|url)"

KNOWN_CAUSES = (
    Known(
        (
            r"context.?(length|window|size)|maximum context|max_model_len",
            r"(prompt|input) is too long|too many (input |prompt )?tokens",
            r"longer than the (maximum )?model",
        ),
        Cause(
            "Prompt and answer do not fit into the context of the model. Choose a model with a "
            "longer context, or shorten the prompts.",
            NextStep.OTHER_MODEL,
        ),
    ),
    Known(
        (
            r"max_(completion_|output_|new_)?tokens?\b.{0,80}(too large|at most|must be|exceed)",
            r"max_(completion_|output_|new_)?tokens?\b.{0,80}(greater|less) than",
        ),
        Cause("max_tokens is more than the model writes. Lower it in the file.", NextStep.CORRECT),
    ),
    Known(
        (
            rf"{_INPUT}.{{0,120}}\b(401|403|forbidden|unauthori[sz]ed|access denied)",
            rf"\b(403|forbidden)\b.{{0,80}}{_INPUT}",
        ),
        Cause(
            "The host of an image or a file refuses to hand it out. Make the address public, or "
            "put the image into the request.",
            NextStep.CORRECT,
        ),
    ),
    Known(
        (
            rf"{_INPUT}.{{0,80}}(not found|\b404\b|could not be (fetched|downloaded|loaded))",
            rf"(failed|unable|cannot|not) (to )?(fetch|download|load|retriev).{{0,60}}{_INPUT}",
            rf"time[sd]? ?out.{{0,40}}(fetch|download).{{0,40}}{_INPUT}",
        ),
        Cause(
            "An image or a file could not be fetched. Check the addresses in the file.",
            NextStep.CORRECT,
        ),
    ),
    Known(
        (
            rf"(invalid|unsupported|corrupt\w*|cannot identify|decod\w+) .{{0,40}}{_INPUT}",
            rf"{_INPUT}.{{0,60}}(invalid|unsupported|corrupt|too large|not supported|decode)",
        ),
        Cause(
            "The model cannot read an image, a sound or a video. Check its format and size, or "
            "choose a model that reads such input.",
            NextStep.CORRECT,
        ),
    ),
    Known(
        (
            r"additionalproperties|json.?schema|response_format|guided_|grammar",
            r"(invalid|unsupported|bad) .{0,40}schema",
        ),
        Cause(
            "The JSON schema of the requests is not accepted. Correct it in the file: some "
            "providers want additionalProperties to be false, and every field to be required.",
            NextStep.CORRECT,
        ),
    ),
    Known(
        (r"content.?(filter|policy|management)|safety|moderation|flagged|responsible ai",),
        Cause(
            "A content filter of the provider stopped the requests. Read some of them, and "
            "change what is asked.",
            NextStep.READ,
        ),
    ),
    Known(
        (
            r"model_not_found|(no such|unknown|invalid) model",
            r"model.{0,80}(does not exist|not found|is not available|no access)",
            r"model.{0,80}(not been configured|decommissioned|deprecated|not a valid)",
        ),
        Cause(
            "The provider does not offer the model, or not to this key. Choose another model.",
            NextStep.OTHER_MODEL,
        ),
    ),
    Known(
        (r"rate.?limit|too many requests|\b429\b|quota|slow down",),
        Cause("The provider was asked for more at a time than it allows.", NextStep.RETRY),
    ),
    Known(
        (r"time[sd]?.?out|deadline|did not answer in time|\b(408|504)\b",),
        Cause("The model did not answer in time.", NextStep.RETRY),
    ),
    Known(
        (r"overload|capacity|unavailable|try again later|\b(502|503|529)\b|server is busy",),
        Cause("The provider or the model was overloaded.", NextStep.RETRY),
    ),
    Known(
        (
            rf"{_UNKNOWN}.{{0,40}}(parameter|argument|field|keyword|value|input)",
            r"(parameter|argument|field).{0,80}(not (supported|permitted|allowed)|must be)",
            r"extra_forbidden|not permitted|unsupported_(parameter|value)|invalid.parameter",
        ),
        Cause(
            "The model does not take a parameter of the requests. Remove or correct it in the "
            "file.",
            NextStep.CORRECT,
        ),
    ),
    Known(
        (
            r"could not reach|connection (reset|refused|closed|error)|network",
            r"internal server error|\b500\b|stopped while|interrupted",
        ),
        Cause("The provider broke off.", NextStep.RETRY),
    ),
)

# Of answers that miss their schema; the patterns are those of our own check.
SCHEMA_CAUSES = (
    Known(
        (r"is not one of",),
        Cause(
            "An answer is off the list of choices. Another model may keep to it; or say in the "
            "prompt that no other word is allowed.",
            NextStep.OTHER_MODEL,
        ),
    ),
    Known(
        (r"is not json",),
        Cause(
            "The answer is no JSON, though a schema was asked for. Another model may follow it.",
            NextStep.OTHER_MODEL,
        ),
    ),
    Known(
        (r"is a required property",),
        Cause("A field that the schema requires is missing in the answer.", NextStep.OTHER_MODEL),
    ),
)

OUTCOME_CAUSES = {
    Outcome.TRUNCATED: Cause("The answer reached its max_tokens.", NextStep.MORE_TOKENS),
    Outcome.REFUSED: Cause("The model declined to answer.", NextStep.READ),
    Outcome.EMPTY: Cause("The model gave no text.", NextStep.READ),
    Outcome.INVALID_SCHEMA: Cause("The answer does not follow its schema.", NextStep.OTHER_MODEL),
    Outcome.INVALID_REQUEST: Cause("", NextStep.CORRECT),
    Outcome.PROVIDER_ERROR: Cause("", NextStep.RETRY),
    Outcome.UNPAID: Cause("The account had no credits left. Add credits first.", NextStep.RETRY),
    Outcome.EXPIRED: Cause("The completion window ended before it was its turn.", NextStep.RETRY),
    Outcome.CANCELLED: Cause("Not tried before the batch was cancelled.", NextStep.RETRY),
    Outcome.MISSING: Cause("The provider returned nothing.", NextStep.RETRY),
}
TABLES = {
    Outcome.INVALID_SCHEMA: SCHEMA_CAUSES,
    **dict.fromkeys(FAILED - {Outcome.UNPAID, Outcome.EXPIRED}, KNOWN_CAUSES),
}


def cause_of(outcome: Outcome, status_code: int | None, error_code: str, message: str) -> Cause:
    """Return the cause of a result without a good answer; its sentence is "" if it is unknown."""
    text = f"HTTP {status_code} {error_code} {message}".lower()
    for known in TABLES.get(outcome, ()):
        if any(re.search(pattern, text) for pattern in known.patterns):
            is_passing = known.cause.next_step is NextStep.RETRY
            if is_passing and outcome is Outcome.INVALID_REQUEST:
                break  # its status says that the same request fails again
            return known.cause
    return OUTCOME_CAUSES[outcome]
