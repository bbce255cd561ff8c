"""The settings of one sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batchapp.sandbox.prompt_cache.tariffs import CacheSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Durations are in seconds at speed 1; ``speed`` divides them.

    A batch of N requests is ``validating`` for ``validating_seconds``; then its requests finish
    at an even rate in random order within ``base_seconds`` + ``seconds_per_request`` x N.
    """

    data: Path
    guise: str = "doubleword"  # whose API it speaks: see ``guise.GUISES``
    speed: float = 1.0
    seed: int = 1  # selects the calls and lines of random faults
    validating_seconds: float = 0.3
    base_seconds: float = 10.0
    seconds_per_request: float = 0.005
    slow_factor: float = 3.0  # duration of a slow request as a multiple of its batch's duration
    finalizer_seconds: float = 10.0  # status finalizing in lists, if nobody reads the batch itself
    analytics_seconds: float = 2.0  # delay of token and cost totals after the results
    purge_seconds: float = 600.0  # time in which the results of a deleted batch can be read
    webhook_seconds: float = 30.0  # interval between two searches for webhook events

    file_bytes: int = 200 * 1024 * 1024
    line_body_bytes: int = 10 * 1024 * 1024
    json_body_bytes: int = 2 * 1024 * 1024
    requests_per_file: int | None = None
    concurrent_uploads: int | None = None
    file_lifetime_seconds: float = 30 * 24 * 3600.0

    # Deadlines in seconds of real time; ``speed`` does not change them.
    completion_windows: Mapping[str, float] = field(
        default_factory=lambda: {"24h": 24 * 3600.0, "1h": 3600.0}
    )
    # The completion windows of the models that do not support all of them.
    model_windows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    endpoints: tuple[str, ...] = (
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/messages",
    )

    cache: CacheSettings = field(default_factory=CacheSettings)
    # Requests that a model answers at the same time; this decides what the cache can save.
    concurrency: int = 10
    model_concurrency: Mapping[str, int] = field(default_factory=dict)

    def scaled_seconds(self, seconds: float) -> float:
        return seconds / self.speed

    def working_seconds(self, requests: int) -> float:
        """Return the duration from the first to the last of ``requests`` requests."""
        return self.scaled_seconds(self.base_seconds + self.seconds_per_request * requests)
