"""Which faults are in force, and how often each has been met and has struck.

Counts lie in the database, so that a restart neither forgets nor repeats a fault.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.store import Store


class FaultBook:
    """The rules of one sandbox. ``seed`` decides whatever is left to chance."""

    def __init__(self, store: Store, seed: int) -> None:
        self.seed = seed
        self._store = store
        self._load()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All but those in keys."""
        return self._rules

    def set_options(self, rules: Sequence[Rule], now: float) -> None:
        """Let the command line's rules be these; those it had before keep their counts."""
        kept = [rule.id for rule in rules]
        marks = ", ".join("?" * len(kept))
        with self._store.writing() as connection:
            connection.execute(
                f"DELETE FROM faults WHERE source = 'options' AND id NOT IN ({marks})",  # noqa: S608
                kept,
            )
            connection.executemany(
                "INSERT OR IGNORE INTO faults (id, source, rule, added_at)"
                " VALUES (?, 'options', ?, ?)",
                [(rule.id, _text(rule), now) for rule in rules],
            )
        self._load()

    def add(self, rules: Iterable[Rule], now: float) -> None:
        """Put rules in force. One that is there already begins anew."""
        with self._store.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO faults (id, source, rule, added_at)"
                " VALUES (?, 'request', ?, ?)",
                [(rule.id, _text(rule), now) for rule in rules],
            )
        self._load()

    def clear(self) -> None:
        """Forget all rules and counts; those in keys begin anew."""
        with self._store.writing() as connection:
            connection.execute("DELETE FROM faults")
            connection.execute("DELETE FROM fault_marks")
        self._load()

    def listing(self) -> list[dict[str, Any]]:
        with self._store.reading() as connection:
            rows = connection.execute("SELECT * FROM faults ORDER BY added_at, id").fetchall()
        return [
            {
                "id": row["id"],
                "source": row["source"],
                "calls": row["calls"],
                "struck": row["struck"],
                "rule": msgspec.json.decode(row["rule"]),
            }
            for row in rows
        ]

    def meet(self, candidates: Iterable[Rule], now: float) -> list[Rule]:
        """Count a call that ``candidates`` match; return those that strike it."""
        with self._store.writing() as connection:
            struck = []
            for rule in candidates:
                connection.execute(
                    "INSERT OR IGNORE INTO faults (id, source, rule, added_at)"
                    " VALUES (?, 'key', ?, ?)",
                    (rule.id, _text(rule), now),
                )
                row = connection.execute(
                    "SELECT added_at, calls FROM faults WHERE id = ?", (rule.id,)
                ).fetchone()
                if not rule.is_due(now - row["added_at"]):
                    continue
                is_struck = rule.strikes(row["calls"] + 1, self.seed)
                connection.execute(
                    "UPDATE faults SET calls = calls + 1, struck = struck + ? WHERE id = ?",
                    (is_struck, rule.id),
                )
                if is_struck:
                    struck.append(rule)
        return struck

    def mark(self, rule: Rule, what: str) -> bool:
        """Whether ``rule`` had not done this to ``what`` before; it has now."""
        with self._store.writing() as connection:
            found = connection.execute(
                "INSERT OR IGNORE INTO fault_marks (fault, what) VALUES (?, ?)", (rule.id, what)
            )
            return found.rowcount == 1

    def _load(self) -> None:
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT rule FROM faults WHERE source != 'key' ORDER BY added_at, id"
            ).fetchall()
        self._rules = tuple(msgspec.json.decode(row["rule"], type=Rule) for row in rows)


def _text(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()
