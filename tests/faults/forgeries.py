"""Forge evidence in every way that the proof must see: a check that cannot fail proves nothing."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.faults.evidence import Evidence
from tests.faults.orders import ELSEWHERE_KEY
from tests.faults.proof import ANSWERS, TOKEN_KEY, judge

Row = dict[str, Any]


class NotApplicable(Exception):
    """The storm had no batch of the kind that is to be forged."""


def try_all(evidence: Evidence) -> tuple[int, list[str]]:
    """Return how many forgeries of ``evidence`` are possible, and those that the proof misses."""
    known, possible = set(judge(evidence).complaints), 0
    unseen = []
    for forge in FORGERIES:
        forged = copy.deepcopy(evidence)
        try:
            forge(forged)
        except NotApplicable:
            continue
        possible += 1
        if not set(judge(forged).complaints) - known:
            unseen.append(forge.__name__)
    return possible, unseen


def pay_a_token_twice(evidence: Evidence) -> None:
    evidence.ledger.append(_entry(evidence) | {"id": "another"})


def leave_a_duplicate_running(evidence: Evidence) -> None:
    unpaid = {"id": "another", "is_paid": False, "completed": 0, "status": "in_progress"}
    evidence.ledger.append(_entry(evidence) | unpaid)


def pay_for_an_unknown_batch(evidence: Evidence) -> None:
    evidence.ledger.append(_entry(evidence) | {"id": "another", "metadata": {TOKEN_KEY: "f" * 32}})


def forget_a_batch(evidence: Evidence) -> None:
    evidence.batches.pop()


def enter_a_batch_twice(evidence: Evidence) -> None:
    evidence.batches.append(_batch(evidence))


def lose_the_batch_at_the_provider(evidence: Evidence) -> None:
    evidence.ledger.remove(_entry(evidence))


def lose_a_result(evidence: Evidence) -> None:
    _batch(evidence)["results"].pop()


def give_a_request_two_results(evidence: Evidence) -> None:
    _batch(evidence)["results"].append(_answered(_batch(evidence)))


def leave_a_request_pending(evidence: Evidence) -> None:
    _answered(_batch(evidence))["outcome"] = "pending"


def fail_an_answered_request(evidence: Evidence) -> None:
    batch = _batch(evidence)
    _answered(batch)["outcome"] = "provider_error"
    batch["counts"] = [batch["counts"][0] - 1, batch["counts"][1] + 1, *batch["counts"][2:]]


def change_the_tokens_of_an_answer(evidence: Evidence) -> None:
    batch = _batch(evidence)
    _answered(batch)["input_tokens"] += 1
    batch["tokens"] = [batch["tokens"][0] + 1, batch["tokens"][1]]


def change_a_cost(evidence: Evidence) -> None:
    batch = _batch(evidence)
    batch["cost"] = str(Decimal(batch["cost"]) * 2)
    batch["model_costs"] = [batch["cost"]]


def lose_a_line_of_the_download(evidence: Evidence) -> None:
    batch = _batch(evidence)
    lines = {line for row in batch["provider_batches"] for line in _lines(evidence, row)}
    output = evidence.downloads[batch["id"]]["output"]
    output.remove(next(line for line in output if line in lines))


def leave_a_provider_batch_leased(evidence: Evidence) -> None:
    _batch(evidence)["provider_batches"][0]["is_leased"] = True


def leave_a_provider_batch_to_a_person(evidence: Evidence) -> None:
    _batch(evidence)["provider_batches"][0]["parked_reason"] = "needs_attention"


def leave_a_row_standing(evidence: Evidence) -> None:
    evidence.standing.append("Batch 1: settling, and never due")


def poison_the_queue(evidence: Evidence) -> None:
    evidence.queue.append("a message cannot be read: b''")


def use_more_slots_than_there_are(evidence: Evidence) -> None:
    evidence.excesses.append("One slot had 2 batches in 1 slots")


def cancel_without_a_person(evidence: Evidence) -> None:
    batch = _find(evidence.batches, lambda batch: batch["counts"][2])
    batch["is_cancel_requested"] = False


def create_in_another_window(evidence: Evidence) -> None:
    entry = _entry(evidence)
    entry["completion_window"] = {"1h": "24h", "24h": "1h"}[entry["completion_window"]]


def move_a_batch_to_a_window_that_nobody_chose(evidence: Evidence) -> None:
    batch = _find(
        evidence.batches,
        lambda batch: not evidence.orders[batch["id"]]["fallback"] and _is_answered(batch),
    )
    batch["window"] = {"1h": "24h", "24h": "1h"}[batch["window"]]


def keep_the_price_of_the_first_window(evidence: Evidence) -> None:
    """The first window costs 0.07 and 0.30 USD per million tokens."""
    batch = _find(
        evidence.batches,
        lambda batch: (
            batch["window"] != evidence.orders[batch["id"]]["window"] and _is_answered(batch)
        ),
    )
    sent, received = batch["tokens"]
    cost = (sent * Decimal("0.07") + received * Decimal("0.30")) / 1_000_000
    batch["cost"], batch["model_costs"] = str(cost), [str(cost)]


def merge_two_parts_of_a_split_batch(evidence: Evidence) -> None:
    batch = _find(evidence.batches, lambda batch: len(batch["provider_batches"]) > 1)
    batch["provider_batches"].pop()


def import_a_batch_twice(evidence: Evidence) -> None:
    _find(evidence.batches, lambda batch: evidence.orders[batch["id"]]["remote_id"])
    evidence.imports.append(_find(evidence.imports, lambda row: row["status"] == "done"))


def leave_an_import_unfinished(evidence: Evidence) -> None:
    _find(evidence.imports, lambda row: row["status"] == "done")["status"] = "failed"


def create_a_batch_elsewhere_that_nobody_follows(evidence: Evidence) -> None:
    entry = _find(evidence.ledger, lambda entry: ELSEWHERE_KEY in entry["metadata"])
    evidence.ledger.append(entry | {"id": "another"})


def lose_the_answer_of_a_retry(evidence: Evidence) -> None:
    _merged(evidence)["retried"] = None


def merge_another_answer(evidence: Evidence) -> None:
    result = _merged(evidence)
    result["retried"] = ["another", result["custom_id"]]


def lose_a_line_of_the_merged_download(evidence: Evidence) -> None:
    _merged(evidence)
    _find([*evidence.downloads.values()], lambda kinds: "merged" in kinds)["merged"].pop()


FORGERIES: list[Callable[[Evidence], None]] = [
    *(pay_a_token_twice, leave_a_duplicate_running, pay_for_an_unknown_batch),
    *(forget_a_batch, enter_a_batch_twice, lose_the_batch_at_the_provider),
    *(lose_a_result, give_a_request_two_results, leave_a_request_pending),
    *(fail_an_answered_request, change_the_tokens_of_an_answer, change_a_cost),
    *(lose_a_line_of_the_download, leave_a_provider_batch_leased),
    *(leave_a_provider_batch_to_a_person, leave_a_row_standing, poison_the_queue),
    *(use_more_slots_than_there_are, cancel_without_a_person, create_in_another_window),
    *(move_a_batch_to_a_window_that_nobody_chose, keep_the_price_of_the_first_window),
    *(merge_two_parts_of_a_split_batch, import_a_batch_twice, leave_an_import_unfinished),
    *(create_a_batch_elsewhere_that_nobody_follows, lose_the_answer_of_a_retry),
    *(merge_another_answer, lose_a_line_of_the_merged_download),
]


def _find(rows: list[Row], is_wanted: Callable[[Row], object]) -> Row:
    for row in rows:
        if is_wanted(row):
            return row
    raise NotApplicable


def _is_answered(batch: Row) -> bool:
    return any(row["outcome"] in ANSWERS for row in batch["results"])


def _batch(evidence: Evidence) -> Row:
    """Return a batch that the portal created, with an answer."""
    return _find(
        evidence.batches,
        lambda batch: _is_answered(batch) and not evidence.orders[batch["id"]]["remote_id"],
    )


def _answered(batch: Row) -> Row:
    return _find(batch["results"], lambda row: row["outcome"] in ANSWERS)


def _entry(evidence: Evidence) -> Row:
    """Return what the provider has of a part of the same batch that was answered."""
    token = _answered(_batch(evidence))["token"]
    return _find(
        evidence.ledger,
        lambda entry: entry["metadata"].get(TOKEN_KEY) == token and entry["is_paid"],
    )


def _lines(evidence: Evidence, provider_batch: Row) -> list[str]:
    return evidence.provider_files.get(provider_batch["output"], [])


def _merged(evidence: Evidence) -> Row:
    """Return a result for which the answer of a retry counts."""
    results = [row for batch in evidence.batches for row in batch["results"]]
    return _find(results, lambda row: row["retried"])
