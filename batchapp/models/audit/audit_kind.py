"""The kinds of what is recorded, and the areas by which people filter them."""

from enum import StrEnum, unique
from typing import Final

from django.db import models


class AuditArea(models.TextChoices):
    SIGN_IN = "sign_in", "Sign-in and accounts"
    PEOPLE = "people", "People and roles"
    PROJECTS = "projects", "Projects"
    KEYS = "keys", "Keys"
    CONNECTIONS = "connections", "Connections and models"
    PRICES = "prices", "Prices"
    BATCHES = "batches", "Batches"
    DOWNLOADS = "downloads", "Downloads"
    DELETION = "deletion", "Keeping and deleting"
    MONEY = "money", "Budgets and approvals"


@unique
class AuditKind(StrEnum):
    """Everything that is recorded, in alphabetical order."""

    ACCOUNT_HANDED_OVER = "account_handed_over"
    ACCOUNT_MADE = "account_made"
    ADDRESS_CHANGED = "address_changed"
    ADDRESS_TAKEN_BACK = "address_taken_back"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_POLICY_CHANGED = "approval_policy_changed"
    AUDIT_EVENTS_DELETED = "audit_events_deleted"
    BATCH_APPROVED = "batch_approved"
    BATCH_CANCELLED = "batch_cancelled"
    BATCH_DENIED = "batch_denied"
    BATCH_HELD = "batch_held"
    BATCH_HOLD_ENDED = "batch_hold_ended"
    BATCH_IMPORTED = "batch_imported"
    BATCH_LABELLED = "batch_labelled"
    BATCH_ORDERED = "batch_ordered"
    BATCH_PAUSED = "batch_paused"
    BATCH_PURGED = "batch_purged"
    BATCH_RESUMED = "batch_resumed"
    BATCH_RETRIED_IN_PLACE = "batch_retried_in_place"
    BATCH_TRIED_AGAIN = "batch_tried_again"
    BUDGET_CHANGED = "budget_changed"
    BUDGET_REMOVED = "budget_removed"
    BUDGET_SET = "budget_set"
    CONNECTION_ADDED = "connection_added"
    CONNECTION_ARCHIVED = "connection_archived"
    CONNECTION_CHANGED = "connection_changed"
    CONNECTION_REMOVED = "connection_removed"
    CONNECTION_RESTORED = "connection_restored"
    COST_CENTRE_CHANGED = "cost_centre_changed"
    DOWNLOADED = "downloaded"
    EMAIL_READ = "email_read"
    EXPORT_DELETED = "export_deleted"
    EXPORT_MADE = "export_made"
    FILE_DELETED = "file_deleted"
    FIRST_ADMINISTRATOR_MADE = "first_administrator_made"
    INVITATION_ACCEPTED = "invitation_accepted"
    INVITATION_DECLINED = "invitation_declined"
    INVITATION_MADE = "invitation_made"
    INVITATION_RENEWED = "invitation_renewed"
    INVITATION_REVOKED = "invitation_revoked"
    MEMBER_LEFT = "member_left"
    MEMBER_REMOVED = "member_removed"
    MODELS_WRITTEN = "models_written"
    MODEL_ADDED = "model_added"
    MODEL_CHANGED = "model_changed"
    MODEL_REMOVED = "model_removed"
    MONTH_CLOSED = "month_closed"
    NAME_CHANGED = "name_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # no password
    PASSWORD_RESET_SENT = "password_reset_sent"  # noqa: S105  # no password
    PERSON_ACTIVATED = "person_activated"
    PERSON_DEACTIVATED = "person_deactivated"
    PLATFORM_KEY_REMOVED = "platform_key_removed"
    PLATFORM_KEY_SET = "platform_key_set"
    PORTAL_KEY_MADE = "portal_key_made"
    PORTAL_KEY_REVOKED = "portal_key_revoked"
    PORTAL_KEY_ROTATED = "portal_key_rotated"
    PORTAL_KEY_USED = "portal_key_used"
    PORTAL_ROLE_CHANGED = "portal_role_changed"
    PRICES_IMPORTED = "prices_imported"
    PRICES_LOADED = "prices_loaded"
    PRICE_ADDED = "price_added"
    PRICE_CORRECTED = "price_corrected"
    PRICE_ENDED = "price_ended"
    PRICE_WITHDRAWN = "price_withdrawn"
    PROJECT_ARCHIVED = "project_archived"
    PROJECT_CHANGED = "project_changed"
    PROJECT_CREATED = "project_created"
    PROJECT_DELETED = "project_deleted"
    PROJECT_JOINED = "project_joined"
    PROJECT_RESTORED = "project_restored"
    PROJECT_TRANSFERRED = "project_transferred"
    PROMPT_TEMPLATE_DELETED = "prompt_template_deleted"
    PROVIDER_KEY_ADDED = "provider_key_added"
    PROVIDER_KEY_REMOVED = "provider_key_removed"
    PROVIDER_KEY_REPLACED = "provider_key_replaced"
    PROVIDER_WEBHOOKS_SET = "provider_webhooks_set"
    PROVIDER_WEBHOOKS_STOPPED = "provider_webhooks_stopped"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RESERVE_POLICY_CHANGED = "reserve_policy_changed"
    RETENTION_CHANGED = "retention_changed"
    ROLE_CHANGED = "role_changed"
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECRETS_ENCRYPTED_AGAIN = "secrets_encrypted_again"
    SESSIONS_ENDED = "sessions_ended"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_FAILED = "sign_in_failed"
    SINGLE_SIGN_ON_LINKED = "single_sign_on_linked"
    STATEMENT_MAILED = "statement_mailed"
    STATEMENT_RECIPIENT_ADDED = "statement_recipient_added"
    STATEMENT_RECIPIENT_CONFIRMED = "statement_recipient_confirmed"
    STATEMENT_RECIPIENT_REMOVED = "statement_recipient_removed"
    STATEMENT_RECIPIENT_STOPPED = "statement_recipient_stopped"
    TABLE_DELETED = "table_deleted"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_DELETED = "webhook_deleted"
    WEBHOOK_DISABLED = "webhook_disabled"
    WEBHOOK_ENABLED = "webhook_enabled"
    WEBHOOK_MADE = "webhook_made"
    WEBHOOK_REPLAYED = "webhook_replayed"
    WEBHOOK_ROTATED = "webhook_rotated"
    WEBHOOK_TESTED = "webhook_tested"


Kind = AuditKind

# A new kind belongs to one of these, or the event cannot be recorded.
KINDS_OF: Final[dict[AuditArea, tuple[AuditKind, ...]]] = {
    AuditArea.BATCHES: (
        *(Kind.BATCH_CANCELLED, Kind.BATCH_IMPORTED, Kind.BATCH_LABELLED),
        *(Kind.BATCH_ORDERED, Kind.BATCH_PAUSED, Kind.BATCH_RESUMED),
        *(Kind.BATCH_RETRIED_IN_PLACE, Kind.BATCH_TRIED_AGAIN),
    ),
    AuditArea.PRICES: (
        *(Kind.PRICE_ADDED, Kind.PRICE_CORRECTED, Kind.PRICE_ENDED),
        *(Kind.PRICE_WITHDRAWN, Kind.PRICES_IMPORTED, Kind.PRICES_LOADED),
    ),
    AuditArea.SIGN_IN: (
        *(Kind.ACCOUNT_HANDED_OVER, Kind.PASSWORD_RESET_SENT),
        *(Kind.ACCOUNT_MADE, Kind.ADDRESS_CHANGED, Kind.PASSWORD_CHANGED),
        *(Kind.RECOVERY_CODES_MADE, Kind.SECOND_FACTOR_ADDED, Kind.SECOND_FACTOR_REMOVED),
        *(Kind.SIGN_IN_FAILED, Kind.SIGNED_IN, Kind.SIGNED_OUT),
        *(Kind.SINGLE_SIGN_ON_LINKED, Kind.NAME_CHANGED, Kind.SESSIONS_ENDED),
        Kind.ADDRESS_TAKEN_BACK,
    ),
    AuditArea.PEOPLE: (
        *(Kind.FIRST_ADMINISTRATOR_MADE, Kind.PORTAL_ROLE_CHANGED),
        *(Kind.INVITATION_MADE, Kind.INVITATION_RENEWED, Kind.INVITATION_REVOKED),
        *(Kind.INVITATION_ACCEPTED, Kind.INVITATION_DECLINED),
        *(Kind.PERSON_ACTIVATED, Kind.PERSON_DEACTIVATED),
        *(Kind.MEMBER_LEFT, Kind.MEMBER_REMOVED, Kind.ROLE_CHANGED, Kind.PROJECT_JOINED),
    ),
    AuditArea.PROJECTS: (
        *(Kind.PROJECT_ARCHIVED, Kind.PROJECT_RESTORED, Kind.PROJECT_TRANSFERRED),
        *(Kind.WEBHOOK_MADE, Kind.WEBHOOK_CHANGED, Kind.WEBHOOK_DELETED),
        *(Kind.WEBHOOK_DISABLED, Kind.WEBHOOK_ENABLED, Kind.WEBHOOK_ROTATED),
        *(Kind.WEBHOOK_TESTED, Kind.WEBHOOK_REPLAYED),
        *(Kind.COST_CENTRE_CHANGED, Kind.PROJECT_CHANGED, Kind.PROJECT_CREATED),
        Kind.RETENTION_CHANGED,
    ),
    AuditArea.KEYS: (
        *(Kind.PORTAL_KEY_MADE, Kind.PORTAL_KEY_REVOKED, Kind.PORTAL_KEY_ROTATED),
        *(Kind.PROVIDER_KEY_ADDED, Kind.PROVIDER_KEY_REMOVED, Kind.PROVIDER_KEY_REPLACED),
        *(Kind.PROVIDER_WEBHOOKS_SET, Kind.PROVIDER_WEBHOOKS_STOPPED),
        *(Kind.PORTAL_KEY_USED, Kind.SECRETS_ENCRYPTED_AGAIN),
    ),
    AuditArea.CONNECTIONS: (
        *(Kind.CONNECTION_ADDED, Kind.CONNECTION_CHANGED, Kind.CONNECTION_REMOVED),
        *(Kind.CONNECTION_ARCHIVED, Kind.CONNECTION_RESTORED),
        *(Kind.PLATFORM_KEY_SET, Kind.PLATFORM_KEY_REMOVED),
        *(Kind.MODEL_ADDED, Kind.MODEL_CHANGED, Kind.MODEL_REMOVED, Kind.MODELS_WRITTEN),
    ),
    AuditArea.DOWNLOADS: (
        Kind.EMAIL_READ,
        *(Kind.DOWNLOADED, Kind.EXPORT_MADE, Kind.STATEMENT_MAILED),
    ),
    AuditArea.MONEY: (
        *(Kind.APPROVAL_ASKED, Kind.APPROVAL_EXPIRED, Kind.APPROVAL_POLICY_CHANGED),
        *(Kind.BATCH_APPROVED, Kind.BATCH_DENIED),
        *(Kind.BUDGET_CHANGED, Kind.BUDGET_REMOVED, Kind.BUDGET_SET, Kind.RESERVE_POLICY_CHANGED),
        Kind.MONTH_CLOSED,
        *(Kind.STATEMENT_RECIPIENT_ADDED, Kind.STATEMENT_RECIPIENT_CONFIRMED),
        *(Kind.STATEMENT_RECIPIENT_REMOVED, Kind.STATEMENT_RECIPIENT_STOPPED),
    ),
    AuditArea.DELETION: (
        Kind.AUDIT_EVENTS_DELETED,
        Kind.PROJECT_DELETED,
        *(Kind.BATCH_HELD, Kind.BATCH_HOLD_ENDED, Kind.BATCH_PURGED),
        *(Kind.EXPORT_DELETED, Kind.FILE_DELETED, Kind.TABLE_DELETED),
        Kind.PROMPT_TEMPLATE_DELETED,
    ),
}

AREA_OF: Final = {kind: area for area, kinds in KINDS_OF.items() for kind in kinds}
