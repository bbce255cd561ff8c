"""Faults that change the content of JSON responses."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from starlette.responses import PlainTextResponse, Response

from batchapp.sandbox.api.costs import decimal_text
from batchapp.sandbox.api.errors import json_response
from batchapp.sandbox.context import Sandbox
from batchapp.sandbox.faults.kinds import JSON_FAULTS
from batchapp.sandbox.faults.switches import Rule

Json = dict[str, Any]


class JsonFaults:
    """The JSON faults among ``rules``, for one call of ``path``."""

    def __init__(self, rules: Mapping[str, Rule], sandbox: Sandbox, path: str) -> None:
        self._rules = {fault: rule for fault, rule in rules.items() if fault in JSON_FAULTS}
        self._sandbox = sandbox
        self._path = path

    def replacement(self, status: int, body: bytes) -> Response | None:
        """Return the changed response, or None for a response that no fault changes."""
        if not self._rules or not 200 <= status < 300:
            return None
        try:
            content = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if not isinstance(content, dict):
            return None
        data = content.get("data")
        rows = data if isinstance(data, list) else [content]
        visible = [row for row in rows if not isinstance(row, dict) or self._is_visible(row)]
        if rows is data:
            for name in ("data", "first_id", "last_id"):
                content.pop(name, None)
            content["data"] = visible
            if visible:
                content |= {"first_id": visible[0]["id"], "last_id": visible[-1]["id"]}
        elif not visible:
            kind = "File" if "/files" in self._path else "Batch"
            return PlainTextResponse(f"{kind} with ID {content.get('id')} not found", 404)
        for row in visible:
            self._change(row)
        if "wrong-types" in self._rules:
            content = {name: _change_type(value) for name, value in content.items()}
        return json_response(content, status)

    def _is_visible(self, row: Json) -> bool:
        lag, vanish = self._rules.get("lag"), self._rules.get("vanish")
        # created_at is rounded down to seconds, so the row may be up to a second younger.
        if lag is not None and row.get("created_at", 0) + 1 > self._sandbox.now() - lag.amount:
            return False
        return vanish is None or not vanish.selects_item(
            self._sandbox.faults.seed, str(row.get("id"))
        )

    def _change(self, row: Json) -> None:
        if "billed-twice" in self._rules:
            _bill_twice(row.get("analytics", row), int(self._rules["billed-twice"].amount))
        counts = row.get("request_counts")
        if counts is None:
            return
        if "unknown-status" in self._rules:
            row["status"] = self._rules["unknown-status"].value
        if "counts-back" in self._rules:
            counts["completed"] //= 2
        if "counts-odd" in self._rules:
            counts["failed"] += counts["total"] + 1


def _bill_twice(analytics: Json, answers: int) -> None:
    """Add the mean tokens and cost of ``answers`` requests, at most of all."""
    if "total_cost" not in analytics:
        return
    billed = analytics["total_requests"]
    extra = min(answers, billed)
    analytics["total_requests"] += extra
    for name in ("total_prompt_tokens", "total_completion_tokens"):
        analytics[name] += analytics[name] * extra // billed
    analytics["total_tokens"] = (
        analytics["total_prompt_tokens"] + analytics["total_completion_tokens"]
    )
    for name in ("total_cost", "total_list_cost"):
        cost = Decimal(analytics[name]) * (billed + extra) / billed
        analytics[name] = decimal_text(cost)


def _change_type(value: Any) -> Any:
    """Return ``value`` as another JSON type; in a list of rows each value of each row changes."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [{name: _change_type(item) for name, item in row.items()} for row in value]
    if isinstance(value, bool) or value is None:
        return [value]
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return len(value)
    return list(value.values()) if isinstance(value, dict) else {}
