"""What may differ between one sandbox and another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """How one sandbox behaves; every time below is in seconds at speed 1.

    A batch of N requests is ``validating`` for ``validating_seconds``; then its requests
    finish at an even rate, in shuffled order, the last after ``base_seconds`` +
    ``seconds_per_request`` x N. ``speed`` divides all of these times.
    """

    data: Path
    speed: float = 1.0
    seed: int = 1
    """Decides which calls and lines a fault strikes that is left to chance."""

    validating_seconds: float = 0.3
    base_seconds: float = 10.0
    seconds_per_request: float = 0.005
    slow_factor: float = 3.0
    """How many times its batch's duration a request takes that was asked to be slow."""
    finalizer_seconds: float = 10.0
    """How long listings say ``finalizing`` unless someone looks at the batch itself."""
    analytics_seconds: float = 2.0
    """How far token and cost totals lag behind the results."""
    purge_seconds: float = 600.0
    """How long the results of a deleted batch can still be read."""

    webhook_seconds: float = 30.0
    """How often it is looked whether a webhook is to be called."""

    file_bytes: int = 200 * 1024 * 1024
    line_body_bytes: int = 10 * 1024 * 1024
    json_body_bytes: int = 2 * 1024 * 1024
    requests_per_file: int | None = None
    concurrent_uploads: int | None = None
    file_lifetime_seconds: float = 30 * 24 * 3600.0

    completion_windows: Mapping[str, float] = field(
        default_factory=lambda: {"24h": 24 * 3600.0, "1h": 3600.0}
    )
    """The deadlines a batch may have, in seconds of real time whatever the speed."""
    endpoints: tuple[str, ...] = (
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/messages",
    )

    def lasting(self, seconds: float) -> float:
        """How long something that takes ``seconds`` at speed 1 takes here."""
        return seconds / self.speed

    def working_seconds(self, requests: int) -> float:
        """How long ``requests`` requests take from the first to the last answer."""
        return self.lasting(self.base_seconds + self.seconds_per_request * requests)
