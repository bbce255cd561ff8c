"""Say how the requests of a batch ended, and where the provider's counts differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch
from batchapp.presenters.outcome_text import outcome_counts
from batchapp.templatetags.words import count

register = template.Library()

MAX_DISCREPANCIES = 5  # provider batches whose counts are described one by one


def accounting_text(counts: Mapping[Outcome, int], total: int) -> str:
    """Return the accounting of ``total`` requests: "10,000 in = 9,871 answered + 129 refused".

    If the sum differs, the sign is ≠ and the last words give the difference.
    """
    terms = " + ".join(outcome_counts(counts)) or "0 answered"
    missing = total - sum(counts.values())
    if not missing:
        return f"{total:,} in = {terms}"
    problem = f"{missing:,} unaccounted for" if missing > 0 else f"{-missing:,} too many"
    return f"{total:,} in ≠ {terms} ({problem})"


@register.filter
def discrepancy_of(batch: Batch) -> str:
    """Say where the counts of the provider and the results of ``batch`` differ; "" if nowhere."""
    if not batch.discrepancy:
        return ""
    name, missing = batch.connection.name, batch.missing
    if missing and _is_short_by(missing, batch.discrepancy):
        requests = count(missing, "request")
        return f"{requests} came back without a result; {name}'s count is {missing:,} short too."
    return (
        f"{discrepancy_text(batch.discrepancy, name)} All that came back is kept here; ask {name} "
        "what it counted."
    )


def _is_short_by(missing: int, discrepancy: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if the provider counted ``missing`` requests fewer, and nothing else differs."""
    if len(discrepancy) != 1 or "text" in discrepancy[0] or discrepancy[0]["results_differ"]:
        return False
    counted = sum(discrepancy[0]["provider"][key] for key in ("completed", "failed"))
    return bool(discrepancy[0]["requests"] - counted == missing)


def discrepancy_text(discrepancy: Sequence[Mapping[str, Any]], connection: str) -> str:
    sentences = [_disagreement(row, connection) for row in discrepancy]
    more = len(sentences) - MAX_DISCREPANCIES
    if more > 0:
        sentences[MAX_DISCREPANCIES:] = [f"{more:,} more provider batches differ as well."]
    return " ".join(sentences)


def _disagreement(row: Mapping[str, Any], connection: str) -> str:
    if "text" in row:  # stored by an older version
        return str(row["text"])
    who = connection
    if row["provider_batch"]:
        who = f"In provider batch {row['provider_batch']:,}, {connection}"
    provider, files, requests = row["provider"], row["files"], row["requests"]
    says = f"{who} counts {provider['completed']:,} completed and {provider['failed']:,} failed"
    sentences = []
    if row["results_differ"]:
        answers, errors = count(files["answers"], "answer"), count(files["errors"], "error")
        sentences.append(f"{says}; its results hold {answers} and {errors}.")
    if row["requests_differ"]:
        counted = provider["completed"] + provider["failed"]
        more = "more" if counted > requests else "fewer"
        sentences.append(f"{says}: {more} than the {requests:,} that were sent.")
    return " ".join(sentences)
