"""The settings of the prompt cache, and what written and read tokens cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

# Seconds for which a prompt is kept after the start of the last request that used it. These are
# seconds of real time; the speed of the sandbox does not change them.
LIFETIMES = {"5m": 300.0, "1h": 3600.0, "24h": 86400.0}


@dataclass(frozen=True, slots=True)
class CacheTariff:
    """The prices of one model from ``valid_from`` until ``valid_until``, in Unix seconds.

    The multipliers are applied to the input price.
    """

    write_5m: Decimal = Decimal("1.25")
    write_1h: Decimal = Decimal(2)
    write_24h: Decimal = Decimal("2.5")
    read: Decimal = Decimal("0.1")
    min_prefix_tokens: int = 1024  # shorter prompts are not kept
    valid_from: float = 1_767_225_600.0  # 2026-01-01
    valid_until: float | None = None

    @property
    def multipliers(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Return those of writes for 5 minutes, 1 hour and 24 hours, and of reads."""
        return self.write_5m, self.write_1h, self.write_24h, self.read

    def is_valid(self, moment: float) -> bool:
        return self.valid_from <= moment and (
            self.valid_until is None or moment < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Without ``enabled`` markers are neither checked nor used, whatever the tariffs say."""

    enabled: bool = False
    ttls: tuple[str, ...] = ("5m", "1h")  # the lifetimes that a marker may have
    default_ttl: str = "5m"
    tariffs: Mapping[str, tuple[CacheTariff, ...]] = field(default_factory=dict)  # by model

    @classmethod
    def for_models(cls, models: Iterable[str]) -> "CacheSettings":
        """Return an enabled cache with the provider's default prices for ``models``."""
        return cls(enabled=True, tariffs=dict.fromkeys(models, (CacheTariff(),)))

    def tariff(self, model: str, moment: float) -> CacheTariff | None:
        """Return the tariff of ``model`` at ``moment``, or None for a model without a cache."""
        versions = self.tariffs.get(model, ())
        return next((version for version in versions if version.is_valid(moment)), None)
