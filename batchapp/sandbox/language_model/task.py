"""What a request asks for: the instruction, the text that it is about, and the kind of answer."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.language_model.labels import find_labels

MAX_PROMPT_CHARACTERS = 3000  # read of each prompt, so that huge prompts are not slow
MAX_INSTRUCTION_CHARACTERS = 800
MAX_QUESTION_CHARACTERS = 300

_VERBS = (
    "summari[sz]e|translate|classify|extract|answer|reply|respond|return (?:only|just|json|the|a)|"
    "label|rate|choose|pick|select|list|write|give|identify|determine|tell|describe|explain|decide|"
    "count|tag|categori[sz]e|rewrite|rephrase|correct|convert|detect|assign|score|output|generate|"
    "shorten|you are|your task|on a scale"
)
_IMPERATIVE = re.compile(rf"(?:^|[.!?:]\s+|\n)\W*(?:please |now |then )?(?:{_VERBS})\b", re.I)
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LABEL = re.compile(r"^[A-Z][\w '\u2019-]{0,30}:\s+(?=\S+(?:\s+\S+){4})")
_FACT = re.compile(r"^[A-Z][^:\n]{0,60}:(?:\s+\S+){0,4}\s*$")
_COLON = re.compile(r":\s+")

_SCALE_WORDS = (
    r"\b(?:scale|between|from)\b[^.\n]{0,30}?\d+\s*(?:to|and|-|\u2013)\s*\d+"
    r"|\b1\s*[-\u2013]\s*\d+\b"
)
# What an instruction says, and the kind of answer that follows; the first match decides.
_KINDS = tuple(
    (kind, re.compile(words, re.I))
    for kind, words in (
        ("scale", _SCALE_WORDS),
        ("sentiment", r"\b(?:sentiment|mood|tone)\b"),
        ("language", r"\b(?:which|what|detect|name)\b[^.\n]{0,20}\blanguage\b"),
        ("word", r"\b(?:one|single)[- ]word\b"),
        ("number", r"\bhow (?:many|much)\b|\b(?:answer|reply|respond)\b[^.\n]{0,20}\bnumber\b"),
        ("translation", r"\btranslat"),
        ("title", r"\b(?:write|give|suggest|create|find)\b[^.\n]{0,20}\b(?:title|headline)\b"),
        ("summary", r"\bsummar|\btl;?dr\b|\bshorten\b|\bin your own words\b|\babstract of\b"),
        ("rewriting", r"\b(?:rewrite|rephrase|paraphrase|proofread|correct the)\b"),
        ("list", r"\b(?:keywords?|key phrases|bullets?|bullet points|list (?:the|all|five))\b"),
        ("extract", r"\b(?:extract|find|copy|quote)\b"),
    )
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class Kind:
    name: str
    choices: tuple[str, ...] = ()


class Task:
    """The last message of the user, with the system prompt as a part of its instruction."""

    def __init__(self, conversation: Conversation) -> None:
        self.prompt = conversation.prompt[:MAX_PROMPT_CHARACTERS].strip()
        ending = conversation.prompt[MAX_PROMPT_CHARACTERS:][-MAX_INSTRUCTION_CHARACTERS:]
        self.question, self.material = _split(f"{self.prompt}\n\n{ending}".strip())
        system = conversation.system[-MAX_PROMPT_CHARACTERS:].strip()
        # A message without an instruction of its own is the text for that of the system prompt.
        has_own = self.question != self.material or _kind(system).name == "answer"
        self.instruction = f"{self.question}\n{system}".strip() if has_own else system

    @property
    def kind(self) -> Kind:
        return _kind(self.instruction)

    @cached_property
    def sentences(self) -> list[str]:
        """Return the sentences of the material, without headings and labels of lines."""
        lines = [_LABEL.sub("", line.strip()) for line in self.material.splitlines()]
        longest = max(map(len, lines), default=0)
        prose = [line for line in lines if len(line) * 4 > longest and not _FACT.match(line)]
        text = " ".join(" ".join(prose or lines).split())
        return [part for part in _SENTENCE.split(text) if part] or [text]


@lru_cache(maxsize=256)  # the requests of a file have the same instruction
def _kind(instruction: str) -> Kind:
    """Return ``choice``, one of the kinds of ``_KINDS``, or ``answer`` for anything else."""
    labels = find_labels(instruction)
    if labels:
        return Kind("choice", labels)
    names = (kind for kind, words in _KINDS if words.search(instruction))
    return Kind(next(names, "answer"))


def _split(prompt: str) -> tuple[str, str]:
    """Return the instruction and the text that it is about; both may be the whole prompt."""
    paragraphs = [part.strip() for part in _PARAGRAPH.split(prompt) if part.strip()] or [prompt]
    orders = [part for part in paragraphs if _is_order(part)]
    for part in (paragraphs[0], paragraphs[-1]) if len(paragraphs) > 1 else ():
        if "?" in part and len(part) < MAX_QUESTION_CHARACTERS and part not in orders:
            orders.append(part)
    others = [part for part in paragraphs if part not in orders]
    if orders and others:
        return "\n".join(orders), "\n\n".join(others)
    for colon in _COLON.finditer(prompt[:MAX_INSTRUCTION_CHARACTERS]):
        head, tail = prompt[: colon.start()], prompt[colon.end() :].strip(" \n\"'“”")
        if tail and _is_order(head) and head.count("{") == head.count("}") and not _lists(tail):
            return head, tail
    sentences = _SENTENCE.split(prompt)
    asked = [part for part in sentences if _is_order(part)]
    told = [part for part in sentences if part not in asked]
    if asked and told:
        return " ".join(asked), " ".join(told)
    return prompt, prompt


def _is_order(text: str) -> bool:
    return len(text) < MAX_INSTRUCTION_CHARACTERS and _IMPERATIVE.search(text) is not None


def _lists(text: str) -> bool:
    """Return whether ``text`` is a list of choices and not the text that is to be read."""
    return len(text) < 120 and "\n" not in text and bool(find_labels(f"one of: {text}"))
