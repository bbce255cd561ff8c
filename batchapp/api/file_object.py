"""Describe a file, its errors and its estimate as objects of the API."""

from decimal import Decimal
from typing import Any

from batchapp.api.ids import batch_id, result_file_id, upload_id
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files.check_file import Finding, Report, Severity
from batchapp.models import Batch, ResultChunk, Upload

FINDINGS_SENT = 100  # errors of a faulty file, or warnings of a file that was taken
STATUSES = {
    Upload.Status.CHECKING: "uploaded",
    Upload.Status.READY: "processed",
    Upload.Status.FAULTY: "error",
    Upload.Status.FAILED: "error",
    Upload.Status.PURGED: "error",
}
PURPOSES = {ResultChunk.Kind.OUTPUT: "batch_output", ResultChunk.Kind.ERROR: "batch_error"}


def upload_object(upload: Upload) -> dict[str, Any]:
    """Describe a file of requests, with its person and project loaded."""
    return {
        "id": upload_id(upload.pk),
        "object": "file",
        "bytes": upload.size,
        "created_at": int(upload.created_at.timestamp()),
        "filename": upload.name,
        "purpose": "batch",
        "status": STATUSES[Upload.Status(upload.status)],
        "created_by_email": upload.uploaded_by.email,
        "context_name": upload.project.name,
        "context_type": "organization",
    }


def result_file_object(batch: Batch, kind: ResultChunk.Kind, size: int) -> dict[str, Any]:
    """Describe the answers or errors of a batch, with its person and project loaded."""
    return {
        "id": result_file_id(batch.pk, kind),
        "object": "file",
        "bytes": size,
        "created_at": int(batch.created_at.timestamp()),
        "filename": f"{batch_id(batch.pk)}_{kind.value}.jsonl",
        "purpose": PURPOSES[kind],
        "status": "processed",
        "created_by_email": batch.created_by.email,
        "context_name": batch.project.name,
        "context_type": "organization",
    }


def error_findings(report: Report) -> tuple[str, dict[str, Any]]:
    """Return a sentence of the first error of a file, and all errors, within a limit."""
    errors = _of_severity(report, Severity.ERROR)
    total = report.severities[Severity.ERROR]
    more = f" The file has {total:,} errors." if total > 1 else ""
    findings = [_finding(row) for row in errors[:FINDINGS_SENT]]
    return f"{_sentence(errors[0])}{more}", {"findings": findings, "finding_total": total}


def warnings_of(report: Report) -> dict[str, Any]:
    """Return the warnings of a file that was taken and their number; {} if there are none."""
    rows = _of_severity(report, Severity.WARNING)
    if not rows:
        return {}
    warnings = [_finding(row) for row in rows[:FINDINGS_SENT]]
    return {"warnings": warnings, "warning_total": report.severities[Severity.WARNING]}


def _of_severity(report: Report, severity: Severity) -> list[Finding]:
    rows = [row for row in report.findings if row.severity == severity]
    return sorted(rows, key=lambda row: row.line)


def _sentence(finding: Finding) -> str:
    return f"Line {finding.line}: {finding.message}" if finding.line else finding.message


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "line": finding.line or None,
        "custom_id": finding.custom_id or None,
        "message": finding.message,
    }


def estimate_object(upload: Upload, report: Report, quote: Estimate) -> dict[str, Any]:
    """Describe what ``upload`` is expected to cost, in Doubleword's members and ours."""
    return {
        "file_id": upload_id(upload.pk),
        "completion_window": quote.window,
        "total_requests": report.requests,
        "total_estimated_input_tokens": sum(row.input_tokens for row in quote.models),
        "total_estimated_output_tokens": sum(row.output_expected for row in quote.models),
        # A sum of the priced models alone would be taken for the cost of the file.
        "total_estimated_cost": _amount(quote.expected_usd if quote.is_complete else None),
        "low_cost": _amount(quote.low_usd if quote.is_complete else None),
        "high_cost": _amount(quote.high_usd),
        "ceiling_cost": _amount(quote.ceiling_usd),
        "models": [
            {
                "model": row.model,
                "request_count": row.requests,
                "estimated_input_tokens": row.input_tokens,
                "estimated_output_tokens": row.output_expected,
                "estimated_cost": _amount(row.expected_usd),
            }
            for row in quote.models
        ],
    }


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
