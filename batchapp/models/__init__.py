"""The rows of the portal, one noun a file; they do not know the services that change them."""

from batchapp.models.batches.batch import Batch
from batchapp.models.batches.batch_import import BatchImport
from batchapp.models.batches.event import Event, EventKind
from batchapp.models.batches.model_cost import ModelCost
from batchapp.models.batches.provider_batch import ProviderBatch
from batchapp.models.batches.result import Result, ResultChunk, UnmatchedLine
from batchapp.models.fields.encryption import UnreadableKey
from batchapp.models.fields.leased_row import LeasedRow, StaleRow
from batchapp.models.files.prompt_template import PromptTemplate, PromptTemplateVersion
from batchapp.models.files.source_table import FileOrigin, SourceTable
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Membership, Project
from batchapp.models.people.user import FailedSignIn, User
from batchapp.models.providers.connection import DOUBLEWORD_URL, Connection
from batchapp.models.providers.key_poll import KeyPoll
from batchapp.models.providers.offered_model import OfferedModel
from batchapp.models.providers.price import REALTIME, Price
from batchapp.models.providers.provider_key import ProviderKey
from batchapp.models.providers.webhook_delivery import WebhookDelivery

__all__ = [
    "DOUBLEWORD_URL",
    "REALTIME",
    "Batch",
    "BatchImport",
    "Connection",
    "Event",
    "EventKind",
    "FailedSignIn",
    "FileOrigin",
    "KeyPoll",
    "LeasedRow",
    "Membership",
    "ModelCost",
    "OfferedModel",
    "Price",
    "Project",
    "PromptTemplate",
    "PromptTemplateVersion",
    "ProviderBatch",
    "ProviderKey",
    "Result",
    "ResultChunk",
    "SourceTable",
    "StaleRow",
    "UnmatchedLine",
    "UnreadableKey",
    "Upload",
    "User",
    "WebhookDelivery",
]
