"""Starter prompts: prompt settings for frequent tasks, filled with the columns of a table."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from batchapp.domain.tables.answer_fields import AnswerField, FieldType, schema_of
from batchapp.domain.tables.row_requests import EMBEDDINGS, PromptSettings

QUESTION_NAMES = ("question", "query", "frage")


class Starter(StrEnum):
    CLASSIFY = "classify"
    EXTRACT = "extract"
    SUMMARISE = "summarise"
    TRANSLATE = "translate"
    ANSWER = "answer"
    EMBED = "embed"


class StarterPrompt(msgspec.Struct, frozen=True):
    """``prompt`` has <text> for the column with the longest text, and <other> for another one.

    The text comes first: so a list of results shows what differs, and models heed what comes last.
    """

    name: str
    prompt: str
    system: str = ""
    max_tokens: int | None = None
    fields: tuple[AnswerField, ...] = ()
    url: str = "/v1/chat/completions"


STARTERS = {
    Starter.CLASSIFY: StarterPrompt(
        "Classify",
        "{<text>}\n\nWhich label fits this text: positive, neutral or negative?",
        system="You label texts. Choose the one label that fits best.",
        max_tokens=60,
        fields=(AnswerField("label", FieldType.CHOICE, ("positive", "neutral", "negative")),),
    ),
    Starter.EXTRACT: StarterPrompt(
        "Extract fields",
        "{<text>}\n\nExtract from this text: the product, the problem, and the amount that is "
        "named.",
        system="You extract facts. Take them from the text alone, and give null for what it does "
        "not say.",
        max_tokens=300,
        fields=(
            AnswerField("product", is_required=False),
            AnswerField("problem", is_required=False),
            AnswerField("amount", FieldType.NUMBER, is_required=False),
        ),
    ),
    Starter.SUMMARISE: StarterPrompt(
        "Summarise",
        "{<text>}\n\nSummarise this text in at most two sentences.",
        system="You summarise texts in their own language, and add nothing.",
        max_tokens=200,
    ),
    Starter.TRANSLATE: StarterPrompt(
        "Translate",
        "{<text>}\n\nTranslate this text into English.",
        system="You are a translator. Answer with the translation alone.",
        max_tokens=1000,
    ),
    Starter.ANSWER: StarterPrompt(
        "Answer from text",
        "{<text>}\n\nAnswer from this text: {<other>}",
        system="Answer from the text alone. If it does not say, answer: not in the text.",
        max_tokens=300,
    ),
    Starter.EMBED: StarterPrompt("Embed", "{<text>}", url=EMBEDDINGS),
}


def fill(
    starter: Starter, columns: Sequence[str], rows: Sequence[Mapping[str, str]], model: str
) -> PromptSettings:
    """Return the settings of a starter for a table with ``columns``, of which ``rows`` are first.

    Rows with an empty cell are left out, since such a request would be paid for nothing.
    """
    prompt = STARTERS[starter]
    text, other = find_columns(columns, rows)
    filled = prompt.prompt.replace("{<text>}", f"{{{text}}}").replace("{<other>}", f"{{{other}}}")
    return PromptSettings(
        model=model,
        prompt=filled,
        system=prompt.system,
        max_tokens=prompt.max_tokens,
        response_schema=schema_of(prompt.fields) if prompt.fields else None,
        url=prompt.url,
        empty="skip",
        unsafe_ids="hash",
    )


def find_columns(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """Return the column with the longest text, and the one that most likely has a question.

    The two are the same only in a table with a single column.
    """
    lengths = {name: sum(len(row.get(name, "")) for row in rows) for name in columns}
    text = max(columns, key=lambda name: lengths[name])
    rest = [name for name in columns if name != text]
    named = [name for name in rest if any(word in name.lower() for word in QUESTION_NAMES)]
    return text, max(named or rest or [text], key=lambda name: lengths[name])
