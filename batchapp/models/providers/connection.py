"""Connections to the providers that run batches."""

from dataclasses import replace
from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

import msgspec
from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from batchapp.domain.request_files.limits import ALLOWED_URLS, Limits
from batchapp.models.fields.encryption import (
    SecretField,
    UnreadableKey,
    seal_for,
    unseal_for,
)
from batchapp.models.fields.leased_row import MAX_DELAY
from batchapp.providers import kinds
from batchapp.providers.base import Capabilities
from batchapp.providers.errors import ProviderUnavailable
from batchapp.providers.http import api_url

DOUBLEWORD_URL = "https://api.doubleword.ai"


def default_windows() -> list[str]:
    return ["24h", "1h"]


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def in_use(self) -> Self:
        """Return the connections on which projects may be created and batches ordered."""
        return self.filter(archived_at=None)

    def lock_in_use(self, pk: int) -> bool:
        """Keep a connection from being archived until the end of the transaction.

        Returns False if the connection is archived already.
        """
        # SQLite has no row locks and needs none, because only one transaction writes at a time.
        return bool(self.in_use().filter(pk=pk).select_for_update(no_key=True))


class Connection(models.Model):
    """One provider: its address, its limits, and its abilities beyond the plain OpenAI API."""

    name = models.CharField(max_length=100, unique=True)
    base_url = models.CharField(
        "base URL",
        max_length=300,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="For example https://api.doubleword.ai; /v1 is appended unless the path names "
        "another version",
    )
    kind = models.CharField(
        max_length=20,
        blank=True,
        help_text="What kind of provider answers there; empty until that is found out.",
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
        null=True,
        blank=True,
        help_text="Results can be read while the batch runs, resumed with ?skip=; unknown: as the "
        "kind of provider can",
    )
    has_retry = models.BooleanField(
        null=True,
        blank=True,
        help_text="A batch that ended can be retried in place with /retry; a pause needs this. "
        "Unknown: as the kind of provider can",
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

    archived_at = models.DateTimeField(
        null=True, editable=False, help_text="Nothing new begins on the connection since then."
    )

    platform_ciphertext = SecretField()

    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Calls in a row without a usable answer."
    )
    down_since = models.DateTimeField(null=True, editable=False)
    backoff_until = models.DateTimeField(
        null=True, editable=False, help_text="No calls to the provider until then."
    )

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def window_names(self) -> list[str]:
        """Return the completion windows; none where something else was written, past all forms."""
        return self.windows if isinstance(self.windows, list) else []

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
    def provider_kind(self) -> kinds.Kind:
        """Return the kind that was chosen or found out, or that is known by the address."""
        if self.kind:
            return kinds.kind_named(self.kind)
        # A connection without an address yet stands for Doubleword, see ``preflight``; the sandbox
        # stands in for Doubleword until its answers show another kind.
        if self.is_sandbox or not self.base_url:
            return kinds.DOUBLEWORD
        return kinds.kind_at(self.base_url)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the kind of provider offers, changed where the connection says otherwise."""
        known = self.provider_kind.capabilities
        partial_results, retry = self.has_partial_results, self.has_retry
        return replace(
            known,
            partial_results=known.partial_results if partial_results is None else partial_results,
            retry_in_place=known.retry_in_place if retry is None else retry,
        )

    @property
    def api_address(self) -> str:
        """Return the address below which the API is asked; the base URL if it is no address."""
        try:
            return str(api_url(self.base_url))
        except ProviderUnavailable:
            return self.base_url

    @property
    def has_shipped_lists(self) -> bool:
        """Return True if the prices and models that the portal ships are those of the connection.

        They are published for the provider's own address, and the sandbox simulates them; another
        server of the same kind has its own.
        """
        kind = self.provider_kind
        return self.is_sandbox or (kind.has_shipped_lists and kind.is_at(self.base_url))

    @property
    def account_page(self) -> str:
        """Return the page where credits are added; "" if the connection is to another server."""
        kind = self.provider_kind
        return kind.account_page if kind.is_at(self.base_url) else ""

    @property
    def keys_page(self) -> str:
        """Return the page where keys are made; "" if the connection is to another server."""
        kind = self.provider_kind
        return kind.keys_page if kind.is_at(self.base_url) else ""

    @property
    def create_grace(self) -> timedelta:
        return timedelta(seconds=self.create_grace_seconds)

    @property
    def key_poll_timeout(self) -> timedelta:
        """Return how long a provider batch waits for a key poll before it is polled by itself."""
        return min(timedelta(seconds=3 * self.poll_seconds), MAX_DELAY)

    @property
    def has_platform_key(self) -> bool:
        """Return True if a platform key is stored, can be read, and is for the present address."""
        try:
            return bool(self.platform_key())
        except UnreadableKey:
            return False

    def set_platform_key(self, secret: str) -> None:
        """Encrypt the key of the provider's management API into this row, unsaved."""
        self.platform_ciphertext = seal_for(self.base_url, secret) if secret else ""

    def platform_key(self) -> str:
        """Return the decrypted key of the management API, "" if there is none.

        Raises:
            MovedKey: ``base_url`` was changed since the key was entered.
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it.
        """
        if not self.platform_ciphertext:
            return ""
        return unseal_for(self.base_url, self.platform_ciphertext)

    @cached_property
    def preview_limits(self) -> Limits:
        """The limits with what is known of the models, by one query for each loaded row."""
        return msgspec.structs.replace(self.limits, models=self.offered_models.cards())

    @cached_property
    def check_limits(self) -> Limits:
        """The same with the lengths from which prompts are cached, by another query.

        Requests of a table have no markers, so that its preview does not need it.
        """
        limits = self.preview_limits
        if not limits.reads_cache_markers:
            return limits
        least = self.prices.min_cached_tokens(timezone.now())
        return msgspec.structs.replace(limits, min_cached_by_model=least)

    @property
    def limits(self) -> Limits:
        return Limits(
            max_bytes=self.max_file_bytes,
            max_requests=self.max_requests,
            max_body_bytes=self.max_body_bytes,
            max_upload_bytes=self.max_upload_bytes,
            provider=self.name,
            urls=(*(self.capabilities.endpoints or ALLOWED_URLS), *self.extra_urls),
            thinks=not self.is_sandbox,
            reasoning_effort_only=self._takes_reasoning_effort_only(),
            reads_cache_markers=self.is_sandbox or self.capabilities.cache_markers,
        )

    def _takes_reasoning_effort_only(self) -> bool:
        if self.reasoning_effort_only is not None:
            return self.reasoning_effort_only
        return self.is_sandbox or self.capabilities.reasoning_effort_only
