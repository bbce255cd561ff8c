"""Connections to the providers that run batches."""

from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.utils.functional import cached_property

from batchapp.domain.request_files.limits import ALLOWED_URLS, Limits
from batchapp.models.fields.encryption import seal, unseal
from batchapp.models.fields.leased_row import MAX_DELAY

DOUBLEWORD_URL = "https://api.doubleword.ai"


def default_windows() -> list[str]:
    return ["24h", "1h"]


class Connection(models.Model):
    """One provider: its address, its limits, and its abilities beyond the plain OpenAI API."""

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
    extra_urls = models.JSONField(
        "further endpoints",
        default=list,
        blank=True,
        help_text='That requests may name beside the usual five, such as ["/v1/rerank"]. The '
        "check looks only for the model in such a request.",
    )
    max_file_bytes = models.PositiveBigIntegerField(default=200 * 1024 * 1024)
    max_requests = models.PositiveIntegerField(
        "max requests per file", default=50_000, null=True, blank=True
    )
    max_body_bytes = models.PositiveIntegerField(
        "max bytes of one request", default=10 * 1024 * 1024
    )
    max_upload_bytes = models.PositiveBigIntegerField(
        default=2 * 1024**3,
        help_text="Of one file here; a file beyond the limits above is split.",
    )
    max_active = models.PositiveIntegerField(
        "max batches at a time",
        null=True,
        blank=True,
        help_text="Slots: how many may be at the provider at one time; the others wait.",
    )
    poll_seconds = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1)],
        help_text="Seconds between two polls of the running batches.",
    )
    create_grace_seconds = models.PositiveIntegerField(
        default=60,
        help_text="How long a batch whose creation was never confirmed is looked for before it is "
        "created again.",
    )
    has_partial_results = models.BooleanField(
        default=True, help_text="Results can be read while the batch runs, resumed with ?skip="
    )
    has_retry = models.BooleanField(
        default=True,
        help_text="A batch that ended can be retried in place with /retry; a pause needs this.",
    )
    reasoning_effort_only = models.BooleanField(
        null=True,
        blank=True,
        help_text="The provider refuses chat_template_kwargs, thinking and other fields for "
        "reasoning, and takes reasoning_effort. Unknown: so do Doubleword and the sandbox.",
    )
    stall_minutes = models.PositiveIntegerField(
        default=45, help_text="A running batch without a new answer for so long gets an alert."
    )
    alarm_percent = models.PositiveIntegerField(
        default=20, help_text="Share of failed requests from which a running batch gets an alert."
    )
    is_sandbox = models.BooleanField(
        default=False, help_text="A simulated provider: answers are made up and nothing is paid."
    )

    platform_ciphertext = models.TextField(blank=True, editable=False)

    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Calls in a row without a usable answer."
    )
    down_since = models.DateTimeField(null=True, editable=False)
    backoff_until = models.DateTimeField(
        null=True, editable=False, help_text="No calls to the provider until then."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> tuple[str, int | None, str]:
        """Return host, port and path, which are equal for all spellings of one address."""
        try:
            url = urlsplit(self.base_url.strip())
            port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        except ValueError:  # no valid address
            return self.base_url, None, ""
        return url.hostname or "", port, url.path.rstrip("/").removesuffix("/v1")

    def same_provider(self) -> list["Connection"]:
        """Return all connections to the same provider, with this connection, the oldest first."""
        connections = Connection.objects.order_by("pk")
        return [row for row in connections if row.address == self.address]

    @property
    def is_doubleword(self) -> bool:
        return self.address == Connection(base_url=DOUBLEWORD_URL).address

    @property
    def create_grace(self) -> timedelta:
        return timedelta(seconds=self.create_grace_seconds)

    @property
    def key_poll_timeout(self) -> timedelta:
        """Return how long a provider batch waits for a key poll before it is polled by itself."""
        return min(timedelta(seconds=3 * self.poll_seconds), MAX_DELAY)

    def set_platform_key(self, secret: str) -> None:
        """Encrypt the key of the provider's management API into this row, unsaved."""
        self.platform_ciphertext = seal(secret) if secret else ""

    def platform_key(self) -> str:
        """Return the decrypted key of the management API, "" if there is none.

        Raises:
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it.
        """
        return unseal(self.platform_ciphertext) if self.platform_ciphertext else ""

    @cached_property
    def check_limits(self) -> Limits:
        """The limits with what is known of the models, by one query for each loaded row."""
        return msgspec.structs.replace(self.limits, models=self.offered_models.cards())

    @property
    def limits(self) -> Limits:
        return Limits(
            max_bytes=self.max_file_bytes,
            max_requests=self.max_requests,
            max_body_bytes=self.max_body_bytes,
            max_upload_bytes=self.max_upload_bytes,
            provider=self.name,
            urls=(*ALLOWED_URLS, *self.extra_urls),
            reasoning_effort_only=self._takes_reasoning_effort_only(),
        )

    def _takes_reasoning_effort_only(self) -> bool:
        if self.reasoning_effort_only is not None:
            return self.reasoning_effort_only
        host = self.address[0]
        # A connection without an address yet stands for Doubleword, see ``preflight``.
        return self.is_sandbox or not host or f".{host}".endswith(".doubleword.ai")
