"""Clients of Doubleword, the kind of provider that can do the most."""

from functools import partial

from batchapp.providers import kinds

connect = partial(kinds.connect, kinds.DOUBLEWORD)
connect_management = partial(kinds.connect_management, kinds.DOUBLEWORD)
