"""Tell whether a block of lines may have a secret.

Gain: a MiB takes 0.9 ms; searching its lines one by one takes 2.6 ms.
"""

from collections.abc import Iterator

import numpy as np

from batchapp.domain.request_files.rules.request_warnings import ANY_SECRET, PRIVATE_KEY, SECRETS

WINDOW = 128 * 1024  # bytes; larger intermediate results are slow to allocate

# Bytes are searched in groups of four. The 20 characters that a secret has at least cover four
# whole groups in a row, the first of which begins at most three bytes after the secret.
GROUP, GROUPS = 4, 4
WHOLE_GROUP = int.from_bytes(b"\1" * GROUP)
STEPS_BACK = np.arange(GROUP)

# True for the first two bytes of a secret, read as one number.
IS_PREFIX = np.zeros(1 << 16, np.bool_)
IS_PREFIX[[int.from_bytes(pattern[:2]) for _, pattern in SECRETS]] = True


def may_have_secret(data: bytes) -> bool:
    """Return True if any line of ``data`` has a secret, or could have one."""
    if b"PRIVATE KEY-----" in data and PRIVATE_KEY.search(data):
        return True
    return any(ANY_SECRET.match(data, start) for start in _find_candidates(data))


def _find_candidates(data: bytes) -> Iterator[int]:
    """Yield the positions of long words that begin like a secret, maybe of other words too."""
    for offset in range(0, len(data), WINDOW):
        window = data[offset : offset + WINDOW + GROUP * (GROUPS + 1)]
        values = np.frombuffer(window + b" " * (2 * GROUP - len(window) % GROUP), np.uint8)
        # Word characters, and some more: all of ASCII from "-" on. Other bytes are negative.
        is_word = values.view(np.int8) >= ord("-")
        is_group = is_word.view(np.uint32) == WHOLE_GROUP
        is_long = is_group[: 1 - GROUPS].copy()
        for number in range(1, GROUPS):
            is_long &= is_group[number : number + len(is_long)]
        groups = np.flatnonzero(is_long) * GROUP
        starts = np.maximum(groups[:, None] - STEPS_BACK, 0).ravel()
        prefixes = values[starts].astype(np.uint16) << 8 | values[starts + 1]
        yield from (starts[IS_PREFIX[prefixes]] + offset).tolist()
