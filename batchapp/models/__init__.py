"""What the portal keeps, one aggregate a file. Models never know who moves them."""

from batchapp.models.adoption import Adoption
from batchapp.models.batch import Batch
from batchapp.models.charge import Charge
from batchapp.models.connection import DOUBLEWORD_URL, Connection
from batchapp.models.delivery import Delivery
from batchapp.models.event import Event
from batchapp.models.key import ProviderKey
from batchapp.models.leased import Leased, StaleRow
from batchapp.models.part import Part
from batchapp.models.price import REALTIME, Price
from batchapp.models.project import Membership, Project
from batchapp.models.result import Result, Segment, Stray
from batchapp.models.sealed import UnreadableKey
from batchapp.models.table import Origin, Table
from batchapp.models.template import Template, TemplateVersion
from batchapp.models.upload import Upload
from batchapp.models.user import FailedSignIn, User
from batchapp.models.watch import Watch

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
