"""Every page of the portal in every state, on rows that no worker changes.

Only the web process runs, so each state stays as ``seed`` created it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser.chromium import LONGEST_WAIT
from tests.faults.management_shell import ManagementShell, management_shell
from tests.processes.portal import ROOT, free_port, install, is_up, stack, until
from tests.sandbox.processes import sandbox_process

TOO_LARGE = 3 * 1024 * 1024 // 2
FORM = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class PageState:
    """A page in one state; ``opens`` has the selectors to click for its dialog, with " then ".

    ``posts`` is the body of a POST request, instead of a GET.
    """

    name: str
    path: str
    person: str = "ada"
    status: int = 200
    opens: str = ""
    posts: bytes | None = None

    def __str__(self) -> str:
        return self.name


def price_list(line: str) -> bytes:
    """Return the body of a form that sends a CSV of one price to compare."""
    csv = f"model,window,input_usd,output_usd\n{line}\nmeta-llama/Llama-4,24h,0.10,0.30\n"
    file = f'name="csv"; filename="prices.csv"\r\n\r\n{csv}'
    return multipart({"action": "compare", "connection": "1"}, file)


def multipart(fields: dict[str, str], *files: str) -> bytes:
    """Return the body of a form with these fields and parts of files."""
    fields = {"csrfmiddlewaretoken": 32 * "a", **fields}
    parts = [*(f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()), *files]
    bodies = "".join(f"--x\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    return f"{bodies}--x--\r\n".encode()


# The body of a form without a required choice.
NOTHING_TICKED = b'--x\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
NOTHING_TICKED += 32 * b"a" + b"\r\n--x--\r\n"
SHORTER_RULE = multipart({"days": "7"})

PAGE_STATES = [
    PageState("sign-in", "/sign-in/", person=""),
    PageState("password-forgotten", "/password/reset/", person=""),
    PageState("password-link-sent", "/password/reset/sent/", person=""),
    PageState("password-link-old", "/password/reset/1-x/", person=""),
    PageState("sign-up-closed", "/sign-up/", person=""),
    PageState("address-unproven", "/sign-up/sent/", person=""),
    PageState("address-confirm", "/sign-up/verify/{unproven}/", person=""),
    PageState("address-change-confirm", "/sign-up/verify/{another_address}/", person=""),
    PageState("address-link-old", "/sign-up/verify/x/", person=""),
    PageState("home", "/"),
    PageState("home-empty", "/", person="new"),
    PageState("home-busy", "/", person="alan"),
    PageState("home-invited", "/", person="grace"),
    PageState("invitation", "/invitations/{invitation}/", person=""),
    PageState("invitation-signed-in", "/invitations/{invitation}/", person="new"),
    PageState("invitation-gone", "/invitations/unknown/", person="", status=404),
    PageState("invitations", "/projects/support/members/invitations/"),
    PageState(
        "invitation-made",
        "/projects/empty/members/invitations/",
        posts=multipart({"action": "link", "role": "editor", "days": "7", "email": ""}),
    ),
    PageState(
        "invitation-not-mailed",
        "/projects/empty/members/invitations/",
        posts=multipart(
            {"action": "mail", "role": "editor", "days": "7", "email": "kay@example.com"}
        ),
    ),
    PageState("portal-invitations", "/administration/invitations/"),
    PageState(
        "person-remove-factors", "/administration/people/{edith_person}/second-factors/remove/"
    ),
    PageState("person-deactivate", "/administration/people/{grace_person}/deactivate/"),
    PageState("styleguide", "/styleguide/"),
    PageState("search", "/palette/?q=a"),
    PageState("guide", "/guide/"),
    PageState("guide-first-batch", "/guide/first-batch/"),
    PageState("guide-cost", "/guide/cost/"),
    PageState("guide-failures", "/guide/failures/"),
    PageState("guide-clients", "/guide/clients/"),
    PageState("guide-single-requests", "/guide/single-requests/"),
    PageState("api-reference", "/v1/reference"),
    PageState("guide-terms", "/guide/terms/"),
    PageState("guide-to-strangers", "/guide/cost/", person=""),
    PageState("help", "/guide/help/order_review/"),
    PageState("help-drawer", "/projects/", opens="#page-help"),
    PageState("inbox", "/inbox/"),
    PageState("inbox-empty", "/inbox/", person="new"),
    PageState("inbox-no-match", "/inbox/?kind=statement_ready"),
    PageState("notifications", "/profile/notifications/"),
    PageState("notifications-of-project", "/profile/notifications/?project=support"),
    PageState("e-mails-off", "/notifications/off/{email_off}/", person=""),
    PageState("e-mails-off-forged", "/notifications/off/x/", person="", status=404),
    PageState("profile", "/profile/"),
    PageState("profile-empty", "/profile/", person="new"),
    PageState("password", "/profile/password/"),
    PageState("address", "/profile/e-mail/"),
    PageState("second-factor", "/profile/second-factor/"),
    PageState("passkeys-empty", "/profile/second-factor/passkeys/"),
    PageState("confirm-it-is-you", "/sign-in/again/?next=/profile/second-factor/app/"),
    PageState("projects", "/projects/"),
    PageState("projects-empty", "/projects/", person="new"),
    PageState("project-new", "/projects/new/"),
    PageState("project", "/projects/support/"),
    PageState("project-empty", "/projects/empty/"),
    PageState("project-sandbox", "/projects/playground/", person="alan"),
    PageState("members", "/projects/support/members/"),
    PageState("members-looked-at", "/projects/support/members/", person="grace"),
    PageState("member-remove", "/projects/support/members/{grace}/remove/"),
    PageState(
        "member-remove-dialog",
        "/projects/support/members/",
        opens="tr:nth-child(2) summary then text=Remove…",
    ),
    PageState("own-role", "/projects/support/members/own-role/"),
    PageState(
        "own-role-dialog", "/projects/shared/members/", opens="table summary then #own-role"
    ),
    PageState("project-leave", "/projects/support/leave/", person="grace"),
    PageState("project-leave-dialog", "/projects/support/members/", opens="#leave"),
    PageState("project-settings", "/projects/support/settings/"),
    PageState("project-settings-looked-at", "/projects/support/settings/", person="grace"),
    PageState("project-archive", "/projects/support/archive/"),
    PageState("project-archive-dialog", "/projects/support/settings/", opens="#archive"),
    PageState("project-transfer", "/projects/support/transfer/"),
    PageState("project-delete", "/projects/empty/delete/"),
    PageState("project-delete-held", "/projects/insight/delete/"),
    PageState("project-delete-running", "/projects/support/delete/"),
    PageState("projects-archived", "/projects/?archived=1"),
    PageState("project-archived", "/projects/former/"),
    PageState("project-archived-settings", "/projects/former/settings/"),
    PageState("budgets", "/projects/support/budgets/"),
    PageState("budgets-exceeded", "/projects/insight/budgets/"),
    PageState("budgets-empty", "/projects/empty/budgets/"),
    PageState("budgets-looked-at", "/projects/support/budgets/", person="grace"),
    PageState("budget-add", "/projects/support/budgets/new/"),
    PageState("budget-change", "/projects/support/budgets/{budget}/"),
    PageState("budget-remove", "/projects/support/budgets/{budget}/remove/"),
    PageState("approvals", "/approvals/"),
    PageState("approvals-asked", "/approvals/?show=asked", person="grace"),
    PageState("approvals-decided", "/approvals/?show=decided"),
    PageState("approvals-empty", "/approvals/", person="new"),
    PageState("approval", "/batches/{asked}/approval/"),
    PageState("approval-new-prices", "/batches/{dearer}/approval/"),
    PageState("approval-looked-at", "/batches/{asked}/approval/", person="grace"),
    PageState("approval-denied", "/batches/{denied}/approval/"),
    PageState("approval-approved", "/batches/{approved}/approval/"),
    PageState("approval-expired", "/batches/{expired_approval}/approval/"),
    PageState("approval-withdrawn", "/batches/{withdrawn}/approval/"),
    PageState("approval-own", "/batches/{own_asked}/approval/"),
    PageState("approval-policy", "/projects/research/approvals/"),
    PageState("batch-awaiting-approval", "/batches/{asked}/"),
    PageState("batch-awaiting-own", "/batches/{own_asked}/"),
    PageState(
        "batch-review-approval",
        "/files/{research_file}/batch/review/?window=24h&key={research_key}&name=Again",
    ),
    PageState(
        "batch-review-over-budget",
        "/files/{over_file}/batch/review/?window=24h&key={over_key}&name=Again",
    ),
    PageState(
        "batch-review-nearly-over-budget",
        "/files/{nearly_file}/batch/review/?window=24h&key={nearly_key}&name=Again",
    ),
    PageState("retention", "/projects/insight/retention/"),
    PageState("retention-preview", "/projects/insight/retention/", posts=SHORTER_RULE),
    PageState("keys", "/projects/support/keys/"),
    PageState("keys-empty", "/projects/empty/keys/"),
    PageState("keys-on-the-way-to-a-batch", "/profile/?next=/files/{ready}/batch/"),
    PageState("key-replace", "/keys/{key}/replace/"),
    PageState("key-replace-dialog", "/profile/", opens="#keys summary then text=Replace…"),
    PageState("key-remove", "/keys/{key}/remove/"),
    PageState("key-webhook", "/keys/{key}/webhook/"),
    PageState("key-webhook-dialog", "/profile/", opens="#keys summary then text=Webhook…"),
    PageState("key-webhook-empty", "/keys/{key_of_project}/webhook/"),
    PageState("portal-keys", "/profile/portal-keys/"),
    PageState("portal-keys-empty", "/profile/portal-keys/", person="new"),
    PageState("portal-keys-of-project", "/projects/support/portal-keys/"),
    PageState("portal-keys-revoked", "/profile/portal-keys/?state=revoked"),
    PageState("portal-keys-revoked-none", "/profile/portal-keys/?state=revoked", person="new"),
    PageState("portal-keys-of-project-revoked", "/projects/support/portal-keys/?state=revoked"),
    PageState("portal-key-new", "/projects/support/portal-keys/new/"),
    PageState("portal-key-rotate", "/portal-keys/{portal_key}/rotate/"),
    PageState(
        "portal-key-rotate-dialog",
        "/profile/portal-keys/",
        opens="tbody summary then text=Rotate…",
    ),
    PageState("portal-key-revoke", "/portal-keys/revoke/?key={portal_key}"),
    PageState("webhooks", "/projects/support/webhooks/"),
    PageState("webhooks-empty", "/projects/empty/webhooks/"),
    PageState("webhook-new", "/projects/support/webhooks/new/"),
    PageState("webhook", "/webhook-endpoints/{webhook}/"),
    PageState("webhook-none-matches", "/webhook-endpoints/{webhook_off}/?state=failed"),
    PageState("webhook-off", "/webhook-endpoints/{webhook_off}/"),
    PageState("webhook-edit", "/webhook-endpoints/{webhook}/edit/"),
    PageState("webhook-rotate", "/webhook-endpoints/{webhook}/rotate/"),
    PageState("webhook-delete", "/webhook-endpoints/{webhook}/delete/"),
    PageState("webhook-replay", "/webhook-endpoints/{webhook}/replay/"),
    PageState("webhook-message", "/webhook-messages/{webhook_message}/"),
    PageState("webhook-message-waiting", "/webhook-messages/{webhook_waiting}/"),
    PageState("files", "/projects/support/files/"),
    PageState("files-none-matches", "/projects/support/files/?q=nothing"),
    PageState("files-empty", "/projects/empty/files/"),
    PageState("file-checking", "/files/{checking}/"),
    PageState("file-ready", "/files/{ready}/"),
    PageState("file-faulty", "/files/{faulty}/"),
    PageState("file-failed", "/files/{failed}/"),
    PageState("file-unreadable", "/files/{unreadable}/"),
    PageState("file-duplicate", "/files/{duplicate}/"),
    PageState("file-reuse", "/files/{grown}/"),
    PageState("file-shared-prompt", "/files/{shared}/"),
    PageState("file-marked-prompt", "/files/{marked}/"),
    PageState("file-costly-marker", "/files/{costly}/"),
    PageState("file-correct", "/files/{faulty}/correct/"),
    PageState("file-correct-all", "/files/{mixed}/correct/"),
    PageState("file-misspelt", "/files/{misspelt}/"),
    PageState(
        "file-correct-model", "/files/{misspelt}/correct/?corrections=set_model&every_model=on"
    ),
    PageState("file-many-findings", "/files/{many}/"),
    PageState("file-correct-many", "/files/{many}/correct/"),
    PageState("file-array", "/files/{array}/"),
    PageState("file-anthropic", "/files/{anthropic}/"),
    PageState("file-correct-anthropic", "/files/{anthropic}/correct/"),
    PageState("file-results", "/files/{results}/"),
    PageState("file-will-fail", "/files/{will_fail}/"),
    PageState("file-correct-parameters", "/files/{will_fail}/correct/"),
    PageState("batch-check-array", "/files/{array}/batch/"),
    PageState("file-corrected", "/files/{corrected}/"),
    PageState("file-being-corrected", "/files/{correcting}/"),
    PageState("file-delete", "/files/{ready}/delete/"),
    PageState("file-delete-dialog", "/files/{ready}/", opens="#more summary then #delete"),
    PageState("builder", "/projects/support/tables/new/"),
    PageState("builder-empty", "/projects/empty/tables/new/"),
    PageState("builder-mapping", "/tables/{table}/"),
    PageState("builder-reading", "/tables/{table_reading}/"),
    PageState("builder-refused", "/tables/{table_refused}/"),
    PageState("builder-text", "/tables/{table_text}/"),
    PageState("builder-wide", "/tables/{table_wide}/"),
    PageState("builder-notices", "/tables/{table_noticed}/"),
    PageState("builder-new", "/tables/{table_new}/"),
    PageState("builder-fields", "/tables/{table_fields}/"),
    PageState("builder-hostile", "/tables/{table_hostile}/"),
    PageState("builder-making", "/tables/{table_making}/"),
    PageState("builder-faults", "/tables/{table_faulty}/"),
    PageState("builder-delete", "/tables/{table}/delete/"),
    PageState("template", "/prompt-templates/{template}/"),
    PageState("template-delete", "/prompt-templates/{template}/delete/"),
    PageState("file-origin", "/files/{from_table}/origin/"),
    PageState("file-origin-none", "/files/{ready}/origin/"),
    PageState("batch-start", "/batches/new/"),
    PageState("batch-start-nowhere", "/batches/new/", person="new"),
    PageState("batch-file", "/projects/support/batches/new/"),
    PageState("batch-file-empty", "/projects/empty/batches/new/"),
    PageState("batch-file-none-matches", "/projects/support/batches/new/?q=nothing"),
    PageState("batch-file-sandbox", "/projects/playground/batches/new/", person="alan"),
    PageState("batch-check", "/files/{ready}/batch/"),
    PageState("batch-check-running", "/files/{checking}/batch/"),
    PageState("batch-check-shared-prompt", "/files/{shared}/batch/"),
    PageState("batch-check-faulty", "/files/{faulty}/batch/"),
    PageState("batch-check-failed", "/files/{failed}/batch/"),
    PageState("batch-window", "/files/{ready}/batch/window/"),
    PageState("batch-window-wrong", "/files/{ready}/batch/window/?window=&key=&name="),
    PageState("batch-window-fallback", "/files/{ready}/batch/window/?window=1h&fallback=24h"),
    PageState("batch-window-forty-models", "/files/{forty_models}/batch/window/"),
    PageState("batch-window-closed", "/files/{closed}/batch/window/"),
    PageState("batch-window-dear", "/files/{dear}/batch/window/"),
    PageState("batch-window-cheap", "/files/{cheap}/batch/window/"),
    PageState("batch-window-no-key", "/files/{keyless}/batch/window/", person="grace"),
    PageState("batch-review", "/files/{ready}/batch/review/?window=1h&key={key}&name=November"),
    PageState(
        "batch-review-again", "/files/{ready}/batch/review/?window=24h&key={key}&name=Twice"
    ),
    PageState(
        "batch-review-split",
        "/files/{split_file}/batch/review/?window=1h&fallback=24h&key={key}&name=Many",
    ),
    PageState(
        "batch-review-forty-models", "/files/{forty_models}/batch/review/?window=1h&key={key}"
    ),
    PageState("batch-review-dear", "/files/{dear}/batch/review/?window=24h&key={key}"),
    PageState("batch-ready", "/files/{ready}/batch/ready/?window=1h&key={key}&name=Now"),
    PageState(
        "batch-review-submitted",
        "/files/{ready}/batch/review/?window=1h&key={key}&name=Done&submission={submission}",
    ),
    PageState("batches", "/batches/"),
    PageState("batches-selecting", "/batches/?select=on"),
    PageState("batches-view", "/projects/support/batches/?tag=urgent"),
    PageState("batches-selected", "/batches/selected/?action=cancel&all=on&status=active"),
    PageState("batches-tagging", "/batches/selected/?action=tag&all=on&tag=urgent"),
    PageState("batches-retrying", "/batches/selected/?action=retry&all=on&status=with_errors"),
    PageState("view-save", "/saved-views/add/?q=x&of=support"),
    PageState("batches-empty", "/batches/", person="new"),
    PageState("batches-none-matches", "/batches/?q=nothing"),
    PageState("batches-of-sandbox", "/batches/", person="alan"),
    PageState("batches-by-api", "/batches/?source=api"),
    PageState("batches-small", "/batches/?source=small"),
    PageState("batch-by-api", "/batches/{scripted}/"),
    PageState("single-requests", "/projects/insight/single-requests/"),
    PageState("single-requests-empty", "/projects/empty/single-requests/"),
    PageState("single-requests-none-matches", "/projects/insight/single-requests/?q=nothing"),
    PageState("batches-of-project", "/projects/support/batches/"),
    PageState("import", "/projects/support/batches/import/"),
    PageState("import-listed", "/projects/playground/batches/import/", person="alan"),
    PageState("import-no-key", "/projects/translations/batches/import/", person="grace"),
    PageState("batch-queued", "/batches/{queued}/"),
    PageState("batch-running", "/batches/{running}/"),
    PageState("batch-split", "/batches/{split}/"),
    PageState("odd-divided", "/batches/{divided}/"),
    PageState("odd-no-money", "/batches/{unpaid}/"),
    PageState("odd-no-room", "/batches/{room}/"),
    PageState("odd-status", "/batches/{odd_state}/"),
    PageState("odd-reasons", "/batches/{whole}/"),
    PageState("odd-ended-early", "/batches/{ended_early}/"),
    PageState("odd-project", "/projects/evaluation/"),
    PageState("odd-keys", "/projects/evaluation/keys/"),
    PageState("odd-key-test", "/keys/{evaluation_key}/test/", posts=multipart({})),
    PageState(
        "odd-review-divided",
        "/files/{mixed_models}/batch/review/?window=24h&key={evaluation_key}&name=Again",
    ),
    PageState("batch-stalled", "/batches/{stalled}/"),
    PageState("batch-failing", "/batches/{failing}/"),
    PageState("batch-sandbox", "/batches/{quiet}/", person="alan"),
    PageState("batch-cancelling", "/batches/{cancelling}/"),
    PageState("batch-needs-attention", "/batches/{stuck}/"),
    PageState("batch-completed", "/batches/{completed}/"),
    PageState("batch-with-errors", "/batches/{errors}/"),
    PageState("batch-reused", "/batches/{reused}/"),
    PageState("batch-cancelled", "/batches/{cancelled}/"),
    PageState("batch-purged", "/batches/{purged}/"),
    PageState("batch-purged-results", "/batches/{purged}/results/", status=410),
    PageState("batch-held", "/batches/{held}/"),
    PageState("file-purged", "/files/{purged_file}/"),
    PageState("hold", "/batches/{old}/hold/"),
    PageState("hold-end", "/batches/{held}/hold/"),
    PageState("purge", "/batches/{old}/purge/"),
    PageState("purge-dialog", "/batches/{old}/", opens="#more summary then #purge"),
    PageState("purge-not-now", "/batches/{held}/purge/"),
    PageState("cancel", "/batches/{running}/cancel/"),
    PageState("cancel-dialog", "/batches/{running}/", opens="#cancel"),
    PageState("batch-paused", "/batches/{paused}/"),
    PageState("pause", "/batches/{running}/pause/"),
    PageState("pause-dialog", "/batches/{running}/", opens="#pause"),
    PageState("pause-not-now", "/batches/{paused}/pause/"),
    PageState("resume", "/batches/{paused}/resume/"),
    PageState("resume-dialog", "/batches/{paused}/", opens="#resume"),
    PageState("retry-in-place", "/batches/{errors}/retry-in-place/"),
    PageState(
        "retry-in-place-dialog", "/batches/{errors}/", opens="#more summary then #retry-in-place"
    ),
    PageState("try-again", "/batches/{stuck}/try-again/"),
    PageState("try-again-dialog", "/batches/{stuck}/", opens="#try-again"),
    PageState("retry", "/batches/{retried}/retry/"),
    PageState("retry-wrong", "/batches/{retried}/retry/", posts=NOTHING_TICKED),
    PageState("retry-nothing", "/batches/{completed}/retry/"),
    PageState("file-retry", "/files/{retry_file}/"),
    PageState("batch-check-retry-writing", "/files/{retry_begun}/batch/"),
    PageState("batch-retried", "/batches/{retried}/"),
    PageState("batch-retry", "/batches/{retry}/"),
    PageState("results-merged", "/batches/{retried}/results/?after=280"),
    PageState("result-retried", "/batches/{retried}/results/291/"),
    PageState("results", "/batches/{completed}/results/"),
    PageState("compare", "/batches/compare/?b={judged}&b={judged_again}"),
    PageState(
        "compare-accuracy",
        "/batches/compare/?b={judged}&b={judged_again}&field=label&ref=0&show=all&loose=1",
    ),
    PageState("compare-choose", "/batches/{judged}/compare/"),
    PageState("compare-choose-none", "/batches/{quiet}/compare/", person="alan"),
    PageState("answers-as-table", "/batches/{completed}/answers-as-table/"),
    PageState("retry-one", "/batches/{errors}/retry/?line=290"),
    PageState("results-failed", "/batches/{errors}/results/?outcome=failed"),
    PageState("batch-doubtful", "/batches/{doubtful}/"),
    PageState("batch-with-problems", "/batches/{problems}/"),
    PageState("problems", "/batches/{problems}/problems/"),
    PageState("problems-empty", "/batches/{completed}/problems/"),
    PageState("results-reused", "/batches/{reused}/results/"),
    PageState("results-doubtful", "/batches/{doubtful}/results/"),
    PageState("results-fields", "/batches/{structured}/results/"),
    PageState(
        "results-filtered",
        "/batches/{structured}/results/?is.field:sentiment=late&range.field:score=2..<9&columns=question"
        "&columns=field:sentiment&columns=field:score&columns=source:stars&columns=outcome"
        "&columns=cost_usd&sort=-field:score",
    ),
    PageState("result-other-model", "/batches/{doubtful}/results/1/"),
    PageState("exports", "/batches/{completed}/exports/"),
    PageState("exports-filtered", "/batches/{errors}/exports/?outcome=failed&q=ticket"),
    PageState("exports-of-project", "/projects/support/exports/"),
    PageState("exports-of-project-empty", "/projects/empty/exports/"),
    PageState("export-link", "/exports/{export}/link/"),
    PageState("exports-unchosen", "/batches/{errors}/exports/", posts=NOTHING_TICKED),
    PageState("unmatched", "/batches/{doubtful}/unmatched/"),
    PageState("unmatched-none", "/batches/{completed}/unmatched/"),
    PageState("results-none-matches", "/batches/{completed}/results/?q=nothing"),
    PageState("result", "/batches/{completed}/results/2/"),
    PageState("result-failed", "/batches/{errors}/results/290/"),
    PageState("report", "/report/"),
    PageState("report-by-model", "/report/?by=model"),
    PageState("report-by-month", "/report/?first=2025-01-01&last=2026-12-31&sandbox=on&sort=name"),
    PageState(
        "report-cross-tab", "/report/?first=2026-01-01&last=2026-12-31&by=model&across=time"
    ),
    PageState(
        "report-cross-tab-of-groups", "/report/?first=2025-01-01&by=user&across=project&order=cost"
    ),
    PageState("report-of-failures", "/report/?first=2025-01-01&only=failed&by=tag"),
    PageState("report-of-member", "/report/", person="grace"),
    PageState("reliability", "/report/reliability/?first=2025-01-01"),
    PageState("reliability-empty", "/report/reliability/?first=2020-01-01&last=2020-01-31"),
    PageState("accuracy", "/report/accuracy/"),
    PageState("statements", "/statements/"),
    PageState("statements-of-project", "/statements/?project=support"),
    PageState("statement-month", "/statements/{closed_month}/"),
    PageState("statement-month-running", "/statements/{this_month}/"),
    PageState("statement-cost-centres", "/statements/{this_month}/?by=cost_centre"),
    PageState("statement-no-cost-centre", "/statements/{this_month}/?without=cost_centre"),
    PageState("statement", "/statements/{closed_month}/support/"),
    PageState("statement-running", "/statements/{this_month}/support/"),
    PageState("statement-print", "/statements/{this_month}/support/?print=1"),
    PageState("statement-empty", "/statements/{this_month}/empty/"),
    PageState("recipients", "/projects/support/statement-recipients/"),
    PageState("recipients-empty", "/projects/empty/statement-recipients/"),
    PageState("recipients-of-cost-centres", "/statements/recipients/"),
    PageState("recipient-confirms", "/statement-mail/confirm/{mail_confirm}/", person=""),
    PageState("recipient-stops", "/statement-mail/stop/{mail_stop}/", person=""),
    PageState("month-close", "/statements/close/{over_month}/"),
    PageState("month-close-dialog", "/statements/{over_month}/", opens="#close-month"),
    PageState("month-close-early", "/statements/close/{this_month}/"),
    PageState("report-empty", "/report/?first=2020-01-01&last=2020-01-31"),
    PageState("audit", "/audit/"),
    PageState("audit-none-matches", "/audit/?q=nothing"),
    PageState("audit-wrong-days", "/audit/?first=2026-12-01&last=2026-11-01"),
    PageState("audit-event", "/audit/1/"),
    PageState("audit-event-drawer", "/audit/", opens="#rows td.lead a"),
    PageState("audit-of-project", "/projects/support/audit/"),
    PageState("prices", "/prices/"),
    PageState("prices-history", "/prices/?show=all&sort=-since&q=Qwen3"),
    PageState("prices-none-matches", "/prices/?q=nothing"),
    PageState(
        "prices-tried",
        "/prices/?q=llama&try-connection=1&try-model=meta-llama/Llama-4-Scout"
        "&try-at=2030-01-01T12:00",
    ),
    PageState("prices-missing", "/prices/missing/"),
    PageState("prices-import", "/prices/import/"),
    PageState(
        "prices-compared", "/prices/import/", posts=price_list("Qwen/Qwen3.5-9B,24h,0.04,0.3")
    ),
    PageState(
        "prices-compared-badly", "/prices/import/", posts=price_list("Qwen/Qwen3.5-9B,24h,,1")
    ),
    PageState("price-add", "/prices/add/?connection=1&model=mistralai/Small&window=1h"),
    PageState("price-correct", "/prices/correct/?price={price}"),
    PageState("price-correct-dialog", "/prices/", opens="table summary then text=Correct 24 h…"),
    PageState("price-end", "/prices/end/?price={price}"),
    PageState("price-end-dialog", "/prices/", opens="table summary then text=End 24 h…"),
    PageState("price-withdraw", "/prices/withdraw/?price={announced}"),
    PageState("models", "/models/"),
    PageState("models-none-matches", "/models/?q=nothing"),
    PageState("models-import", "/models/import/"),
    PageState(
        "models-import-refused",
        "/models/import/",
        posts=multipart({"action": "load", "shipped-connection": "2"}),
    ),
    PageState("model-add", "/models/add/"),
    PageState("model-edit", "/models/edit/?model={model}"),
    PageState("model-edit-dialog", "/models/", opens="table summary then text=Edit…"),
    PageState("model-remove", "/models/remove/?model={model}"),
    PageState("system", "/administration/system/"),
    PageState("mail", "/administration/mail/"),
    PageState("system-retention", "/administration/retention/"),
    PageState("connections", "/administration/connections/"),
    PageState("connection", "/administration/connections/{connection}/"),
    PageState("connection-add", "/administration/connections/add/"),
    PageState("connection-edit", "/administration/connections/{connection}/edit/"),
    PageState(
        "connection-edit-refused",
        "/administration/connections/{connection}/edit/",
        posts=multipart({"name": "", "base_url": "x"}),
    ),
    PageState("connection-key", "/administration/connections/{connection}/platform-key/"),
    PageState(
        "connection-archive-dialog",
        "/administration/connections/{connection}/",
        opens="#connection-more summary then text=Archive…",
    ),
    PageState("connection-remove", "/administration/connections/{connection}/remove/"),
    PageState("people", "/administration/people/"),
    PageState("people-none-matches", "/administration/people/?q=nobody"),
    PageState("person-role", "/administration/people/{ada}/role/"),
    PageState(
        "person-role-dialog",
        "/administration/people/",
        opens="table summary then text=Role in the portal…",
    ),
    PageState("all-projects", "/administration/projects/"),
    PageState("all-projects-join", "/administration/projects/{foreign_project}/join/"),
    PageState("not-understood", f"/batches/?{'&' * 1100}", status=400),
    PageState("not-allowed", "/files/{foreign}/batch/", status=403),
    PageState("form-out-of-date", "/profile/", status=403, posts=urlencode({"name": ""}).encode()),
    PageState("not-found", "/projects/nowhere/", status=404),
    PageState("too-large", "/projects/support/files/", status=413, posts=bytes(TOO_LARGE)),
    PageState("broken", "/projects/broken/batches/", person="edsger", status=500),
]
PAGES = [page_state for page_state in PAGE_STATES if not page_state.opens]


@dataclass
class Gallery:
    """The portal with one browser session for each person."""

    url: str
    paths: dict[str, str]
    sessions: dict[str, str]
    env: dict[str, str]
    console: ManagementShell
    log: IO[str]
    web: "subprocess.Popen[bytes]" = field(init=False)

    def path_of(self, page_state: PageState) -> str:
        return page_state.path.format_map(self.paths)

    def enter(self, browser: Browser, page_state: PageState, **options: Any) -> BrowserContext:
        """Return a new browser context, signed in as the person of ``page_state``."""
        context = browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(LONGEST_WAIT)
        cookies = {"csrftoken": 32 * "a"}  # without the token every form is refused
        if session := self.sessions.get(page_state.person):
            cookies["sessionid"] = session
        context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in cookies.items()]
        )
        return context

    def visit(self, page: Page, page_state: PageState) -> int:
        """Open the page and its dialog; return the HTTP status."""
        path = self.path_of(page_state)
        if page_state.posts is not None:
            page.route(
                f"{self.url}{path}", lambda route: _posted(route, page_state, self.url), times=1
            )
        response = page.goto(path)
        assert response
        if page_state.opens:
            for step in page_state.opens.split(" then "):
                page.locator(step).first.click()
            page.locator("dialog[open] h1").wait_for()
        return response.status

    def answer(self, client: httpx.Client, page_state: PageState) -> httpx.Response:
        """Return what the page's address answers, redirects followed, without a browser."""
        session = self.sessions.get(page_state.person, "")
        headers = {"Cookie": f"csrftoken={32 * 'a'}; sessionid={session}"}
        path = self.path_of(page_state)
        if page_state.posts is None:
            return client.get(path, headers=headers, follow_redirects=True)
        headers |= _headers_of_form(page_state, self.url)
        return client.post(path, content=page_state.posts, headers=headers, follow_redirects=True)

    def change(self, code: str) -> str:
        """Run Python ``code`` in the portal, as a worker might; return its output."""
        return self.console.run("shell", "--no-imports", "--command", code)

    def stop(self) -> None:
        self.web.terminate()
        self.web.wait(60)

    def start(self) -> None:
        """Start the web process, also again after ``stop``."""
        command = [sys.executable, "manage.py", "serve", "web"]
        self.web = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=self.log, stderr=subprocess.STDOUT
        )
        until(lambda: is_up(f"{self.url}/readyz"), self.url, self.tail)

    def tail(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()[-4000:]


def _headers_of_form(page_state: PageState, origin: str) -> dict[str, str]:
    kind = "application/x-www-form-urlencoded" if page_state.status == 403 else FORM
    return {"content-type": kind, "origin": origin}


def _posted(route: Route, page_state: PageState, origin: str) -> None:
    headers = route.request.headers | _headers_of_form(page_state, origin)
    route.fulfill(response=route.fetch(method="POST", headers=headers, post_data=page_state.posts))


@contextmanager
def gallery(folder: Path) -> Iterator[Gallery]:
    """Serve every state from a new database until the block ends."""
    port = free_port()
    url = f"http://localhost:{port}"
    with (
        stack() as urls,
        (folder / "web.log").open("w+") as log,
        sandbox_process(folder / "sandbox") as (sandbox_url, _process),
    ):
        env = os.environ | urls
        env |= {
            "DATA_DIR": str(folder),
            "PORT": str(port),
            "PUBLIC_URL": url,
            "SANDBOX_URL": sandbox_url,
            "MAX_UPLOAD_MIB": "1",
            "LOG_LEVEL": "WARNING",
        }
        env.pop("DEBUG", None)

        install(env)
        command = [sys.executable, "-m", "tests.browser.seed"]
        seeded = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
        rows = json.loads(seeded.stdout)
        with management_shell(env) as console:
            portal = Gallery(url, rows["paths"], rows["sessions"], env, console, log)
            try:
                portal.start()
                yield portal
            finally:
                portal.stop()
