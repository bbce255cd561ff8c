"""The words of an answer: no intelligence, but always about what was asked."""

import re

from batchapp.sandbox.answers.conversation import Conversation
from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.dice import Dice

READ_CHARACTERS = 1500
"""How much of a prompt is looked at, so that a huge one costs no more than a long one."""

REFUSAL = "I'm sorry, but I can't help with that request."

_LABEL_LEADS = (
    "one of",
    "labels",
    "label",
    "categories",
    "category",
    "classes",
    "options",
    "choose from",
    "choose between",
    "either",
    "answer with",
    "reply with",
    "respond with",
    "only with",
)
"""What stands before a list of labels. Plain searches, because an expression is slow here."""
_SORTING_VERBS = ("classify", "label", "rate ", "tag ")
"""After one of these a list of labels may also follow "as" or "into"."""
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}\n]{3,160})[)\]}]")
_SEPARATOR = re.compile(r"\s*(?:,|/|\||;|\bor\b|\band\b)\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.?!\n]")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")

_SIGNS: dict[str, tuple[str, ...]] = {
    "positive": ("great", "good", "love", "excellent", "perfect", "happy", "thank", "recommend"),
    "negative": ("bad", "terrible", "broken", "hate", "awful", "worst", "never", "disappoint"),
    "billing": ("invoice", "charge", "refund", "payment", "price", "paid", "card"),
    "technical": ("error", "crash", "bug", "fail", "broken", "slow", "install"),
    "shipping": ("deliver", "parcel", "package", "arriv", "courier", "late"),
    "account": ("login", "password", "sign in", "email", "profile", "locked"),
    "spam": ("winner", "prize", "click here", "free money", "lottery"),
}
"""Beginnings of words that speak for a label."""


def text_answer(talk: Conversation, model: str, dice: Dice) -> str:
    """A short text that fits the prompt: a label, a summary, a transcript, or a remark."""
    if model in MODELS and MODELS[model].reads_documents:
        return _transcript(dice)
    # Instructions stand at the edges of a prompt; its middle is what they are about.
    instruction = f"{talk.system[:600]}\n{talk.prompt[:500]}\n{talk.prompt[500:][-300:]}"
    labels = find_labels(instruction)
    if labels:
        return choose(labels, talk, dice)
    subject = subject_of(talk)
    small = instruction.lower()
    if any(word in small for word in ("summar", "tl;dr", "tldr", "shorten")):
        return clause(subject, words=25) + "."
    if talk.images and not subject:
        return "The picture shows a single object in the middle, evenly lit, on a plain ground."
    topic = clause(subject, words=9) or "your request"
    return f"{dice.one_of(_OPENINGS)} “{topic}”: {dice.one_of(_REMARKS)}"


_OPENINGS = ("About", "On", "Regarding", "As for")
_REMARKS = (
    "the main point is clear, and nothing in the text contradicts it.",
    "there are two sides to it; the first one weighs more here.",
    "it is best taken step by step, beginning with what is already known.",
    "the short answer is yes, with the limits the text itself names.",
    "what matters most is stated at the beginning; the rest follows from it.",
)


def find_labels(text: str) -> list[str]:
    """The labels an instruction offers, such as "positive, negative or neutral"."""
    small = text.lower()
    if "yes or no" in small or "yes/no" in small:
        return ["yes", "no"]
    leads: tuple[str, ...] = _LABEL_LEADS
    if any(verb in small for verb in _SORTING_VERBS):
        leads += (" as", " into")
    for lead in leads:
        before, found, _after = small.partition(lead)
        if not found:
            continue
        offered = text[len(before) + len(lead) :][:240].lstrip(" :\n-")
        offered = offered.removeprefix("the following").removeprefix("these").lstrip(" :\n-")
        for part in _SENTENCE_END.split(offered, maxsplit=1)[0].split(":"):
            labels = _split_labels(part)
            if labels:
                return labels
    for bracketed in _BRACKETED.finditer(text):
        labels = _split_labels(bracketed[1])
        if labels:
            return labels
    return []


def choose(labels: list[str], talk: Conversation, dice: Dice) -> str:
    """The label the prompt's text speaks for, or one by chance."""
    subject = subject_of(talk).lower()
    scores = [_score(label.lower(), subject) for label in labels]
    best = max(scores)
    if best == 0:
        return dice.one_of(labels)
    return labels[scores.index(best)]


def subject_of(talk: Conversation) -> str:
    """What the prompt is about, without the instruction in front of it."""
    text = talk.prompt[:READ_CHARACTERS].strip()
    for separator in ("\n\n", ":\n", "\n", ": "):
        head, found, tail = text.partition(separator)
        if found and tail.strip() and len(head) < 400:
            return tail.strip().strip("\"'“”")
    return text


def clause(text: str, *, words: int) -> str:
    """The beginning of ``text``, up to the end of its first sentence or ``words`` words."""
    sentence = _SENTENCE_END.split(text[:500].strip(), maxsplit=1)[0]
    return " ".join(sentence.split()[:words]).rstrip(" ,;:")


def words_of(talk: Conversation) -> list[str]:
    """Words of the prompt's subject, for values that should look at home."""
    return _WORD.findall(subject_of(talk)[:600]) or ["sample", "value", "text"]


def _split_labels(offered: str) -> list[str]:
    pieces = [piece.strip(" \t\"'`“”()[]{}*-") for piece in _SEPARATOR.split(offered)]
    labels = [piece for piece in pieces if piece]
    fits = 2 <= len(labels) <= 20 and all(len(label.split()) <= 3 for label in labels)
    return labels if fits else []


def _score(label: str, subject: str) -> int:
    signs = next((words for name, words in _SIGNS.items() if name in label), ())
    return (label in subject) * 2 + sum(sign in subject for sign in signs)


def _transcript(dice: Dice) -> str:
    number, net = 1000 + dice.below(9000), 100 + dice.below(900)
    return (
        f"# Invoice {number}\n\nDate: 2026-0{1 + dice.below(9)}-1{dice.below(10)}\n\n"
        f"| Item | Amount |\n| --- | ---: |\n| Services | {net}.00 |\n"
        f"| Tax (19%) | {net * 0.19:.2f} |\n| **Total** | **{net * 1.19:.2f}** |"
    )
