"""The language of faults: one rule as a short text, or as JSON.

As text: ``FAULT[=VALUE][/CALL,...][#WHICH][@FROM-UNTIL]``. ``WHICH`` are the matching calls it
strikes: ``1``, ``2,4``, ``3-5``, ``3-`` or, by chance, ``25%``; without it, all of them. ``FROM``
and ``UNTIL`` are seconds since the rule was made. A key carries its own behind a ``~`` each.
"""

import fnmatch
import hashlib
import re
from functools import lru_cache
from typing import Any

import msgspec

from batchapp.sandbox.accounts import account_id
from batchapp.sandbox.dice import Dice
from batchapp.sandbox.faults.kinds import CALLS, GROUPS, KINDS, call_of

_SWITCH = re.compile(
    r"(?P<fault>[a-z0-9-]+)(=(?P<value>[\w.-]+))?(/(?P<calls>[a-z,-]+))?"
    r"(#(?P<which>[0-9.,%-]+))?(@(?P<after>[0-9.]+)-(?P<until>[0-9.]*))?"
)
_WHICH = re.compile(r"\d+(-\d*)?(,\d+(-\d*)?)*|\d+(\.\d+)?%")


class SwitchError(ValueError):
    """A rule that cannot be understood; ``str()`` is a sentence about it."""


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """A rule as JSON. ``fault`` may be a whole switch; the other members go before it."""

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
    """One fault, and the calls it strikes. ``account`` is a hash; no key is kept."""

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
        """The same for the same words, so that a restart finds its counts again."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()

    @property
    def amount(self) -> float:
        return self.value if isinstance(self.value, float) else 0.0

    def matches(self, method: str, path: str, account: str) -> bool:
        if self.account is not None and self.account != account:
            return False
        if self.path is not None or self.method is not None:
            is_method = self.method is None or self.method == method
            plain = path.removeprefix("/ai")
            return is_method and (self.path is None or fnmatch.fnmatchcase(plain, self.path))
        call = call_of(method, path)
        if call in self.calls:
            return True
        if method == "HOOK":
            return False
        is_in_group = {"any", "read" if method in {"GET", "HEAD"} else "write"}
        return not is_in_group.isdisjoint(self.calls)

    def is_due(self, age_seconds: float) -> bool:
        """Whether a rule that was made so long ago is in force."""
        since = age_seconds - self.after_seconds
        return since >= 0 and (self.for_seconds is None or since < self.for_seconds)

    def strikes(self, number: int, seed: int) -> bool:
        """Whether it strikes the matching call with this number, counted from 1."""
        if self.which.endswith("%"):
            percent = float(self.which[:-1])
            return self.dice(seed, str(number)).below(1_000_000) < percent * 10_000
        for part in self.which.split(","):
            first, dash, last = part.partition("-")
            end = int(last) if last else None if dash else int(first)
            if int(first) <= number and (end is None or number <= end):
                return True
        return False

    def dice(self, seed: int, what: str) -> Dice:
        """Chance that depends on the seed, this rule and ``what``."""
        return Dice(f"{seed if self.seed is None else self.seed} {self.id} {what}")

    def hits(self, seed: int, what: str) -> bool:
        """Whether ``what`` is among the rule's percentage."""
        return self.dice(seed, what).below(1_000_000) < self.amount * 10_000


def rule_of(wish: Wish | str) -> Rule:
    """The rule that ``wish`` asks for.

    Raises:
        SwitchError: it names a fault, a call or a value that does not exist.
    """
    if isinstance(wish, str):
        wish = Wish(fault=wish)
    said = _SWITCH.fullmatch(wish.fault)
    if said is None:
        raise SwitchError(f"'{wish.fault}' is not FAULT[=VALUE][/CALLS][#WHICH][@FROM-UNTIL]")
    fault = said["fault"]
    if fault not in KINDS:
        raise SwitchError(f"unknown fault '{fault}'; known are {', '.join(KINDS)}")
    after, lasting = _period(said)
    return Rule(
        fault=fault,
        value=_value(fault, said["value"] if wish.value is None else wish.value),
        calls=_calls(fault, said["calls"].split(",") if said["calls"] else wish.calls),
        method=wish.method.upper() if wish.method else None,
        path=wish.path,
        which=_which(said["which"] if wish.which is None else wish.which),
        seed=wish.seed,
        account=account_id(wish.key) if wish.key else None,
        after_seconds=after if wish.after_seconds is None else wish.after_seconds,
        for_seconds=lasting if wish.for_seconds is None else wish.for_seconds,
    )


@lru_cache(maxsize=256)
def rules_of_key(key: str) -> tuple[Rule, ...]:
    """The rules in a key's own text, for its account only.

    Raises:
        SwitchError: one of them cannot be understood.
    """
    account, switches = account_id(key), key.split("~")[1:]
    return tuple(msgspec.structs.replace(rule_of(each), account=account) for each in switches)


def _period(said: re.Match[str]) -> tuple[float, float | None]:
    after = _number(said["after"] or "0")
    return after, (_number(said["until"]) - after if said["until"] else None)


def _value(fault: str, given: Any) -> float | str | None:
    usual = KINDS[fault].value
    if given is None:
        return usual
    if usual is None:
        raise SwitchError(f"'{fault}' takes no value")
    if isinstance(usual, str):
        return str(given)
    return _number(str(given))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise SwitchError(f"'{text}' is not a number") from exc


def _calls(fault: str, given: list[str] | None) -> tuple[str, ...]:
    calls = tuple(given) if given else KINDS[fault].calls
    unknown = [call for call in calls if call not in CALLS and call not in GROUPS]
    if unknown:
        known = ", ".join([*sorted(GROUPS), *CALLS])
        raise SwitchError(f"unknown call '{unknown[0]}'; known are {known}")
    return calls


def _which(given: str | int | None) -> str:
    which = "1-" if given is None else str(given)
    if not _WHICH.fullmatch(which):
        raise SwitchError(f"'#{which}' is not #1, #2,4, #3-5, #3- or #25%")
    return which
