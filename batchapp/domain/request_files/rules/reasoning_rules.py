"""Find the reasoning fields that the provider refuses, and the effort that they mean.

Source: the provider's server, control-layer 10.13, ``onwards/src/reasoning.rs``; run there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from batchapp.domain.request_files.findings import RequestFinding

CHAT, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/completions"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

# The fields for reasoning that other servers and clients read, with the fields of this provider.
TEMPLATE_FIELDS = ("chat_template_kwargs", "thinking", "thinking_token_budget")
FIELDS = (*TEMPLATE_FIELDS, "reasoning", "reasoning_effort")
REFUSED = {
    CHAT: frozenset({*TEMPLATE_FIELDS, "reasoning"}),
    RESPONSES: frozenset({*TEMPLATE_FIELDS, "reasoning_effort"}),
    COMPLETIONS: frozenset(FIELDS),
}
# Where each url takes the effort.
EFFORT_NAMES = {CHAT: "reasoning_effort", RESPONSES: "reasoning.effort"}

# Words that people write for an effort, in lower case with _ for a blank.
EFFORT_WORDS = {
    **{effort: effort for effort in EFFORTS},
    **dict.fromkeys(("off", "false", "no", "disabled", "disable", "zero", "0"), "none"),
    **dict.fromkeys(("min", "minimum", "very_low"), "minimal"),
    **dict.fromkeys(("mid", "normal", "moderate"), "medium"),
    **dict.fromkeys(("on", "true", "yes", "enabled", "enable", "adaptive", "auto"), "on"),
    **dict.fromkeys(("x_high", "very_high", "extra_high", "ultra"), "xhigh"),
    **dict.fromkeys(("maximum", "highest"), "max"),
}
# The efforts that a budget of tokens comes nearest to, the largest budget of each first.
# Source: Gemini's compatibility with OpenAI, which turns efforts into these budgets.
BUDGETS = ((0, "none"), (1_024, "low"), (8_192, "medium"))
LARGE_BUDGET = "high"
ON = "on"
USUAL_EFFORT = "medium"  # of OpenAI's models, if a request names none
SWITCHES = frozenset({"thinking", "enable_thinking"})  # in chat_template_kwargs
UNCERTAIN_FIELDS = frozenset({"max_tokens", "budget_tokens", "thinking_budget"})


class Meaning(NamedTuple):
    """The effort that a field means.

    ``effort`` is None if the field can be left out, "" if its meaning is not known, and ON for
    thinking without an effort of its own. ``is_exact`` is False for a budget of tokens, which
    becomes the nearest effort.
    """

    effort: str | None
    is_exact: bool = True

    @property
    def written(self) -> str:
        """Return the effort to write, "" if there is none."""
        return USUAL_EFFORT if self.effort == ON else self.effort or ""


UNKNOWN, NOTHING = Meaning(""), Meaning(None)


def find_refused_fields(
    body: Mapping[str, Any], url: object, provider: str
) -> Iterator[RequestFinding]:
    """Yield a finding for each field for reasoning that the provider refuses at ``url``."""
    if not isinstance(url, str) or url not in REFUSED:
        return
    for field in FIELDS:
        if field in body and field in REFUSED[url]:
            yield _refusal(field, body[field], url, provider)
    if url in EFFORT_NAMES and not _is_effort_accepted(body, url):
        name = EFFORT_NAMES[url]
        advice = _advice(meaning_of("effort", _effort(body, url)), name) or "choose one of them"
        yield RequestFinding(
            "bad_reasoning_effort",
            f"{name} must be one of {', '.join(EFFORTS)} for {provider}; {advice}.",
        )


def find_ignored_switch(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    """Find ``enable_thinking`` outside ``chat_template_kwargs``, where the provider ignores it."""
    if url in EFFORT_NAMES:
        advice = _advice(meaning_of("switch", body["enable_thinking"]), EFFORT_NAMES[url])
        yield RequestFinding(
            "ignored_thinking",
            f"enable_thinking in body is ignored; {advice or 'write ' + EFFORT_NAMES[url]}.",
        )


def meaning_of(field: str, value: object) -> Meaning:
    """Return the effort that ``value`` of a field for reasoning means."""
    meaning = UNKNOWN
    match field, value:
        case (_, None) | ("chat_template_kwargs" | "thinking" | "reasoning", {}) if not value:
            meaning = NOTHING
        case "chat_template_kwargs", dict() if value.keys() <= SWITCHES:
            meaning = combine([meaning_of("switch", switch) for switch in value.values()])
        case (("thinking" | "reasoning"), dict()):
            meaning = _meaning_of_object(value)
        case (("thinking" | "switch" | "effort"), bool()):
            meaning = Meaning(ON if value else "none")
        case (("thinking" | "reasoning" | "effort" | "switch"), str()):
            meaning = Meaning(EFFORT_WORDS.get(_as_word(value), ""))
        case (("thinking_token_budget" | "budget"), int()) if not isinstance(value, bool):
            meaning = _meaning_of_budget(value)
    return meaning


def combine(meanings: list[Meaning]) -> Meaning:
    """Return the one effort that all ``meanings`` can have together; unknown if they disagree.

    Thinking without an effort of its own agrees with every effort but none.
    """
    efforts = {meaning.effort for meaning in meanings} - {None}
    if len(efforts) > 1 and "none" not in efforts:
        efforts.discard(ON)
    if len(efforts) > 1:
        return UNKNOWN
    is_exact = all(meaning.is_exact for meaning in meanings)
    return Meaning(efforts.pop(), is_exact) if efforts else NOTHING


def _meaning_of_object(value: dict[str, Any]) -> Meaning:
    """Read ``thinking`` of Anthropic's API, and ``reasoning`` of OpenAI's and OpenRouter's."""
    meanings = []
    for field, inner in value.items():
        if field in {"effort", "type", "enabled"}:
            meanings.append(meaning_of("effort", inner))
        elif field in UNCERTAIN_FIELDS:
            meanings.append(meaning_of("budget", inner))
        elif field not in {"summary", "generate_summary"}:
            return UNKNOWN
    return combine(meanings)


def _meaning_of_budget(tokens: int) -> Meaning:
    if tokens < 0:  # without a limit, as the model likes
        return Meaning(ON)
    effort = next((effort for limit, effort in BUDGETS if tokens <= limit), LARGE_BUDGET)
    return Meaning(effort, is_exact=not tokens)


def _as_word(text: str) -> str:
    return text[:20].strip().lower().replace("-", "_").replace(" ", "_")


def _effort(body: Mapping[str, Any], url: str) -> object:
    if url == CHAT:
        return body.get("reasoning_effort")
    reasoning = body.get("reasoning")
    return reasoning.get("effort") if isinstance(reasoning, dict) else reasoning


def _is_effort_accepted(body: Mapping[str, Any], url: str) -> bool:
    effort = _effort(body, url)
    if url == RESPONSES and effort is not None and not isinstance(body.get("reasoning"), dict):
        return False
    return effort is None or (isinstance(effort, str) and effort in EFFORTS)


def _refusal(field: str, value: object, url: str, provider: str) -> RequestFinding:
    name = EFFORT_NAMES.get(url)
    if name is None:
        advice = "leave it out, or ask at /v1/chat/completions"
    else:
        kind = "effort" if field == "reasoning_effort" else field
        advice = _advice(meaning_of(kind, value), name) or f"write {name} instead"
    subject = provider[:1].upper() + provider[1:]
    return RequestFinding(
        "unsupported_reasoning", f"{subject} refuses {field} at {url}; {advice}."
    )


def _advice(meaning: Meaning, name: str) -> str:
    """Say what to write as ``name`` instead; "" if that is not known."""
    if not meaning.written:
        return "leave it out" if meaning.effort is None else ""
    effort = f'"{meaning.written}"'
    is_flat = name == EFFORT_NAMES[CHAT]
    written = f'"{name}": {effort}' if is_flat else f'"reasoning": {{"effort": {effort}}}'
    about = "" if meaning.is_exact else ", the nearest effort, which may think more or less"
    return f"write {written}{about}"
