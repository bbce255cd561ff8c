"""Providers that batches are sent to."""

from datetime import timedelta

from django.core.validators import MinValueValidator, URLValidator
from django.db import models

from batchapp.domain.preflight.jsonl import Limits

DOUBLEWORD_URL = "https://api.doubleword.ai"


def default_windows() -> list[str]:
    return ["24h", "1h"]


class Connection(models.Model):
    """One provider: where it is, what it allows and what it can do beyond plain OpenAI."""

    name = models.CharField(max_length=100, unique=True)
    base_url = models.CharField(
        "base URL",
        max_length=300,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Without /v1, for example https://api.doubleword.ai",
    )
    windows = models.JSONField(
        default=default_windows, help_text="Completion windows on offer, the usual one first."
    )
    max_file_bytes = models.PositiveBigIntegerField(default=200 * 1024 * 1024)
    max_requests = models.PositiveIntegerField(
        "max requests per file", default=50_000, null=True, blank=True
    )
    max_body_bytes = models.PositiveIntegerField(
        "max bytes of one request", default=10 * 1024 * 1024
    )
    poll_seconds = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(1)], help_text="Between two looks at a batch."
    )
    create_grace_seconds = models.PositiveIntegerField(
        default=60,
        help_text="How long a batch whose creation was never confirmed is looked for before it is "
        "created again.",
    )
    has_partial_results = models.BooleanField(
        default=True, help_text="Results can be read while the batch runs, resumed with ?skip="
    )
    is_sandbox = models.BooleanField(
        default=False, help_text="A stand-in: answers are made up and nothing is paid."
    )

    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Calls in a row that brought no usable answer."
    )
    down_since = models.DateTimeField(null=True, editable=False)
    resting_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then nobody asks it anything."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def patience(self) -> timedelta:
        """How long a running part waits for a round of its key before it is asked for itself."""
        return timedelta(seconds=3 * self.poll_seconds)

    @property
    def limits(self) -> Limits:
        return Limits(
            max_bytes=self.max_file_bytes,
            max_requests=self.max_requests,
            max_body_bytes=self.max_body_bytes,
        )
