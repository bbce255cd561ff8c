"""The models of the sandbox and their tariffs.

The prices may be out of date.
Source: the provider's skill file, version 2.0.0 (2026-04-13).
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files

# Model -> what is known of it, as the list of the portal says.
FACTS = {
    row["model"]: row
    for row in csv.DictReader(
        files("batchapp").joinpath("data/doubleword_models.csv").read_text().splitlines()
    )
}
EFFORTS = {"switch": ("none", "low", "medium", "high"), "always": ("low", "medium", "high")}

REALTIME = "realtime"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices in one completion window, in USD per million tokens."""

    window: str  # 24h, 1h, or realtime for calls outside a batch
    input: Decimal
    output: Decimal

    def cost(self, *, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the cost in USD, not rounded."""
        return (input_tokens * self.input + output_tokens * self.output) / MILLION


@dataclass(frozen=True, slots=True)
class Model:
    alias: str  # the exact, case-sensitive name
    kind: str  # CHAT or EMBEDDINGS; models that read documents are CHAT
    tariffs: tuple[Tariff, ...]
    reads_documents: bool = False

    @property
    def reads_images(self) -> bool:
        return "image" in FACTS[self.alias]["inputs"]

    @property
    def context_window(self) -> int | None:
        """Return the tokens of a prompt and its answer; None if that is not known."""
        tokens = FACTS[self.alias]["context_tokens"]
        return int(tokens) if tokens else None

    @property
    def efforts(self) -> tuple[str, ...]:
        """Return the values of ``reasoning_effort``; () for a model that does not think."""
        return EFFORTS.get(FACTS[self.alias]["thinking"], ())

    def tariff(self, window: str) -> Tariff:
        """Return the tariff of ``window``, else the realtime tariff, else prices of 0.

        The provider accepts unknown windows here as well.
        """
        tariffs = {tariff.window: tariff for tariff in self.tariffs}
        free = Tariff(window, Decimal(0), Decimal(0))
        return tariffs.get(window) or tariffs.get(REALTIME) or free


def _model(alias: str, kind: str, *, reads_documents: bool = False, **prices: str) -> Model:
    """Return a model; each price is the input and the output price, separated by a slash."""
    windows = {"realtime": REALTIME, "hour": "1h", "day": "24h"}
    tariffs = tuple(
        Tariff(windows[name], *map(Decimal, price.split("/"))) for name, price in prices.items()
    )
    return Model(alias, kind, tariffs, reads_documents)


MODELS: dict[str, Model] = {
    model.alias: model
    for model in (
        _model("Qwen/Qwen3.5-4B", "CHAT", hour="0.05/0.08", day="0.04/0.06"),
        _model("Qwen/Qwen3.5-9B", "CHAT", realtime="0.08/0.70", hour="0.04/0.35", day="0.03/0.29"),
        _model(
            "Qwen/Qwen3-14B-FP8", "CHAT", realtime="0.05/0.60", hour="0.03/0.30", day="0.02/0.20"
        ),
        _model(
            "Qwen/Qwen3.5-35B-A3B-FP8",
            "CHAT",
            realtime="0.25/2.00",
            hour="0.07/0.30",
            day="0.05/0.20",
        ),
        _model(
            "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",
            "CHAT",
            realtime="0.16/0.80",
            hour="0.07/0.30",
            day="0.05/0.20",
        ),
        _model(
            "Qwen/Qwen3-VL-235B-A22B-Instruct-FP8",
            "CHAT",
            realtime="0.60/1.20",
            hour="0.15/0.55",
            day="0.10/0.40",
        ),
        _model(
            "Qwen/Qwen3.5-397B-A17B",
            "CHAT",
            realtime="0.60/3.60",
            hour="0.30/1.80",
            day="0.15/1.20",
        ),
        _model(
            "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4",
            "CHAT",
            realtime="0.30/0.75",
            hour="0.23/0.56",
            day="0.15/0.38",
        ),
        _model(
            "openai/gpt-oss-20b", "CHAT", realtime="0.04/0.30", hour="0.03/0.20", day="0.02/0.15"
        ),
        _model(
            "allenai/olmOCR-2-7B-1025-FP8",
            "CHAT",
            reads_documents=True,
            hour="0.15/0.15",
            day="0.10/0.10",
        ),
        _model(
            "lightonai/LightOnOCR-2-1B-bbox-soup",
            "CHAT",
            reads_documents=True,
            hour="0.08/0.08",
            day="0.05/0.05",
        ),
        _model(
            "Qwen/Qwen3-Embedding-8B",
            "EMBEDDINGS",
            realtime="0.04/0.00",
            hour="0.03/0.00",
            day="0.02/0.00",
        ),
    )
}
CHAT_MODELS = tuple(alias for alias, model in MODELS.items() if model.kind == "CHAT")
