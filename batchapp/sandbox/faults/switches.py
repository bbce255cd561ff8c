"""Fault rules: a rule is written as a switch, that is a short text, or as a JSON object.

A switch is ``FAULT[=VALUE][/CALL,...][#WHICH][@FROM-UNTIL]``. ``WHICH`` selects matching calls by
number (``1``, ``2,4``, ``3-5``, ``3-``) or at random (``25%``); the default is all calls. ``FROM``
and ``UNTIL`` are seconds since the rule was added. A key contains switches, each after a ``~``.
"""

import fnmatch
import hashlib
import re
from functools import lru_cache
from typing import Any

import msgspec

from batchapp.sandbox.accounts import account_id
from batchapp.sandbox.faults.kinds import CALL_GROUPS, CALLS, KINDS, call_name
from batchapp.sandbox.seeded_random import SeededRandom

_SWITCH = re.compile(
    r"(?P<fault>[a-z0-9-]+)(=(?P<value>[\w.-]+))?(/(?P<calls>[a-z,-]+))?"
    r"(#(?P<which>[0-9.,%-]+))?(@(?P<after>[0-9.]+)-(?P<until>[0-9.]*))?"
)
_WHICH = re.compile(r"\d+(-\d*)?(,\d+(-\d*)?)*|\d+(\.\d+)?%")


class SwitchError(ValueError):
    """An invalid rule; ``str()`` is a sentence for the user."""


class RuleSpec(msgspec.Struct, forbid_unknown_fields=True):
    """A rule as JSON. ``fault`` may be a whole switch, which only ``calls`` cannot override."""

    fault: str
    value: float | str | None = None
    calls: list[str] | None = None
    method: str | None = None
    path: str | None = None
    which: str | int | None = None
    seed: int | None = None
    key: str | None = None
    after_seconds: float | None = None
    for_seconds: float | None = None


class Rule(msgspec.Struct, frozen=True):
    """One fault and its calls. The names and the order of the fields define ``id``."""

    fault: str
    value: float | str | None
    calls: tuple[str, ...]
    method: str | None = None
    path: str | None = None
    which: str = "1-"
    seed: int | None = None
    account: str | None = None
    after_seconds: float = 0.0
    for_seconds: float | None = None

    @property
    def id(self) -> str:
        """Return a hash of the rule, so that equal rules share their counts after a restart."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()

    @property
    def amount(self) -> float:
        return self.value if isinstance(self.value, float) else 0.0

    def matches(self, method: str, path: str, account: str) -> bool:
        if self.account is not None and self.account != account:
            return False
        if self.path is not None or self.method is not None:
            is_method = self.method is None or self.method == method
            api_path = path.removeprefix("/ai")
            return is_method and (self.path is None or fnmatch.fnmatchcase(api_path, self.path))
        call = call_name(method, path)
        if call in self.calls:
            return True
        if method == "HOOK":
            return False
        is_in_group = {"any", "read" if method in {"GET", "HEAD"} else "write"}
        return not is_in_group.isdisjoint(self.calls)

    def is_active(self, age_seconds: float) -> bool:
        """Return whether the rule is active ``age_seconds`` after it was added."""
        active_seconds = age_seconds - self.after_seconds
        return active_seconds >= 0 and (
            self.for_seconds is None or active_seconds < self.for_seconds
        )

    def selects_call(self, number: int, seed: int) -> bool:
        """Return whether ``which`` contains matching call ``number``, counted from 1."""
        if self.which.endswith("%"):
            percent = float(self.which[:-1])
            return self.random(seed, str(number)).randbelow(1_000_000) < percent * 10_000
        for part in self.which.split(","):
            first, dash, last = part.partition("-")
            end = int(last) if last else None if dash else int(first)
            if int(first) <= number and (end is None or number <= end):
                return True
        return False

    def random(self, seed: int, name: str) -> SeededRandom:
        """Return a generator that depends on the seed, the rule and ``name``."""
        return SeededRandom(f"{seed if self.seed is None else self.seed} {self.id} {name}")

    def selects_item(self, seed: int, name: str) -> bool:
        """Return whether the item ``name`` belongs to the percentage ``value`` of all items."""
        return self.random(seed, name).randbelow(1_000_000) < self.amount * 10_000


def parse_rule(spec: RuleSpec | str) -> Rule:
    """Parse one rule.

    Raises:
        SwitchError: ``spec`` is malformed or names an unknown fault or call.
    """
    if isinstance(spec, str):
        spec = RuleSpec(fault=spec)
    switch = _SWITCH.fullmatch(spec.fault)
    if switch is None:
        raise SwitchError(f"'{spec.fault}' is not FAULT[=VALUE][/CALLS][#WHICH][@FROM-UNTIL]")
    fault = switch["fault"]
    if fault not in KINDS:
        raise SwitchError(f"unknown fault '{fault}'; known are {', '.join(KINDS)}")
    after_seconds, for_seconds = _parse_period(switch)
    return Rule(
        fault=fault,
        value=_parse_value(fault, switch["value"] if spec.value is None else spec.value),
        calls=_parse_calls(fault, switch["calls"].split(",") if switch["calls"] else spec.calls),
        method=spec.method.upper() if spec.method else None,
        path=spec.path,
        which=_parse_which(switch["which"] if spec.which is None else spec.which),
        seed=spec.seed,
        account=account_id(spec.key) if spec.key else None,
        after_seconds=after_seconds if spec.after_seconds is None else spec.after_seconds,
        for_seconds=for_seconds if spec.for_seconds is None else spec.for_seconds,
    )


@lru_cache(maxsize=256)
def parse_key_rules(key: str) -> tuple[Rule, ...]:
    """Return the rules in a key, which apply to the account of the key only.

    Raises:
        SwitchError: one of the switches is invalid.
    """
    account, switches = account_id(key), key.split("~")[1:]
    rules = map(parse_rule, switches)
    return tuple(msgspec.structs.replace(rule, account=account) for rule in rules)


def _parse_period(switch: re.Match[str]) -> tuple[float, float | None]:
    after = _parse_number(switch["after"] or "0")
    return after, (_parse_number(switch["until"]) - after if switch["until"] else None)


def _parse_value(fault: str, value: Any) -> float | str | None:
    default = KINDS[fault].value
    if value is None:
        return default
    if default is None:
        raise SwitchError(f"'{fault}' takes no value")
    if isinstance(default, str):
        return str(value)
    return _parse_number(str(value))


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise SwitchError(f"'{text}' is not a number") from exc


def _parse_calls(fault: str, names: list[str] | None) -> tuple[str, ...]:
    calls = tuple(names) if names else KINDS[fault].calls
    unknown = [call for call in calls if call not in CALLS and call not in CALL_GROUPS]
    if unknown:
        names = [*sorted(CALL_GROUPS), *CALLS]
        raise SwitchError(f"unknown call '{unknown[0]}'; known are {', '.join(names)}")
    return calls


def _parse_which(value: str | int | None) -> str:
    which = "1-" if value is None else str(value)
    if not _WHICH.fullmatch(which):
        raise SwitchError(f"'#{which}' is not #1, #2,4, #3-5, #3- or #25%")
    return which
