"""Answer texts, as the request asks for them."""

import re
from collections.abc import Callable

from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.language_model import prose
from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.language_model.facts import Facts
from batchapp.sandbox.language_model.labels import choose_label, sentiment
from batchapp.sandbox.language_model.task import Task
from batchapp.sandbox.seeded_random import SeededRandom

REFUSAL = "I'm sorry, but I can't help with that request."
_SCALE = re.compile(r"(-?\d+)\s*(?:to|and|-|\u2013)\s*(\d+)")


def generate_text(conversation: Conversation, model: str, random: SeededRandom) -> str:
    """Return a transcript, a picture's description, or the answer to the instruction."""
    if model in MODELS and MODELS[model].reads_documents:
        return _transcript(random)
    task = Task(conversation)
    if conversation.size.images and not task.prompt:
        return "The picture shows a single object in the middle, evenly lit, on a plain ground."
    return _WRITERS.get(task.kind.name, prose.reply)(task, random)


def rating(text: str, low: int, high: int, random: SeededRandom) -> int:
    """Return a number of a scale: near its end for a positive or negative text, else inside."""
    mood = sentiment(text)
    quarter = (high - low) // 4
    if mood:
        return (high if mood > 0 else low) - mood * random.randbelow(quarter + 1)
    return low + quarter + random.randbelow(max(high - low - 2 * quarter, 0) + 1)


def _label(task: Task, random: SeededRandom) -> str:
    return choose_label(task.kind.choices, task.material, random)


def _rating(task: Task, random: SeededRandom) -> str:
    scale = _SCALE.search(task.instruction)
    low, high = (int(scale[1]), int(scale[2])) if scale else (1, 5)
    return str(rating(task.material, low, max(low, high), random))


def _number(task: Task, random: SeededRandom) -> str:
    numbers = Facts(task.material).numbers(task.instruction)
    return f"{numbers[0]:g}" if numbers else prose.reply(task, random)


def _fact(task: Task, random: SeededRandom) -> str:
    return Facts(task.material).find(task.instruction[:200]) or prose.reply(task, random)


def _transcript(random: SeededRandom) -> str:
    number, net = 1000 + random.randbelow(9000), 100 + random.randbelow(900)
    return (
        f"# Invoice {number}\n\nDate: 2026-0{1 + random.randbelow(9)}-1{random.randbelow(10)}\n\n"
        f"| Item | Amount |\n| --- | ---: |\n| Services | {net}.00 |\n"
        f"| Tax (19%) | {net * 0.19:.2f} |\n| **Total** | **{net * 1.19:.2f}** |"
    )


_WRITERS: dict[str, Callable[[Task, SeededRandom], str]] = {
    "choice": _label,
    "scale": _rating,
    "number": _number,
    "extract": _fact,
    "sentiment": lambda task, _random: prose.mood(task.material),
    "language": lambda task, _random: prose.language(task.material),
    "word": lambda task, _random: prose.one_word(task),
    "translation": lambda task, _random: prose.translation(task),
    "rewriting": lambda task, _random: task.material,
    "list": prose.bullet_points,
    "title": lambda task, _random: prose.first_words(task.sentences[0], words=9),
    "summary": prose.summary,
}
