"""Answers in sentences: summaries, translations, lists, and replies to questions."""

import re
from collections.abc import Sequence

from batchapp.sandbox.language_model.facts import word_set
from batchapp.sandbox.language_model.labels import sentiment
from batchapp.sandbox.language_model.task import Task
from batchapp.sandbox.seeded_random import SeededRandom

_NUMBERS = {"one": 1, "a single": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_COUNT = "|".join((r"\d+", *_NUMBERS))
_SENTENCE_LIMIT = re.compile(rf"\b({_COUNT}) (?:short |brief |simple )?sentences?\b", re.I)
_WORD_LIMIT = re.compile(r"\b(\d+) words?\b", re.I)
_TARGET = re.compile(r"\b(?:into|to|in)\s+([A-Z][a-z]+(?: [A-Z][a-z]+)?)\b")
_LONG = re.compile(
    r"\b(?:essay|article|story|in detail|detailed|report|blog|guide|letter)\b", re.I
)
_ELSE = re.compile(
    r"\b(?:answer|say|write|reply)\b[^.\n:]{0,20}[:\"“']\s*([^.\n\"”']{2,40})", re.I
)
_ABOUT = re.compile(
    r"\b(?:about|regarding|(?:how|why|what|who|when|where)(?: (?:do|does|did|is|are|was|can|to))?)"
    r"\s+([^\n]+)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_SUMMARY_CHARACTERS = (160, 420)  # 40 to 105 tokens
_REPLY_SENTENCES, _LONG_REPLY_SENTENCES = (3, 7), (10, 12)

# The sentences of a reply to a request that brings no text; {} is the subject.
_REMARKS = (
    "The short answer about {} is that it depends on what you want to do with it.",
    "What matters most is where {} comes from, because most of its properties follow from that.",
    "It helps to take {} step by step, beginning with what is already known.",
    "There are two sides to {}, and people who have worked with it for long usually see both.",
    "A simple example makes {} clearer than any definition.",
    "In practice the first try with {} rarely works, and the second one is much better.",
    "Two things are often confused here: what {} is, and what it is used for.",
    "If you only remember one thing about {}, let it be that details decide.",
    "Compare this with how {} was done ten years ago, and the difference is easy to see.",
    "For most purposes the common way to handle {} is good enough.",
    "Some sources describe {} differently, so it is worth looking at more than one.",
    "In the end {} is a question of time, of cost and of who has to live with the result.",
)
_EMPTY_WORDS = word_set(
    "answer text from this that what which with alone does does about their they them have will"
    " your sentences sentence words please only when where there"
)
# Frequent words by which the language of a text is known.
_FREQUENT_WORDS = {
    "English": word_set("the and is of to in it that for was with not"),
    "German": word_set("der die das und ist nicht ein eine mit zu den auf"),
    "French": word_set("le la les et est une des pas pour que dans du"),
    "Spanish": word_set("el los las es una que por con para del muy como"),
    "Italian": word_set("il che di per una non sono con gli della è anche"),
}


def summary(task: Task, random: SeededRandom) -> str:
    """Return the first sentences of the material, not more than half of them."""
    low, high = _SUMMARY_CHARACTERS
    characters = low + random.randbelow(high - low)
    chosen: list[str] = []
    for sentence in task.sentences[: max((len(task.sentences) + 1) // 2, 1)]:
        if chosen and len(" ".join((*chosen, sentence))) > characters:
            break
        chosen.append(sentence)
    return limited(_closed(" ".join(chosen)[:high]), task.instruction)


def translation(task: Task) -> str:
    """Return the material after the name of the target language, since nothing is translated."""
    target = _TARGET.search(task.instruction)
    return f"[{target[1] if target else 'Translation'}] {task.material}"


def bullet_points(task: Task, random: SeededRandom) -> str:
    count = 3 + random.randbelow(4)
    return "\n".join(f"- {word}" for word in keywords(task.material)[:count])


def keywords(text: str) -> list[str]:
    """Return the different words of ``text`` with more than four letters, the longest first."""
    letters = (word for word in _WORD.findall(text[:1500]) if word.isalpha())
    words = dict.fromkeys(word for word in letters if len(word) > 4)
    return sorted(words, key=len, reverse=True) or ["sample"]


def reply(task: Task, random: SeededRandom) -> str:
    """Return the sentences of the material that share most words with the instruction."""
    has_source = bool(task.material) and task.material != task.prompt
    if has_source and len(task.material) > 40:
        return limited(_quoted(task), task.instruction)
    least, most = _LONG_REPLY_SENTENCES if _LONG.search(task.question) else _REPLY_SENTENCES
    count = least + random.randbelow(most - least + 1)
    first = random.randbelow(len(_REMARKS) - count + 1)
    # Later sentences name the subject by a pronoun, as a person would.
    subjects = (f"“{_subject(task)}”", *["it"] * (count - 1))
    remarks = _REMARKS[first : first + count]
    texts = [remark.format(subject) for remark, subject in zip(remarks, subjects, strict=True)]
    return limited(" ".join(texts), task.instruction)


def _subject(task: Task) -> str:
    """Return what a question is about, such as "kites fly" in "Why do kites fly?"."""
    about = _ABOUT.search(task.question)
    subject = about[1] if about else task.question or task.prompt
    return first_words(subject, words=9) or "your request"


def one_word(task: Task) -> str:
    """Return the longest word of the first sentence."""
    words = _WORD.findall(task.sentences[0][:300])
    return max(words, key=len) if words else "Unknown"


def mood(text: str) -> str:
    return {1: "positive", 0: "neutral", -1: "negative"}[sentiment(text)]


def language(text: str) -> str:
    words = _WORD.findall(text[:1000].lower())
    counts = {
        name: sum(words.count(word) for word in frequent)
        for name, frequent in _FREQUENT_WORDS.items()
    }
    return max(counts, key=lambda name: counts[name]) if any(counts.values()) else "English"


def limited(text: str, instruction: str) -> str:
    """Return as much of ``text`` as an instruction such as "in two sentences" allows."""
    limit = _SENTENCE_LIMIT.search(instruction)
    if limit:
        count = _NUMBERS.get(limit[1].lower()) or int(limit[1])
        text = " ".join(re.split(r"(?<=[.!?])\s+", text)[: max(count, 1)])
    words = _WORD_LIMIT.search(instruction)
    if words and int(words[1]):
        text = _closed(" ".join(text.split()[: int(words[1])]))
    return text


def first_words(text: str, *, words: int) -> str:
    """Return at most ``words`` words of the first sentence of ``text``."""
    sentence = re.split(r"(?<=[.?!])\s|[?!\n]|\.$", text[:500].strip(), maxsplit=1)[0]
    return " ".join(sentence.split()[:words]).rstrip(" ,;:.")


def _quoted(task: Task) -> str:
    wanted = set(_content_words(task.question))
    overlaps = [len(wanted & set(_content_words(sentence))) for sentence in task.sentences]
    best = max(overlaps)
    excuses = (match[1].strip() for match in _ELSE.finditer(task.instruction))
    excuse = next((text for text in excuses if re.search(r"\b(?:no|not|unknown)\b", text)), None)
    if best == 0 and excuse:
        return excuse
    position = overlaps.index(best)
    return _closed(" ".join(task.sentences[position : position + 2])[:480])


def _content_words(text: str) -> Sequence[str]:
    words = _WORD.findall(text[:1500].lower())
    return [word for word in words if len(word) > 3 and word not in _EMPTY_WORDS]


def _closed(text: str) -> str:
    """Return ``text`` with a full stop at its end."""
    text = text.strip().rstrip(" ,;:")
    return text if text[-1:] in {".", "!", "?", "”", '"', ")"} or not text else f"{text}."
