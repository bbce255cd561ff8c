"""The second room: what a file would cost, and the decision to run it."""

from batchapp.services.ordering.adopting import adopt
from batchapp.services.ordering.deciding import Refused, alike, default_name, order
from batchapp.services.ordering.quoting import learnt, price_tag, quote

__all__ = ["Refused", "adopt", "alike", "default_name", "learnt", "order", "price_tag", "quote"]
