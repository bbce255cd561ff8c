"""What the portal keeps, one aggregate a file. Models never know who moves them."""

from batchapp.models.batches.batch import Batch
from batchapp.models.batches.batch_import import Adoption
from batchapp.models.batches.event import Event
from batchapp.models.batches.model_cost import Charge
from batchapp.models.batches.provider_batch import Part
from batchapp.models.batches.result import Result, Segment, Stray
from batchapp.models.fields.encryption import UnreadableKey
from batchapp.models.fields.leased_row import Leased, StaleRow
from batchapp.models.files.prompt_template import Template, TemplateVersion
from batchapp.models.files.source_table import Origin, Table
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Membership, Project
from batchapp.models.people.user import FailedSignIn, User
from batchapp.models.providers.connection import DOUBLEWORD_URL, Connection
from batchapp.models.providers.key_poll import Watch
from batchapp.models.providers.price import REALTIME, Price
from batchapp.models.providers.provider_key import ProviderKey
from batchapp.models.providers.webhook_delivery import Delivery

__all__ = [
    "DOUBLEWORD_URL",
    "REALTIME",
    "Adoption",
    "Batch",
    "Charge",
    "Connection",
    "Delivery",
    "Event",
    "FailedSignIn",
    "Leased",
    "Membership",
    "Origin",
    "Part",
    "Price",
    "Project",
    "ProviderKey",
    "Result",
    "Segment",
    "StaleRow",
    "Stray",
    "Table",
    "Template",
    "TemplateVersion",
    "UnreadableKey",
    "Upload",
    "User",
    "Watch",
]
