"""Find the vocabulary, chat template and image rule of a model by its name."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from batchapp.domain.tokens.harmony_prompt import Harmony
from batchapp.domain.tokens.image_tokens import QWEN2_5_VL, QWEN3_VL, PatchRule
from batchapp.domain.tokens.model_prompt import Template
from batchapp.domain.tokens.qwen_prompt import Qwen3, Qwen3_5, Qwen3VL
from batchapp.domain.tokens.vocabularies import Vocabulary, gpt_oss, qwen3, qwen3_5


class Family(NamedTuple):
    """Models with one tokenizer and one chat template.

    ``template`` is None if it is not known to the letter; then no count is exact. ``input_end`` is
    the number of tokens that the tokenizer appends to each text that is embedded.
    """

    vocabulary: Callable[[], Vocabulary]
    template: Template | None = None
    image: PatchRule | None = None
    is_chat: bool = True
    input_end: int = 0


QUANTISED = r"(?:-(?:fp8|nvfp4|bf16|awq|gptq-int[48]|int[48]))?"

# The first pattern that matches the whole name counts, without the maker's name and in any case.
# Sources: Qwen3.5 of less than 4B does not think unless asked to (the models' cards). Of Qwen3,
# sizes without a suffix have the template that thinks or does not, and -2507, Coder and Next have
# other templates. Qwen3-Embedding's tokenizer appends one token (QwenLM/Qwen3-Embedding, #122).
FAMILIES = {
    rf"qwen3\.5-(?:0\.8|2)b{QUANTISED}": Family(qwen3_5, Qwen3_5(thinks=False), QWEN3_VL),
    rf"qwen3\.5-\d+b(?:-a\d+b)?{QUANTISED}": Family(qwen3_5, Qwen3_5(thinks=True), QWEN3_VL),
    r"qwen3\.[56]-.+": Family(qwen3_5, image=QWEN3_VL),
    rf"qwen3-vl-\d+b(?:-a\d+b)?-instruct{QUANTISED}": Family(qwen3, Qwen3VL(), QWEN3_VL),
    r"qwen3-vl-.+": Family(qwen3, image=QWEN3_VL),
    r"qwen3-embedding-(?:0\.6|4|8)b": Family(qwen3, is_chat=False, input_end=1),
    rf"qwen3-(?:0\.6|1\.7|\d+)b(?:-a\d+b)?{QUANTISED}": Family(qwen3, Qwen3()),
    r"qwen3-.+": Family(qwen3),
    r"gpt-oss-\d+b": Family(gpt_oss, Harmony()),
    r"gpt-oss-.+": Family(gpt_oss),
    r"(?:qwen2\.5-vl|olmocr-2)-.+": Family(qwen3, image=QWEN2_5_VL),
}

_PATTERNS = [(re.compile(name, re.IGNORECASE), family) for name, family in FAMILIES.items()]


@lru_cache(maxsize=1_024)
def family_of(model: str) -> Family | None:
    """Return the family of ``model``, or None if the model is not known."""
    name = model.rpartition("/")[2]
    return next((family for pattern, family in _PATTERNS if pattern.fullmatch(name)), None)
