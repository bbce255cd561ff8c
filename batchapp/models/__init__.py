"""What the portal keeps, one aggregate a file. Models never know who moves them."""

from batchapp.models.batch import Batch, Part
from batchapp.models.charge import Charge
from batchapp.models.connection import DOUBLEWORD_URL, Connection
from batchapp.models.event import Event
from batchapp.models.key import ProviderKey, UnreadableKey
from batchapp.models.leased import Leased, StaleRow
from batchapp.models.price import REALTIME, Price
from batchapp.models.project import Membership, Project
from batchapp.models.result import Result, Segment
from batchapp.models.upload import Upload
from batchapp.models.user import FailedSignIn, User

__all__ = [
    "DOUBLEWORD_URL",
    "REALTIME",
    "Batch",
    "Charge",
    "Connection",
    "Event",
    "FailedSignIn",
    "Leased",
    "Membership",
    "Part",
    "Price",
    "Project",
    "ProviderKey",
    "Result",
    "Segment",
    "StaleRow",
    "UnreadableKey",
    "Upload",
    "User",
]
