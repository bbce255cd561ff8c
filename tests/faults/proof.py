"""Judge the evidence of a storm: paid once, nothing lost, costs right, nothing standing still."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.faults.evidence import Evidence
from tests.faults.orders import ELSEWHERE_KEY, SHAPES

Row = dict[str, Any]

TOKEN_KEY = "portal_submission"
# Outcomes that are answers and paid, the better ones first.
ANSWERS = ("ok", "truncated", "invalid_schema", "refused", "empty")
FAILURES = ("invalid_request", "provider_error", "unpaid", "expired")
OVER = {"done", "cancelled"}
STOPPED = {"cancelled", "cancelling"}  # the second for ever, if it had not begun
ROUNDING = Decimal("0.00000001")  # USD, of each stored amount


@dataclass
class Proof:
    """The figures, and ``complaints`` if anything is not as promised."""

    batches: int = 0
    provider_batches: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    paid: int = 0
    duplicates: int = 0
    cost: Decimal = Decimal(0)
    complaints: list[str] = field(default_factory=list)


class _Facts:
    """The evidence by the ids that lead from one side to the other."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.by_remote_id = {entry["id"]: entry for entry in evidence.ledger}
        self.by_token: defaultdict[str, list[Row]] = defaultdict(list)
        for entry in evidence.ledger:
            self.by_token[entry["metadata"].get(TOKEN_KEY, "")].append(entry)
        self.by_parent: defaultdict[str, list[Row]] = defaultdict(list)
        for batch in sorted(evidence.batches, key=lambda batch: batch["created_at"]):
            self.by_parent[batch["parent"] or ""].append(batch)

    def entries(self, provider_batch: Row, order: Row) -> list[Row]:
        """Return all batches that the provider made of one provider batch."""
        if order["remote_id"]:
            return [entry for entry in [self.by_remote_id.get(order["remote_id"])] if entry]
        return self.by_token[provider_batch["token"]]

    def lines(self, provider_batches: Iterable[Row], kind: str) -> set[str]:
        files = self.evidence.provider_files
        return {line for row in provider_batches if row[kind] for line in files[row[kind]]}

    def descendants(self, batch: Row) -> list[Row]:
        """Return the retries of ``batch`` and the retries of these, the oldest first."""
        found = [*self.by_parent[batch["id"]]]
        for retry in found:
            found += self.by_parent[retry["id"]]
        return sorted(found, key=lambda retry: retry["created_at"])


def judge(evidence: Evidence) -> Proof:
    """Compare the portal's records and files with the provider's ledger and files."""
    proof, facts = Proof(), _Facts(evidence)
    proof.complaints += _complaints_about_the_whole(facts)
    for batch in evidence.batches:
        if order := evidence.orders.get(batch["id"]):
            texts = [text for check in CHECKS for text in check(facts, batch, order)]
            proof.complaints += [f"batch {batch['name']} {batch['id']}: {text}" for text in texts]
            _count(proof, facts, batch, order)
    return proof


def _count(proof: Proof, facts: _Facts, batch: Row, order: Row) -> None:
    rows = batch["provider_batches"]
    proof.batches += 1
    proof.provider_batches += len(rows)
    proof.kinds[order["shape"]] += 1
    proof.kinds["split into several"] += len(rows) > 1
    proof.kinds["moved to the fallback window"] += batch["window"] != order["window"]
    proof.kinds["retried in place"] += any(row["was_retried_in_place"] for row in rows)
    proof.kinds["answers merged from a retry"] += any(row["retried"] for row in batch["results"])
    proof.cancelled += batch["is_cancel_requested"]
    proof.requests += batch["requests"]
    proof.outcomes.update(result["outcome"] for result in batch["results"])
    proof.cost += Decimal(batch["cost"] or 0)
    entries = [entry for row in rows for entry in facts.entries(row, order)]
    proof.paid += sum(entry["is_paid"] for entry in entries)
    proof.duplicates += len(entries) - sum(bool(row["remote_id"]) for row in rows)
    proof.answers += sum(len(facts.lines(rows, kind)) for kind in ("output", "error"))


def _complaints_about_the_whole(facts: _Facts) -> Iterator[str]:
    evidence = facts.evidence
    portal = Counter(batch["id"] for batch in evidence.batches)
    yield from (
        f"{batch} was ordered and is not there" for batch in evidence.orders.keys() - portal
    )
    yield from (f"{batch} was never ordered" for batch in portal.keys() - evidence.orders.keys())
    yield from (f"{batch} is there twice" for batch, number in portal.items() if number > 1)
    yield from evidence.standing
    yield from evidence.queue
    yield from evidence.excesses
    rows = [row for batch in evidence.batches for row in batch["provider_batches"]]
    tokens = {row["token"] for row in rows}
    followed = Counter(row["remote_id"] for row in rows if row["remote_id"])
    yield from (f"{pk} is followed twice" for pk, number in followed.items() if number > 1)
    ordered = [order["remote_id"] for order in evidence.orders.values() if order["remote_id"]]
    done = Counter(row["remote_id"] for row in evidence.imports if row["status"] == "done")
    yield from (f"{pk} was imported {done[pk]} times" for pk in ordered if done[pk] != 1)
    yield from (f"{row} was not imported" for row in evidence.imports if row["status"] != "done")
    for entry in evidence.ledger:
        token = entry["metadata"].get(TOKEN_KEY, "")
        is_elsewhere = ELSEWHERE_KEY in entry["metadata"] and entry["id"] in ordered
        if token not in tokens and not is_elsewhere:
            yield f"nobody knows the provider's batch {entry['id']}, {entry['metadata']}"


def _check_ends(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    succeeded, _, cancelled, missing = batch["counts"]
    expected = "cancelled" if cancelled else "completed" if succeeded else "failed"
    if batch["status"] != expected:
        yield f"is {batch['status']} with {batch['counts']}"
    for row in batch["provider_batches"]:
        if row["status"] not in OVER or row["parked_reason"] or row["is_leased"] or row["claims"]:
            yield f"not over: {row}"
    outcomes = Counter(result["outcome"] for result in batch["results"])
    answers = sum(outcomes[outcome] for outcome in ANSWERS)
    failures = sum(outcomes[outcome] for outcome in FAILURES)
    if [answers, failures, outcomes["cancelled"], 0] != batch["counts"]:
        yield f"the counts {batch['counts']} are not those of the results, {outcomes}"
    if missing or outcomes["pending"] or outcomes["missing"]:
        yield f"requests without an answer: {outcomes}"
    stopped = {row["token"] for row in batch["provider_batches"] if _never_began(facts, row)}
    lost = [row for row in batch["results"] if row["outcome"] == "cancelled"]
    if not batch["is_cancel_requested"] and any(row["token"] not in stopped for row in lost):
        yield f"nobody cancelled it: {outcomes}"
    ids = Counter(result["custom_id"] for result in batch["results"])
    if sum(ids.values()) != batch["requests"] or len(ids) != batch["requests"]:
        yield f"{batch['requests']} requests, {sum(ids.values())} results of {len(ids)} ids"
    if not order["parent"] and batch["requests"] != order["requests"]:
        yield f"{order['requests']} requests were ordered, {batch['requests']} are there"


def _never_began(facts: _Facts, provider_batch: Row) -> bool:
    """Return True if the provider was told to stop before it had begun, and never will begin."""
    entry = facts.by_remote_id.get(provider_batch["remote_id"])
    return bool(entry) and entry["status"] == "cancelling" and not entry["is_paid"]


def _check_payments(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    answered = Counter(row["token"] for row in batch["results"] if row["outcome"] in ANSWERS)
    sizes = Counter(row["token"] for row in batch["results"])
    for row in batch["provider_batches"]:
        entries = facts.entries(row, order)
        followed = [entry for entry in entries if entry["id"] == row["remote_id"]]
        if len(followed) != bool(row["remote_id"]):
            yield f"{len(followed)} batches at the provider are {row['remote_id']}"
        for entry in followed:
            if entry["completed"] != answered[row["token"]]:
                yield f"{entry['completed']} were paid, {answered[row['token']]} are here: {row}"
            if entry["requests"] != sizes[row["token"]] or row["total"] != entry["requests"]:
                yield f"the provider has {entry['requests']} requests of {row}"
            if entry["is_deleted"]:
                yield f"deleted at the provider: {row}"
        for entry in entries:
            if entry not in followed and (entry["is_paid"] or entry["status"] not in STOPPED):
                yield f"paid twice: {entry} beside {row['remote_id']}"
        if not followed and not batch["is_cancel_requested"]:
            yield f"not at the provider: {row}"


def _check_windows(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    if batch["window"] not in {order["window"], order["fallback"]}:
        yield f"runs in {batch['window']}, which nobody chose"
    for row in batch["provider_batches"]:
        for entry in facts.entries(row, order):
            if entry["completion_window"] != batch["window"]:
                yield f"{entry['id']} was created in {entry['completion_window']}"


def _check_costs(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    entries = [
        entry
        for row in batch["provider_batches"]
        for entry in facts.entries(row, order)
        if entry["id"] == row["remote_id"]
    ]
    billed = sum((Decimal(entry["cost_usd"]) for entry in entries), Decimal(0))
    costs = [Decimal(cost) for cost in batch["model_costs"]]
    cost = Decimal(batch["cost"])
    if cost != sum(costs) or abs(cost - billed) > ROUNDING:
        yield f"costs {cost}, by model {costs}, by the provider {billed}"
    if batch["billed"] is not None and abs(Decimal(batch["billed"]) - billed) > ROUNDING:
        yield f"was billed {billed}, and says {batch['billed']}"
    answered = [row for row in batch["results"] if row["outcome"] in ANSWERS]
    tokens = [sum(row[name] for row in answered) for name in ("input_tokens", "output_tokens")]
    if tokens != batch["tokens"]:
        yield f"has {batch['tokens']} tokens, its results {tokens}"


def _check_files(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    """Compare the provider's result lines with the downloads, and their tokens with the rows."""
    downloads = facts.evidence.downloads[batch["id"]]
    for kind in ("output", "error"):
        lines = facts.lines(batch["provider_batches"], kind)
        if missing := lines - set(downloads[kind]):
            numbers = f"{len(missing)} of {len(lines)} {kind} lines"
            yield f"{numbers} are not here, such as {min(missing)}"
    paid = {}
    for line in facts.lines(batch["provider_batches"], "output"):
        answer = json.loads(line)
        usage = answer["response"]["body"]["usage"]
        paid[answer["custom_id"]] = usage["prompt_tokens"], usage["completion_tokens"]
    stored = {
        row["custom_id"]: (row["input_tokens"], row["output_tokens"])
        for row in batch["results"]
        if row["outcome"] in ANSWERS
    }
    if paid != stored:
        yield f"paid answers and their tokens differ: {set(paid.items()) ^ set(stored.items())}"


def _check_parts(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    if SHAPES.get(order["shape"]) and SHAPES[order["shape"]].is_imported:
        expected = 1
    else:
        expected = -(-batch["requests"] // (order["max_requests"] or batch["requests"]))
    if len(batch["provider_batches"]) != expected:
        yield f"has {len(batch['provider_batches'])} provider batches instead of {expected}"


def _check_retries(facts: _Facts, batch: Row, order: Row) -> Iterator[str]:
    """Work out anew which answer counts, and compare it with the pointers and the download."""
    retries = facts.descendants(batch)
    if order["parent"] != (batch["parent"] or ""):
        yield f"is a retry of {batch['parent']}"
    if not retries:
        return
    attempts: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for retry in reversed(retries):
        for row in retry["results"]:
            attempts[row["custom_id"]].append((row["outcome"], retry["id"], row["line_id"]))
    lines = [json.loads(line) for line in facts.evidence.downloads[batch["id"]]["merged"]]
    if [line["custom_id"] for line in lines] != [row["custom_id"] for row in batch["results"]]:
        yield f"its merged download has {len(lines)} lines"
        return
    for row, line in zip(batch["results"], lines, strict=True):
        best = _best(attempts[row["custom_id"]], row["outcome"])
        pointer = best and [best[1], row["custom_id"]]
        if row["retried"] != pointer:
            yield f"merged {row['retried']} and not {pointer} for {row}"
        line_id = best[2] if best else row["line_id"]
        is_answered = bool(best) or row["outcome"] in ANSWERS
        if is_answered and line["id"] != line_id:
            yield f"its merged download has {line['id']} and not {line_id}"


def _best(attempts: list[tuple[str, str, str]], own_outcome: str) -> tuple[str, str, str] | None:
    """Return the newest of the best attempts, if it is as good as the own answer."""
    ranks = {"ok": 0, "truncated": 1, "invalid_schema": 1, "refused": 2, "empty": 2}
    answered = [attempt for attempt in attempts if attempt[0] in ranks]
    best = min(answered, key=lambda attempt: ranks[attempt[0]], default=None)
    if best is None or ranks[best[0]] > ranks.get(own_outcome, len(ranks)):
        return None
    return best


CHECKS = (
    *(_check_ends, _check_payments, _check_windows, _check_costs),
    *(_check_files, _check_parts, _check_retries),
)
