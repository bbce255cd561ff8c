"""JSON answers that say something else than the sandbox knows."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import PlainTextResponse, Response

from batchapp.sandbox.api.errors import json_response
from batchapp.sandbox.faults.kinds import ANSWER_FAULTS
from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.state import now

Json = dict[str, Any]


class SpoiltAnswer:
    """What takes the place of one answer under the faults that ``struck`` it."""

    def __init__(self, struck: Mapping[str, Rule], seed: int, path: str) -> None:
        self._struck = {fault: rule for fault, rule in struck.items() if fault in ANSWER_FAULTS}
        self._seed = seed
        self._path = path

    def instead_of(self, status: int, body: bytes) -> Response | None:
        """The spoilt answer; None if this one stays as it is, as refusals do."""
        if not self._struck or not 200 <= status < 300:
            return None
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if not isinstance(answer, dict):
            return None
        listed = answer.get("data")
        rows = listed if isinstance(listed, list) else [answer]
        known = [row for row in rows if not isinstance(row, dict) or self._is_known(row)]
        if rows is listed:
            ends = {"data": known, "first_id": None, "last_id": None}
            answer = {name: value for name, value in answer.items() if name not in ends}
            answer |= {"data": known}
            answer |= {"first_id": known[0]["id"], "last_id": known[-1]["id"]} if known else {}
        elif not known:
            kind = "File" if "/files" in self._path else "Batch"
            return PlainTextResponse(f"{kind} with ID {answer.get('id')} not found", 404)
        for row in known:
            self._spoil(row)
        if "wrong-types" in self._struck:
            answer = {name: _other_type(value) for name, value in answer.items()}
        return json_response(answer, status)

    def _is_known(self, row: Json) -> bool:
        lag, vanish = self._struck.get("lag"), self._struck.get("vanish")
        # Whole seconds are all that is shown, so the youngest moment it can mean is taken.
        if lag is not None and row.get("created_at", 0) + 1 > now() - lag.amount:
            return False
        return vanish is None or not vanish.hits(self._seed, str(row.get("id")))

    def _spoil(self, row: Json) -> None:
        counts = row.get("request_counts")
        if counts is None:
            return
        if "unknown-status" in self._struck:
            row["status"] = self._struck["unknown-status"].value
        if "counts-back" in self._struck:
            counts["completed"] //= 2
        if "counts-odd" in self._struck:
            counts["failed"] += counts["total"] + 1


def _other_type(value: Any) -> Any:
    """``value`` as another type of JSON; in a list every row is turned by itself."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [{name: _other_type(item) for name, item in row.items()} for row in value]
    if isinstance(value, bool) or value is None:
        return [value]
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return len(value)
    return list(value.values()) if isinstance(value, dict) else {}
