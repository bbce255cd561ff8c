"""Two batches that answer the same reviews, and do not always agree."""

import json
from collections.abc import Iterator

from batchapp.models import Batch, Project, User
from tests import make

REVIEWS = 60
LABELS = ("delivery", "quality", "price")
REASONS = (
    "The customer says that it arrived late, and asks for the money back.",
    "The customer is content with the price, and says that the colour is another one.",
    "It broke after two days; the customer asks for a new one.",
)


def seed(project: Project, user: User) -> dict[str, str]:
    lines = (
        make.request_line(
            number,
            body={
                "model": make.MODEL,
                "messages": [{"role": "user", "content": f"Label this review: {_review(number)}"}],
            },
        )
        for number in range(1, REVIEWS + 1)
    )
    content = "".join(f"{line}\n" for line in lines).encode()
    upload = make.make_upload(project, user, content=content, name="reviews.jsonl")
    key = make.make_key(project)
    batches: dict[str, Batch] = {}
    for name, title, shift in (("judged", "Small model", 0), ("judged_again", "Large model", 7)):
        batch = make.make_batch(project, user, upload=upload, key=key, name=f"Reviews, {title}")
        failed = [make.error_line(number) for number in range(1, 1 + shift // 3)]
        batches[name] = make.finish(batch, _answers(shift, len(failed)), failed)
    return {name: str(batch.pk) for name, batch in batches.items()}


def _review(number: int) -> str:
    return f"{REASONS[number % 3]} Order {1000 + number}."


def _answers(shift: int, failed: int) -> Iterator[bytes]:
    """Yield answers as JSON, of which some are other ones in each batch."""
    for number in range(failed + 1, REVIEWS + 1):
        is_other = shift and number % shift == 0
        label = LABELS[(number + bool(is_other)) % 3]
        reason = REASONS[(number + bool(is_other)) % 3]
        text = json.dumps({"label": label, "certain": number % 5 > 0, "reason": reason})
        yield make.answer_line(number, text=text, tokens=(60, 30 + shift + number % 9))
