"""The sentence of each kind of event in the audit."""

from collections.abc import Callable
from datetime import date

from batchapp.models import AuditKind
from batchapp.presenters.approval_text import reasons_text
from batchapp.presenters.sentences import Data, Sentence, format_template
from batchapp.templatetags.words import count

NONE = "none"


def field_name(field: str) -> str:
    """Return the name of a column or fact as people read it."""
    words = field.replace("_", " ").replace(" usd", " in USD").replace(" id", "")
    return words[:1].upper() + words[1:]


def _of(data: Data) -> str:
    """Return whose key it is, if the event names a person."""
    return f" of {data['of']}" if data.get("of") else " of the project"


def _connection_changed(data: Data) -> str:
    names = ", ".join(field_name(name).lower() for name in data["after"])
    return f"Changed the connection {data['connection']}" + (f": {names}." if names else ".")


def _invited(data: Data) -> str:
    email = data["email"] or "whoever has the link"
    return f"{email} as {data['role']}" if data["role"] else email


def _joined(data: Data) -> str:
    was = f", who was {data['before']}" if data["before"] else ""
    return f"Joined the project as owner{was}."


def _transferred(data: Data) -> str:
    own = data["own_role"]
    rest = f"The former owner is {own} now" if own else "The former owner has left"
    return f"Transferred the project to {data['person']}. {rest}."


def _note(data: Data) -> str:
    return f": {data['note']}" if data["note"] else "."


def _budget(verb: str) -> Callable[[Data], str]:
    """Return how to say that the budget of an event was ``verb``."""

    def sentence(data: Data) -> str:
        kind = data["budget_kind"].replace("_", " ")
        whose = f"{kind} {data['budget_name']}" if data["budget_name"] else f"whole {kind}"
        return f"{verb} the budget of the {whose}."

    return sentence


# What somebody downloads -> how a sentence calls it.
DOWNLOADS = {
    "output": "the answers of {name}",
    "error": "the errors of {name}",
    "merged": "the merged results of {name}",
    "unmatched": "the unmatched lines of {name}",
    "export": "the export {name}",
    "results": "the results of {name}",
    "file": "the file {name}",
    "ids": "the replaced ids of the file {name}",
    "comparison": "a comparison of batches",
    "report": "the report",
    "direct_requests": "a list of single requests",
    "statement": "the statement of {name}",
    "audit": "the audit",
}


def _downloaded(data: Data) -> str:
    return f"Downloaded {format_template(DOWNLOADS[data['what']], data)}."


def _signed_in(data: Data) -> str:
    names = {"totp": "a code of an app", "recovery_codes": "a recovery code"}
    names |= {"webauthn": "a passkey", "socialaccount": "single sign-on"}
    methods = [names.get(method, method) for method in data["methods"]]
    return f"Signed in by {' and '.join(methods)}." if methods else "Signed in."


def _sign_in_failed(data: Data) -> str:
    person = data["person"] or "an address that nobody has here"
    text = f"A sign-in of {person} failed (wrong {data['method']})"
    if data["count"] > 1:
        text += f", {count(data['count'], 'time')} in this hour"
    more = data["counted_of_all"]
    return f"{text}. {count(more, 'sign-in')} of all people failed so far." if more else f"{text}."


def _address_changed(data: Data) -> str:
    whose = f"with which {data['person']} signed in" if data.get("person") else "to sign in with"
    return f"Changed the e-mail address {whose}."


def _address_taken_back(data: Data) -> str:
    text = f"The owner of the mailbox {data['email']} took the address back from somebody else."
    return f"{text} The account is closed." if data["is_closed"] else text


def _factor(verb: str) -> Callable[[Data], str]:
    names = {"totp": "an authenticator app", "webauthn": "a passkey"}
    names |= {"recovery_codes": "recovery codes"}

    def sentence(data: Data) -> str:
        whose = f" of {data['person']}" if data["person"] else ""
        return f"{verb} {names.get(data['type'], 'a second factor')} as second factor{whose}."

    return sentence


def _labelled(data: Data) -> str:
    parts = [f"added {', '.join(data['added'])}"] if data["added"] else []
    parts += [f"removed {', '.join(data['removed'])}"] if data["removed"] else []
    if data["cost_centre"] is not None:
        parts.append(f"cost centre {data['cost_centre'] or NONE}")
    return f"Changed the labels of the batch {data['name']}: {'; '.join(parts)}."


def _recipient(template: str) -> Callable[[Data], str]:
    """Return how to say what happened to an address that statements are mailed to."""

    def sentence(data: Data) -> str:
        month = f" for {date.fromisoformat(data['month']):%B %Y}" if "month" in data else ""
        of = f" of the cost centre {data['cost_centre']}" if data["cost_centre"] else ""
        return template.format(email=data["email"], statements=f"statement{of}{month}")

    return sentence


def _kept(days: int | None) -> str:
    return "for ever" if days is None else count(days, "day")


def _purged(data: Data) -> str:
    why = f", kept {count(data['days'], 'day')} by the rule" if data["days"] is not None else ""
    return f"Deleted the requests and answers of the batch {data['name']}{why}."


SENTENCES: dict[AuditKind, Sentence] = {
    AuditKind.ACCOUNT_HANDED_OVER: (
        "Took over the account of {person}, whose address was not proven before: the password, "
        "sessions and portal keys from before ended."
    ),
    AuditKind.ACCOUNT_MADE: "Made an account for {email}.",
    AuditKind.ADDRESS_CHANGED: _address_changed,
    AuditKind.ADDRESS_TAKEN_BACK: _address_taken_back,
    AuditKind.APPROVAL_ASKED: lambda data: (
        f"Asked for approval of {data['batch']}. {reasons_text(data['reasons'])}"
    ),
    AuditKind.APPROVAL_EXPIRED: "Cancelled {batch}, which nobody approved in time.",
    AuditKind.APPROVAL_POLICY_CHANGED: "Changed which batches need approval.",
    AuditKind.BATCH_APPROVED: lambda data: f"Approved {data['batch']}{_note(data)}",
    AuditKind.BATCH_DENIED: lambda data: f"Denied {data['batch']}{_note(data)}",
    AuditKind.BATCH_CANCELLED: "Asked to cancel the batch {name}.",
    AuditKind.BATCH_HELD: "Put the batch {name} on hold.",
    AuditKind.BATCH_HOLD_ENDED: "Ended the hold of the batch {name}.",
    AuditKind.BATCH_IMPORTED: "Imported the batch {name} from {connection}.",
    AuditKind.BATCH_LABELLED: _labelled,
    AuditKind.BATCH_ORDERED: "Ordered the batch {name}, {window:window} window.",
    AuditKind.BATCH_PAUSED: "Asked to pause the batch {name}.",
    AuditKind.BATCH_PURGED: _purged,
    AuditKind.BATCH_RESUMED: "Asked to resume the batch {name}.",
    AuditKind.BATCH_RETRIED_IN_PLACE: (
        "Asked to retry {requests:count request} of the batch {name} in place."
    ),
    AuditKind.BATCH_TRIED_AGAIN: "Asked to try the batch {name} again.",
    AuditKind.COST_CENTRE_CHANGED: lambda data: (
        f"Changed the cost centre of new batches from {data['before'] or NONE} to "
        f"{data['after'] or NONE}."
    ),
    AuditKind.DOWNLOADED: _downloaded,
    AuditKind.EXPORT_DELETED: "Deleted an export of the batch {name} ({format}).",
    AuditKind.EXPORT_MADE: "Made an export of the batch {name} ({format}).",
    AuditKind.FILE_DELETED: "Deleted the file {name}.",
    AuditKind.MODELS_WRITTEN: (
        "Wrote what is known of models at {connection}: {added:,} added, {changed:,} changed."
    ),
    AuditKind.MODEL_ADDED: "Added the model {model} at {connection}.",
    AuditKind.MODEL_CHANGED: "Changed what is known of the model {model} at {connection}.",
    AuditKind.MODEL_REMOVED: "Removed the model {model} at {connection}.",
    AuditKind.MONTH_CLOSED: lambda data: (
        f"Closed the month {date.fromisoformat(data['month']):%B %Y}, and made its statements."
    ),
    AuditKind.STATEMENT_MAILED: _recipient("Mailed the {statements} to {email}."),
    AuditKind.STATEMENT_RECIPIENT_ADDED: _recipient(
        "Asked {email} to confirm that the {statements} is mailed there each month."
    ),
    AuditKind.STATEMENT_RECIPIENT_CONFIRMED: _recipient(
        "The reader of {email} confirmed to get the {statements} each month."
    ),
    AuditKind.STATEMENT_RECIPIENT_REMOVED: _recipient(
        "Removed {email} from those who get the {statements} each month."
    ),
    AuditKind.STATEMENT_RECIPIENT_STOPPED: _recipient(
        "The reader of {email} unsubscribed from the {statements}."
    ),
    AuditKind.NAME_CHANGED: "Changed the own name or time zone.",
    AuditKind.PASSWORD_CHANGED: lambda data: (
        "Chose a new password by a link." if data["by_link"] else "Changed the password."
    ),
    AuditKind.PORTAL_KEY_USED: "Used the portal key {name} ({shown_part}…), the first time today.",
    AuditKind.PRICE_ADDED: "Added a price of {model}, {window:window}, at {connection}.",
    AuditKind.PRICE_CORRECTED: "Changed the price of {model}, {window:window}, at {connection}.",
    AuditKind.PRICE_ENDED: "Ended the price of {model}, {window:window}, at {connection}.",
    AuditKind.PRICE_WITHDRAWN: (
        "Withdrew the announced price of {model}, {window:window}, at {connection}."
    ),
    AuditKind.PRICES_IMPORTED: (
        "Imported prices of {connection}: {added:,} added, {changed:,} changed, {ended:,} ended."
    ),
    AuditKind.PRICES_LOADED: "Loaded {added:count list price} of {connection}.",
    AuditKind.PROJECT_CHANGED: "Changed the name or the colour of the project.",
    AuditKind.PROJECT_CREATED: "Created the project, on {connection}.",
    AuditKind.PROMPT_TEMPLATE_DELETED: (
        "Deleted the prompt template {name}, {versions:count version}."
    ),
    AuditKind.PROVIDER_WEBHOOKS_SET: lambda data: (
        f"Set the webhook secret of the provider key {data['name']}{_of(data)}, for "
        f"{data['connection']}."
    ),
    AuditKind.PROVIDER_WEBHOOKS_STOPPED: lambda data: (
        f"Removed the webhook secret of the provider key {data['name']}{_of(data)}, for "
        f"{data['connection']}."
    ),
    AuditKind.RECOVERY_CODES_MADE: "Made new recovery codes.",
    AuditKind.RETENTION_CHANGED: lambda data: (
        f"Changed how long requests and answers are kept from {_kept(data['before'])} to "
        f"{_kept(data['after'])}."
    ),
    AuditKind.SECOND_FACTOR_ADDED: _factor("Added"),
    AuditKind.SECOND_FACTOR_REMOVED: _factor("Removed"),
    AuditKind.SECRETS_ENCRYPTED_AGAIN: (
        "Encrypted {secrets:count secret} again, with the newest key."
    ),
    AuditKind.SESSIONS_ENDED: "Signed out in {sessions:count other browser}.",
    AuditKind.SIGN_IN_FAILED: _sign_in_failed,
    AuditKind.SIGNED_IN: _signed_in,
    AuditKind.SIGNED_OUT: "Signed out.",
    AuditKind.SINGLE_SIGN_ON_LINKED: "Linked the account to single sign-on.",
    AuditKind.TABLE_DELETED: "Deleted the table {name}.",
    AuditKind.AUDIT_EVENTS_DELETED: (
        "Deleted {events:count event} of the audit that were older than {days:count day}: seals "
        "{first_seal:,} to {last_seal:,}."
    ),
    AuditKind.BUDGET_CHANGED: _budget("Changed"),
    AuditKind.BUDGET_REMOVED: _budget("Removed"),
    AuditKind.BUDGET_SET: _budget("Set"),
    AuditKind.CONNECTION_ADDED: "Added the connection {connection}, {base_url}.",
    AuditKind.CONNECTION_ARCHIVED: "Archived the connection {connection}.",
    AuditKind.CONNECTION_CHANGED: _connection_changed,
    AuditKind.CONNECTION_REMOVED: "Removed the connection {connection}, {base_url}.",
    AuditKind.CONNECTION_RESTORED: "Took the connection {connection} into use again.",
    AuditKind.EMAIL_READ: "Read the e-mail “{subject}” to {recipient}.",
    AuditKind.FIRST_ADMINISTRATOR_MADE: "Became the first administrator.",
    AuditKind.INVITATION_ACCEPTED: "Accepted the invitation by {invited_by}.",
    AuditKind.INVITATION_DECLINED: "Declined the invitation by {invited_by}.",
    AuditKind.INVITATION_MADE: lambda data: f"Invited {_invited(data)}.",
    AuditKind.INVITATION_RENEWED: lambda data: f"Made a new link to invite {_invited(data)}.",
    AuditKind.INVITATION_REVOKED: lambda data: f"Revoked the invitation of {_invited(data)}.",
    AuditKind.MEMBER_LEFT: "Left the project, as {role}.",
    AuditKind.MEMBER_REMOVED: "Removed {person}, who was {role}.",
    AuditKind.PASSWORD_RESET_SENT: "Sent {person} a link for a new password.",
    AuditKind.PERSON_ACTIVATED: "Activated {person} again.",
    AuditKind.PERSON_DEACTIVATED: "Deactivated {person}.",
    AuditKind.PLATFORM_KEY_REMOVED: "Removed the platform key of {connection}.",
    AuditKind.PLATFORM_KEY_SET: "Set the platform key of {connection}, which ends in {last_four}.",
    AuditKind.PORTAL_KEY_MADE: "Made the portal key {name} ({scope}) of {of}.",
    AuditKind.PORTAL_KEY_REVOKED: "Revoked the portal key {name} of {of}.",
    AuditKind.PORTAL_KEY_ROTATED: (
        "Rotated the portal key {name} of {of}; the old secret works for "
        "{overlap_hours:count hour} more."
    ),
    AuditKind.PORTAL_ROLE_CHANGED: (
        "Changed the role of {person} in the portal from {before} to {after}."
    ),
    AuditKind.PROJECT_ARCHIVED: "Archived the project.",
    AuditKind.PROJECT_DELETED: (
        "Deleted the project {name}, with {batches:count batch,batches}, {answers:count answer} "
        "and {files:count file}."
    ),
    AuditKind.PROJECT_JOINED: _joined,
    AuditKind.PROJECT_RESTORED: "Restored the project.",
    AuditKind.PROJECT_TRANSFERRED: _transferred,
    AuditKind.PROVIDER_KEY_ADDED: lambda data: (
        f"Added the provider key {data['name']}{_of(data)}, for {data['connection']}."
    ),
    AuditKind.PROVIDER_KEY_REMOVED: lambda data: (
        f"Removed the provider key {data['name']}{_of(data)}, for {data['connection']}."
    ),
    AuditKind.PROVIDER_KEY_REPLACED: lambda data: (
        f"Replaced the provider key {data['name']}{_of(data)}, for {data['connection']}."
    ),
    AuditKind.RESERVE_POLICY_CHANGED: "Changed how much of a batch's cost is reserved.",
    AuditKind.ROLE_CHANGED: "Changed the role of {person} from {before} to {after}.",
    AuditKind.WEBHOOK_CHANGED: "Changed the webhook {name}.",
    AuditKind.WEBHOOK_DELETED: "Deleted the webhook {name} to {receiver}.",
    AuditKind.WEBHOOK_DISABLED: "Switched off the webhook {name}.",
    AuditKind.WEBHOOK_ENABLED: "Switched on the webhook {name}.",
    AuditKind.WEBHOOK_MADE: "Made the webhook {name} to {receiver}.",
    AuditKind.WEBHOOK_REPLAYED: "Sent {messages:count message} of the webhook {name} again.",
    AuditKind.WEBHOOK_ROTATED: (
        "Rotated the secret of the webhook {name}; the old secret signs for "
        "{overlap_hours:count hour} more."
    ),
    AuditKind.WEBHOOK_TESTED: "Sent a test to the webhook {name}.",
}
