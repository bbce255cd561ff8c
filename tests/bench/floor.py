"""Do what no check can do without: decode every line, and count the tokens of every text.

python -m tests.bench.floor FILE

Lines are decoded with the fields alone that the count needs, and the texts are counted by the
tokenizer's own batches on all processors.
"""

import sys
from pathlib import Path

import msgspec
import quicktok  # type: ignore[import-untyped]

VOCABULARY = "qwen3"
BATCH_BYTES = 4 * 1024 * 1024


class _Message(msgspec.Struct):
    content: str


class _Body(msgspec.Struct):
    messages: list[_Message]


class _Request(msgspec.Struct):
    custom_id: str
    url: str
    body: _Body


def main(path: str) -> None:
    tokenizer = quicktok.get_encoding(VOCABULARY)
    decode = msgspec.json.Decoder(_Request).decode
    tokens = 0
    with Path(path).open("rb") as file:
        while lines := file.readlines(BATCH_BYTES):
            texts = [message.content for line in lines for message in decode(line).body.messages]
            tokens += int(quicktok.count_batch(tokenizer, texts).sum())
    sys.stdout.write(f"{tokens}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
