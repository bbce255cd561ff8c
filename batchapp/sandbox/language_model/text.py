"""Answer texts that take their words from the prompt."""

import re

from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.seeded_random import SeededRandom

MAX_PROMPT_CHARACTERS = 1500  # read of each prompt, so that huge prompts are not slow
REFUSAL = "I'm sorry, but I can't help with that request."

# Texts that introduce a list of labels. Plain searches: a regular expression is slow here.
_LABEL_INTRODUCTIONS = (
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
# After one of these verbs a list of labels may also follow "as" or "into".
_CLASSIFICATION_VERBS = ("classify", "label", "rate ", "tag ")
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}\n]{3,160})[)\]}]")
_SEPARATOR = re.compile(r"\s*(?:,|/|\||;|\bor\b|\band\b)\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.?!\n]")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")

# Beginnings of words in a prompt that make a label more likely.
_LABEL_KEYWORDS: dict[str, tuple[str, ...]] = {
    "positive": ("great", "good", "love", "excellent", "perfect", "happy", "thank", "recommend"),
    "negative": ("bad", "terrible", "broken", "hate", "awful", "worst", "never", "disappoint"),
    "billing": ("invoice", "charge", "refund", "payment", "price", "paid", "card"),
    "technical": ("error", "crash", "bug", "fail", "broken", "slow", "install"),
    "shipping": ("deliver", "parcel", "package", "arriv", "courier", "late"),
    "account": ("login", "password", "sign in", "email", "profile", "locked"),
    "spam": ("winner", "prize", "click here", "free money", "lottery"),
}
_OPENINGS = ("About", "On", "Regarding", "As for")
_REMARKS = (
    "the main point is clear, and nothing in the text contradicts it.",
    "there are two sides to it; the first one weighs more here.",
    "it is best taken step by step, beginning with what is already known.",
    "the short answer is yes, with the limits the text itself names.",
    "what matters most is stated at the beginning; the rest follows from it.",
)


def generate_text(conversation: Conversation, model: str, random: SeededRandom) -> str:
    """Return a label, a summary, a transcript or a remark, as the prompt requires."""
    if model in MODELS and MODELS[model].reads_documents:
        return _transcript(random)
    # Instructions are usually at the beginning or the end of a prompt.
    prompt = conversation.prompt
    instruction = f"{conversation.system[:600]}\n{prompt[:500]}\n{prompt[500:][-300:]}"
    labels = find_labels(instruction)
    if labels:
        return choose_label(labels, conversation, random)
    subject = find_subject(conversation)
    if any(word in instruction.lower() for word in ("summar", "tl;dr", "tldr", "shorten")):
        return first_words(subject, words=25) + "."
    if conversation.images and not subject:
        return "The picture shows a single object in the middle, evenly lit, on a plain ground."
    topic = first_words(subject, words=9) or "your request"
    return f"{random.choice(_OPENINGS)} “{topic}”: {random.choice(_REMARKS)}"


def find_labels(text: str) -> list[str]:
    """Return the labels of an instruction such as "positive, negative or neutral"."""
    lower_text = text.lower()
    if "yes or no" in lower_text or "yes/no" in lower_text:
        return ["yes", "no"]
    introductions: tuple[str, ...] = _LABEL_INTRODUCTIONS
    if any(verb in lower_text for verb in _CLASSIFICATION_VERBS):
        introductions += (" as", " into")
    for introduction in introductions:
        start = lower_text.find(introduction)
        if start < 0:
            continue
        enumeration = text[start + len(introduction) :][:240].lstrip(" :\n-")
        enumeration = enumeration.removeprefix("the following").removeprefix("these")
        enumeration = enumeration.lstrip(" :\n-")
        for part in _SENTENCE_END.split(enumeration, maxsplit=1)[0].split(":"):
            labels = _split_labels(part)
            if labels:
                return labels
    for bracketed in _BRACKETED.finditer(text):
        labels = _split_labels(bracketed[1])
        if labels:
            return labels
    return []


def choose_label(labels: list[str], conversation: Conversation, random: SeededRandom) -> str:
    """Return the label with the most keywords in the prompt, or any label without keywords."""
    subject = find_subject(conversation).lower()
    scores = [_score(label.lower(), subject) for label in labels]
    best = max(scores)
    if best == 0:
        return random.choice(labels)
    return labels[scores.index(best)]


def find_subject(conversation: Conversation) -> str:
    """Return the prompt without a short instruction at its beginning."""
    text = conversation.prompt[:MAX_PROMPT_CHARACTERS].strip()
    for separator in ("\n\n", ":\n", "\n", ": "):
        head, _separator, tail = text.partition(separator)
        if tail.strip() and len(head) < 400:
            return tail.strip().strip("\"'“”")
    return text


def first_words(text: str, *, words: int) -> str:
    """Return at most ``words`` words of the first sentence of ``text``."""
    sentence = _SENTENCE_END.split(text[:500].strip(), maxsplit=1)[0]
    return " ".join(sentence.split()[:words]).rstrip(" ,;:")


def subject_words(conversation: Conversation) -> list[str]:
    return _WORD.findall(find_subject(conversation)[:600]) or ["sample", "value", "text"]


def _split_labels(enumeration: str) -> list[str]:
    pieces = [piece.strip(" \t\"'`“”()[]{}*-") for piece in _SEPARATOR.split(enumeration)]
    labels = [piece for piece in pieces if piece]
    are_short = all(len(label.split()) <= 3 for label in labels)
    return labels if 2 <= len(labels) <= 20 and are_short else []


def _score(label: str, subject: str) -> int:
    keywords = next((words for name, words in _LABEL_KEYWORDS.items() if name in label), ())
    return (label in subject) * 2 + sum(keyword in subject for keyword in keywords)


def _transcript(random: SeededRandom) -> str:
    number, net = 1000 + random.randbelow(9000), 100 + random.randbelow(900)
    return (
        f"# Invoice {number}\n\nDate: 2026-0{1 + random.randbelow(9)}-1{random.randbelow(10)}\n\n"
        f"| Item | Amount |\n| --- | ---: |\n| Services | {net}.00 |\n"
        f"| Tax (19%) | {net * 0.19:.2f} |\n| **Total** | **{net * 1.19:.2f}** |"
    )
