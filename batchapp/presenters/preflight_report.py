"""What ``manage.py preflight`` prints of a checked file: lines to read, or one JSON object."""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

from batchapp.domain.corrections.correction_rules import corrections_for
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.money.unit_prices import EXACT
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.request_files.check_file import Finding, Report
from batchapp.models import REALTIME, Connection
from batchapp.presenters.division_text import division_sentence, model_shares
from batchapp.presenters.shared_prompt_text import shared_sentences
from batchapp.services.orders.division import provider_batches_by_model
from batchapp.templatetags.words import count

LINES_SHOWN = 5  # of each finding code, without --json


def _unpriced(quotes: dict[str, Estimate]) -> list[str] | None:
    """Return models without a price in some window; None if no prices are known at all."""
    if not quotes:
        return None
    missing = [quotes[window].unpriced for window in quotes if window != REALTIME]
    return sorted({model for models in missing for model in models})


def _estimated_requests(report: Report) -> int:
    """Count the requests without errors, which the estimates are of."""
    return sum(facts.requests for facts in report.models.values())


def as_json(
    report: Report, quotes: dict[str, Estimate], connection: Connection | None = None
) -> str:
    """Return the report as JSON; a file is divided by model only if ``connection`` wants that."""
    by_model = provider_batches_by_model(report, connection) if connection else {}
    content = {
        "requests": report.requests,
        "valid": report.is_valid,
        "provider_batches": sum(by_model.values()) or report.provider_batches,
        "findings": [_finding(finding) for finding in report.findings],
        "finding_totals": report.finding_totals,
        "models": {
            name: {
                "requests": facts.requests,
                "input_tokens": facts.input_tokens,
                "exact": facts.exact,
                "provider_batches": by_model.get(name),
                "shared_prompts": _shared_prompts(report, name),
            }
            for name, facts in report.models.items()
        },
        "estimated_requests": _estimated_requests(report),
        "unpriced": _unpriced(quotes),
        "estimate": {window: _amounts(estimate) for window, estimate in quotes.items()},
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _shared_prompts(report: Report, model: str) -> dict[str, Any]:
    """Return the beginnings of prompts that requests share, those of the most requests first."""
    facts = report.prompts.get(model) or PromptFacts()
    rows = sorted(facts.shared, key=lambda row: -row.requests)
    return {
        "repeated_input_tokens": facts.repeated_tokens,
        "is_partial": facts.is_partial,
        "marked_requests": facts.marked,
        "prompts": [
            {"tokens": row.tokens, "requests": row.requests, "alike": row.alike} for row in rows
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "line": finding.line,
        "custom_id": finding.custom_id,
        "severity": finding.severity.value,
        "code": finding.code,
        "message": finding.message,
        "other_line": finding.other_line or None,
        "offset": finding.offset,
        "corrections": [kind.value for kind in corrections_for(finding.code)],
        "portal_only": finding.is_portal_only,
    }


def _amounts(estimate: Estimate) -> dict[str, str | None]:
    """Return the amounts of all requests, all unknown if a model has no price."""
    if not estimate.is_complete:
        return {"low_usd": None, "expected_usd": None, "ceiling_usd": None}
    return {
        "low_usd": _plain(estimate.low_usd),
        "expected_usd": _plain(estimate.expected_usd),
        "ceiling_usd": _plain(estimate.ceiling_usd),
    }


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize(EXACT):f}"


def as_text(
    report: Report, quotes: dict[str, Estimate], connection: Connection | None = None
) -> str:
    lines = [f"{count(report.requests, 'request')}, {report.bytes:,} bytes"]
    for name, facts in report.models.items():
        about = "" if facts.exact else "about "
        lines.append(
            f"  {name}: {count(facts.requests, 'request')}, "
            f"{about}{facts.input_tokens:,} input tokens"
        )
    lines.extend(f"  {sentence}" for sentence in shared_sentences(report))
    lines.extend(_lines_of_findings(report))
    lines.extend(_bases(quotes))
    lines.extend(_costs(report, quotes))
    lines.extend(_division(report, quotes, connection))
    errors = report.severities["error"]
    failure = f"The file cannot be sent: errors to correct: {errors:,}."
    lines.append("The file can be sent." if report.is_valid else failure)
    return "\n".join(lines)


def _division(
    report: Report, quotes: dict[str, Estimate], connection: Connection | None
) -> Iterator[str]:
    """Say how the file is divided by model, with the costs of the usual window."""
    quote = quotes.get(connection.window_names[0]) if connection and quotes else None
    shares = model_shares(report, connection, quote) if connection else []
    if connection and shares:
        yield division_sentence(connection, shares)
        yield from (f"  {share.model}: {share.text}" for share in shares)


def _lines_of_findings(report: Report) -> Iterator[str]:
    """List each finding code with its first lines, errors first."""
    rank = ["error", "warning", "info"].index
    for code in sorted(
        report.finding_totals, key=lambda code: rank(_first(report, code).severity)
    ):
        findings = [finding for finding in report.findings if finding.code == code]
        total = report.finding_totals[code]
        yield f"{findings[0].severity.value}: {code}, {total:,} in all"
        for message, same in groupby(findings[:LINES_SHOWN], key=lambda row: row.message):
            yield f"  {_position([row.line for row in same])}{message}"
        shown = len(findings[:LINES_SHOWN])
        if total > shown and findings[0].line:
            yield f"  … and {total - shown:,} more"
        if names := ", ".join(corrections_for(code)):
            yield f"  corrected by: {names}"


def _position(lines: list[int]) -> str:
    """Name the lines that have the same message; "" for a finding of the whole file."""
    if not lines[0]:
        return ""
    numbers = ", ".join(f"{line:,}" for line in lines)
    return f"{'line' if len(lines) == 1 else 'lines'} {numbers}: "


def _first(report: Report, code: str) -> Finding:
    return next(finding for finding in report.findings if finding.code == code)


def _bases(quotes: dict[str, Estimate]) -> Iterator[str]:
    """Say how output tokens are estimated, which is the same for every window."""
    for line in next(iter(quotes.values())).models if quotes else ():
        yield f"  output tokens of {line.model}: about {line.output_expected:,}, {line.basis}"


def _costs(report: Report, quotes: dict[str, Estimate]) -> Iterator[str]:
    if not report.models or not quotes:
        return
    if not report.is_valid:
        priced = _estimated_requests(report)
        which = "1 request" if priced == 1 else f"{priced:,} requests"
        yield f"for the {which} without errors:"
    for window, estimate in quotes.items():
        if window != REALTIME:
            yield _cost(window, estimate)


def _cost(window: str, estimate: Estimate) -> str:
    expected, ceiling = _plain(estimate.expected_usd), _plain(estimate.ceiling_usd)
    if estimate.unpriced:
        without = f"no price for {', '.join(estimate.unpriced)}"
        return f"{window}: " + (f"at least ${expected}, and {without}" if expected else without)
    highest = f"at most about ${ceiling}" if ceiling else "no upper limit"
    return f"{window}: about ${expected} expected, {highest}"
