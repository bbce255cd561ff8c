"""The active fault rules and their counts, stored in the database to survive a restart."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.store import Store


class FaultRegistry:
    def __init__(self, store: Store, seed: int) -> None:
        self.seed = seed
        self._store = store
        self._load()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of the command line and of the control API, not those in keys."""
        return self._rules

    def set_options(self, rules: Sequence[Rule], now: float) -> None:
        """Set the rules of the command line; rules that were set before keep their counts."""
        rule_ids = [rule.id for rule in rules]
        marks = ", ".join("?" * len(rule_ids))
        with self._store.write_transaction() as connection:
            connection.execute(
                f"DELETE FROM faults WHERE source = 'options' AND id NOT IN ({marks})",  # noqa: S608
                rule_ids,
            )
            connection.executemany(
                "INSERT OR IGNORE INTO faults (id, source, rule, added_at)"
                " VALUES (?, 'options', ?, ?)",
                [(rule.id, _encode(rule), now) for rule in rules],
            )
        self._load()

    def add(self, rules: Iterable[Rule], now: float) -> None:
        """Activate rules. The counts of a rule that exists already start again at 0."""
        with self._store.write_transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO faults (id, source, rule, added_at)"
                " VALUES (?, 'request', ?, ?)",
                [(rule.id, _encode(rule), now) for rule in rules],
            )
        self._load()

    def clear(self) -> None:
        """Delete all rules and counts, including the counts of rules in keys."""
        with self._store.write_transaction() as connection:
            connection.execute("DELETE FROM faults")
            connection.execute("DELETE FROM fault_marks")
        self._load()

    def describe(self) -> list[dict[str, Any]]:
        with self._store.read_transaction() as connection:
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

    def count_call(self, matching_rules: Iterable[Rule], now: float) -> list[Rule]:
        """Count one call for each matching rule; return the rules that apply to the call."""
        with self._store.write_transaction() as connection:
            applied_rules = []
            for rule in matching_rules:
                connection.execute(
                    "INSERT OR IGNORE INTO faults (id, source, rule, added_at)"
                    " VALUES (?, 'key', ?, ?)",
                    (rule.id, _encode(rule), now),
                )
                row = connection.execute(
                    "SELECT added_at, calls FROM faults WHERE id = ?", (rule.id,)
                ).fetchone()
                if not rule.is_active(now - row["added_at"]):
                    continue
                is_applied = rule.selects_call(row["calls"] + 1, self.seed)
                connection.execute(
                    "UPDATE faults SET calls = calls + 1, struck = struck + ? WHERE id = ?",
                    (is_applied, rule.id),
                )
                if is_applied:
                    applied_rules.append(rule)
        return applied_rules

    def mark_once(self, rule: Rule, object_id: str) -> bool:
        """Return True at the first call for ``rule`` and ``object_id``, and False afterwards."""
        with self._store.write_transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO fault_marks (fault, what) VALUES (?, ?)",
                (rule.id, object_id),
            )
            return cursor.rowcount == 1

    def _load(self) -> None:
        with self._store.read_transaction() as connection:
            rows = connection.execute(
                "SELECT rule FROM faults WHERE source != 'key' ORDER BY added_at, id"
            ).fetchall()
        self._rules = tuple(msgspec.json.decode(row["rule"], type=Rule) for row in rows)


def _encode(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()
