"""The rows of the portal, one noun a file; they do not know the services that change them."""

from batchapp.models.approvals.approval_request import ApprovalRequest
from batchapp.models.audit.audit_event import AuditEvent
from batchapp.models.audit.audit_kind import AuditArea, AuditKind
from batchapp.models.audit.audit_seal import AuditSeal
from batchapp.models.batches.batch import Batch
from batchapp.models.batches.batch_import import BatchImport
from batchapp.models.batches.batch_problems import BatchProblems
from batchapp.models.batches.event import Event, EventKind
from batchapp.models.batches.export import Export
from batchapp.models.batches.model_cost import ModelCost
from batchapp.models.batches.outcome_counts import OutcomeCounts
from batchapp.models.batches.provider_batch import ProviderBatch
from batchapp.models.batches.purge import Purge, RetentionRule
from batchapp.models.batches.result import Result, ResultChunk, UnmatchedLine
from batchapp.models.batches.result_columns import ResultColumns
from batchapp.models.batches.saved_view import SavedView
from batchapp.models.batches.tag import BatchTag, Tag
from batchapp.models.budgets.budget import Budget
from batchapp.models.budgets.reservation import Reservation
from batchapp.models.cache_entry import CacheEntry
from batchapp.models.direct.direct_request import DirectRequest
from batchapp.models.fields.encryption import MovedKey, UnreadableKey
from batchapp.models.fields.leased_row import LeasedRow, StaleRow
from batchapp.models.files.prompt_template import PromptTemplate, PromptTemplateVersion
from batchapp.models.files.request_digests import RequestDigests, ReusedRequests
from batchapp.models.files.source_table import FileOrigin, SourceTable
from batchapp.models.files.upload import Upload
from batchapp.models.notifications.inbox_item import InboxItem
from batchapp.models.notifications.mailbox import Mailbox, WaitingEmail
from batchapp.models.notifications.notice import Notice, NoticeKind
from batchapp.models.notifications.preferences import NoticePreferences, NoticeSettings
from batchapp.models.people.invitation import Invitation
from batchapp.models.people.outgoing_email import OutgoingAttachment, OutgoingEmail
from batchapp.models.people.project import Membership, Project
from batchapp.models.people.user import User
from batchapp.models.portal_keys.idempotency_key import IdempotencyKey
from batchapp.models.portal_keys.portal_key import PortalKey, PortalKeySecret
from batchapp.models.providers.connection import DOUBLEWORD_URL, Connection
from batchapp.models.providers.key_poll import KeyPoll
from batchapp.models.providers.offered_model import OfferedModel
from batchapp.models.providers.price import REALTIME, Price
from batchapp.models.providers.provider_key import ProviderKey
from batchapp.models.providers.webhook_delivery import WebhookDelivery
from batchapp.models.statements.month_closing import MonthClosing
from batchapp.models.statements.statement import Statement, StatementLine
from batchapp.models.statements.statement_recipient import StatementRecipient
from batchapp.models.webhooks.webhook_endpoint import WebhookEndpoint
from batchapp.models.webhooks.webhook_message import WebhookAttempt, WebhookMessage

__all__ = [
    "DOUBLEWORD_URL",
    "REALTIME",
    "ApprovalRequest",
    "AuditArea",
    "AuditEvent",
    "AuditKind",
    "AuditSeal",
    "Batch",
    "BatchImport",
    "BatchProblems",
    "BatchTag",
    "Budget",
    "CacheEntry",
    "Connection",
    "DirectRequest",
    "Event",
    "EventKind",
    "Export",
    "FileOrigin",
    "IdempotencyKey",
    "InboxItem",
    "Invitation",
    "KeyPoll",
    "LeasedRow",
    "Mailbox",
    "Membership",
    "ModelCost",
    "MonthClosing",
    "MovedKey",
    "Notice",
    "NoticeKind",
    "NoticePreferences",
    "NoticeSettings",
    "OfferedModel",
    "OutcomeCounts",
    "OutgoingAttachment",
    "OutgoingEmail",
    "PortalKey",
    "PortalKeySecret",
    "Price",
    "Project",
    "PromptTemplate",
    "PromptTemplateVersion",
    "ProviderBatch",
    "ProviderKey",
    "Purge",
    "RequestDigests",
    "Reservation",
    "Result",
    "ResultChunk",
    "ResultColumns",
    "RetentionRule",
    "ReusedRequests",
    "SavedView",
    "SourceTable",
    "StaleRow",
    "Statement",
    "StatementLine",
    "StatementRecipient",
    "Tag",
    "UnmatchedLine",
    "UnreadableKey",
    "Upload",
    "User",
    "WaitingEmail",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookMessage",
]
