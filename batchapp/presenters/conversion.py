"""A file that can be turned into requests with one button, and its first requests."""

import json
from dataclasses import dataclass

from batchapp.domain.corrections.correction_rules import CORRECTION_RULES, CorrectionKind
from batchapp.domain.corrections.plan import TO_CONVERT, Plan
from batchapp.domain.request_files.check_file import Report, Severity
from batchapp.domain.request_files.findings import FORMAT_CODES, presentable
from batchapp.domain.request_files.rules.request_warnings import find_secret
from batchapp.domain.results.conversation import last_question
from batchapp.presenters.correction_options import CorrectionOptions
from batchapp.templatetags.words import count

CODE_LENGTH = 4_000  # characters of a request that is shown in full
QUESTION_LENGTH = 200
ASKED_FOR = ("missing_model", "missing_url")


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """A request as it will be; ``code`` is its JSON, "" if a secret stands in it."""

    custom_id: str
    url: str
    model: str
    question: str
    code: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """The button and what it does; ``corrections`` go with its form.

    ``remarks`` say which of the first lines stay as they are, and why.
    """

    label: str
    steps: list[str]
    corrections: list[str]
    requests: list[FirstRequest]
    remarks: list[str]
    endpoints: list[tuple[str, str]]
    asks_model: bool

    @property
    def needs_value(self) -> bool:
        return self.asks_model or bool(self.endpoints)


def conversion_of(options: CorrectionOptions, urls: tuple[str, ...]) -> Conversion | None:
    """Return the conversion of a file of which no line can be sent as it is.

    None if a line can, or if errors are left that keep the first lines from being requests.
    """
    plan, report = options.plan, options.report
    if plan is None or (report.models and TO_CONVERT.isdisjoint(report.finding_totals)):
        return None
    requests = [row for row in map(_first_request, plan.requests) if row]
    remarks = _remarks(plan.report)
    if remarks and not requests:  # the button would promise what the corrections cannot make
        return None
    kinds = [kind for kind in CORRECTION_RULES if kind in plan.corrections]
    asks_model = plan.asks_model and bool(options.models)
    names = [kind.value for kind in kinds]
    if asks_model:
        names.append(CorrectionKind.SET_MODEL.value)
    is_other_format = CorrectionKind.CONVERT_FORMAT in plan.corrections
    return Conversion(
        label="Turn into requests" if is_other_format else "Correct the file",
        steps=[CORRECTION_RULES[kind].title for kind in kinds],
        corrections=names,
        requests=requests,
        remarks=remarks,
        endpoints=_endpoints(plan, urls),
        asks_model=asks_model,
    )


def _endpoints(plan: Plan, urls: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the endpoints to choose from, none if the requests tell theirs."""
    if plan.asks_endpoint:
        return [("", "Choose an endpoint"), *((url, url) for url in urls)]
    messages, chat = "/v1/messages", "/v1/chat/completions"
    if plan.has_two_endpoints and messages in urls and chat in urls:
        return [("", f"{messages}, as they are written"), (chat, chat)]
    return []


def _first_request(line: bytes) -> FirstRequest | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    body = request.get("body") if isinstance(request, dict) else None
    if not isinstance(body, dict):
        return None
    is_secret = bool(find_secret(line))
    code = json.dumps(request, indent=2, ensure_ascii=False)
    if len(code) > CODE_LENGTH:
        code = f"{code[:CODE_LENGTH]} …"
    question = " ".join(last_question(line).split())
    return FirstRequest(
        custom_id=presentable(str(request.get("custom_id", ""))),
        url=presentable(str(request.get("url", ""))),
        model=presentable(str(body.get("model", ""))),
        question="" if is_secret else presentable(question, QUESTION_LENGTH),
        code="" if is_secret else code,
    )


def _remarks(report: Report) -> list[str]:
    """Say of each error that is left in the first lines where it is."""
    remarks = []
    for code, total in report.finding_totals.items():
        finding = next(row for row in report.findings if row.code == code)
        if (
            finding.severity is Severity.ERROR
            and code not in ASKED_FOR
            and code not in FORMAT_CODES
        ):
            remarks.append(
                f"{count(total, 'line')} of the first {report.requests:,} cannot be sent: "
                f"{finding.message}"
            )
    return remarks
