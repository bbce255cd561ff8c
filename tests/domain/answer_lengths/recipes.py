"""Ten prompts of the table builder, with answers as a real model writes them."""

import json
from pathlib import Path

from batchapp.domain.tables.answer_fields import AnswerField, FieldType, schema_of
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.starter_prompts import Starter, fill

MODEL = "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"
WRITTEN = json.loads(Path(__file__).with_suffix(".json").read_text())
REVIEWS, ANSWERS = WRITTEN["reviews"], WRITTEN["answers"]
TOPICS = ("quality", "price", "delivery", "comfort", "battery")
RECORD = (
    AnswerField("sentiment", FieldType.CHOICE, ("positive", "neutral", "negative")),
    AnswerField("topics", FieldType.LIST, TOPICS),
    AnswerField("is_complaint", FieldType.YES_NO),
    AnswerField("summary"),
)


def _starter(starter: Starter) -> PromptSettings:
    return fill(starter, ["id", "review", "question"], REVIEWS, MODEL)


RECIPES = {
    "classify": _starter(Starter.CLASSIFY),
    "extract": _starter(Starter.EXTRACT),
    "summarise": _starter(Starter.SUMMARISE),
    "translate": _starter(Starter.TRANSLATE),
    "answer": _starter(Starter.ANSWER),
    "explain": PromptSettings(
        MODEL,
        "A user's program stopped because of this: {review}\nTell them in two sentences what "
        "happened and what to try first.",
    ),
    "rate": PromptSettings(
        MODEL,
        "{review}\n\nHow content is the customer, on a scale of 1 to 5? Answer with a number.",
    ),
    "keywords": PromptSettings(
        MODEL, "List five keywords for this review, separated by commas:\n{review}"
    ),
    "title": PromptSettings(MODEL, "{review}", system="Write a title for the review."),
    "record": PromptSettings(
        MODEL,
        "{review}",
        system="You file reviews. Fill in every field.",
        response_schema=schema_of(RECORD),
        max_tokens=400,
    ),
}
