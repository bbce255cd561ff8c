"""The use of the prompt cache by the requests of a batch, decided when they are scheduled."""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from batchapp.sandbox.batches.progress import Batch
from batchapp.sandbox.prompt_cache.markers import MarkedPrompt
from batchapp.sandbox.prompt_cache.reuse import CachedTokens, CacheIndex, Run, Use
from batchapp.sandbox.prompt_cache.tariffs import CacheTariff
from batchapp.sandbox.settings import Settings

_PROMPT = msgspec.json.Decoder(MarkedPrompt)


def marker_errors(
    connection: sqlite3.Connection, file_pk: int, settings: Settings
) -> dict[int, str]:
    """Return the lines whose markers are invalid; none are while the cache is off."""
    if not settings.cache.enabled:
        return {}
    query = "SELECT line, error FROM marked_prompts WHERE file = ? AND error != ''"
    return {row["line"]: row["error"] for row in connection.execute(query, (file_pk,))}


def freeze_tariffs(connection: sqlite3.Connection, batch: Batch, settings: Settings) -> None:
    """Store the cache tariffs at the creation of ``batch``, which its bill depends on."""
    models = connection.execute("SELECT model FROM file_models WHERE file = ?", (batch.file,))
    for (model,) in models.fetchall():
        tariff = settings.cache.tariff(model, batch.created_at)
        if tariff is not None:
            connection.execute(
                "INSERT INTO batch_cache_tariffs"
                " (batch, model, write_5m, write_1h, write_24h, read) VALUES (?, ?, ?, ?, ?, ?)",
                (batch.pk, model, *map(str, tariff.multipliers)),
            )


def use_cache(
    connection: sqlite3.Connection,
    batch: Batch,
    lines: Sequence[int],
    start: float,
    settings: Settings,
) -> None:
    """Decide for each of ``lines`` what the request reads and writes, and store this.

    The requests of a model start in the order of the file, as many at once as its concurrency,
    and the last of them ends when the batch does.
    """
    connection.executemany(
        "DELETE FROM cached_tokens WHERE batch = ? AND line = ?",
        [(batch.pk, line) for line in lines],
    )
    if not settings.cache.enabled:
        return
    by_model: dict[str, list[sqlite3.Row]] = {}
    for row in _rows(connection, batch, lines):
        by_model.setdefault(row["model"], []).append(row)
    duration = settings.working_seconds(len(lines))
    for model, rows in by_model.items():
        size = settings.model_concurrency.get(model, settings.concurrency)
        seconds = duration / -(-len(rows) // size)
        index = CacheIndex(_uses(connection, batch.owner, model, start))
        for first in range(0, len(rows), size):
            begin = start + first // size * seconds
            tariff = settings.cache.tariff(model, begin)
            if tariff is not None:
                run = Run(begin, begin + seconds)
                slow_run = Run(begin, run.end + duration * (settings.slow_factor - 1))
                for row in rows[first : first + size]:
                    row_run = slow_run if row["is_slow"] else run
                    tokens = _tokens(row, row_run, index, tariff)
                    _store_tokens(connection, batch.pk, row["line"], tokens)
        _store_uses(connection, batch, model, index)


def forget_unfinished(connection: sqlite3.Connection, batch_pk: int, moment: float) -> None:
    """Remove what cancelled requests would have written after ``moment``."""
    connection.execute(
        "DELETE FROM cache_uses WHERE batch = ? AND ends_at > ?", (batch_pk, moment)
    )


def cached_tokens(row: sqlite3.Row) -> CachedTokens | None:
    """Return the tokens in a row of ``cached_tokens``, or None for a request without a cache."""
    if row["cache_read"] is None:
        return None
    return CachedTokens(row["cache_read"], row["cache_5m"], row["cache_1h"], row["cache_24h"])


def _rows(connection: sqlite3.Connection, batch: Batch, lines: Sequence[int]) -> list[sqlite3.Row]:
    """Return the requests among ``lines`` that will be answered, in the order of the file."""
    wanted = set(lines)
    rows = connection.execute(
        "SELECT requests.line AS line, model, is_slow, prompt"
        " FROM requests JOIN lines ON lines.file = :file AND lines.number = requests.line"
        " LEFT JOIN marked_prompts ON marked_prompts.file = :file"
        " AND marked_prompts.line = requests.line"
        " WHERE batch = :batch AND has_failed = 0 AND prompt_tokens > 0 ORDER BY requests.line",
        {"file": batch.file, "batch": batch.pk},
    )
    return [row for row in rows if row["line"] in wanted]


def _tokens(row: sqlite3.Row, run: Run, index: CacheIndex, tariff: CacheTariff) -> CachedTokens:
    if row["prompt"] is None:
        return CachedTokens()
    return index.process(_PROMPT.decode(row["prompt"]), run, tariff.min_prefix_tokens)


def _store_tokens(
    connection: sqlite3.Connection, batch_pk: int, line: int, tokens: CachedTokens
) -> None:
    connection.execute(
        "INSERT INTO cached_tokens"
        " (batch, line, cache_read, cache_5m, cache_1h, cache_24h) VALUES (?, ?, ?, ?, ?, ?)",
        (batch_pk, line, *tokens),
    )


def _uses(
    connection: sqlite3.Connection, owner: str, model: str, moment: float
) -> Iterable[tuple[str, Use]]:
    rows = connection.execute(
        "SELECT digest, ends_at, expires_at, ttl, tokens FROM cache_uses"
        " WHERE owner = ? AND model = ? AND expires_at > ?",
        (owner, model, moment),
    )
    return ((row[0], Use(*row[1:])) for row in rows)


def _store_uses(
    connection: sqlite3.Connection, batch: Batch, model: str, index: CacheIndex
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO cache_uses"
        " (owner, model, digest, batch, ends_at, expires_at, ttl, tokens)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (batch.owner, model, digest, batch.pk, *use)
            for (digest, _end), use in index.new_uses.items()
        ],
    )
