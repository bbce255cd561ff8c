"""Find the requests of a file that need not be sent, when the file is checked."""

from collections import Counter
from typing import Any

import msgspec

from batchapp.domain.request_files.check_file import Report
from batchapp.domain.reuse.request_digest import is_sampled
from batchapp.domain.reuse.reuse_plan import ReuseOffer
from batchapp.models import Upload
from batchapp.services.reuse.digested_files import (
    MAX_LINES,
    UNREADABLE,
    DigestedFile,
    store_digests,
)
from batchapp.services.reuse.find_answers import find_answers


def offer_fields(upload: Upload, report: Report) -> dict[str, Any]:
    """Return the fields of ``upload`` with its offer, and store the digests of its requests.

    A file without an offer has None: if all its requests must be sent, if it is a retry, which
    runs requests again on purpose, or leaves out requests already, and if it is too large.

    Raises:
        OSError: the bytes of the file cannot be read.
        StaleRow: another worker has the row now.
    """
    empty: dict[str, Any] = {"offer_fields": None}
    if not report.is_valid or report.requests > MAX_LINES or upload.reuse_fields:
        return empty
    renew_lease = upload.lease_renewer()
    try:
        file = DigestedFile(upload, renew_lease)
    except UNREADABLE:
        return empty
    store_digests(upload, file.digests)
    if upload.retry_of_id:
        return empty
    offer = find_offer(upload, file)
    return empty if offer.is_empty else {"offer_fields": msgspec.to_builtins(offer)}


def find_offer(upload: Upload, file: DigestedFile) -> ReuseOffer:
    """Count the requests of ``upload`` that have an answer, and those that repeat another."""
    answers = find_answers(upload, file.digests, upload.lease_renewer())
    kept: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    repeats: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    by_batch: Counter[int] = Counter()
    seen: set[bytes] = set()
    for digest, model, id_hash in file.requests():
        sampled = is_sampled(digest)
        if answer := answers.find(digest, id_hash):
            kept[sampled][model] += 1
            by_batch[answer.batch] += 1
        if digest in seen:
            repeats[sampled][model] += 1
        seen.add(digest)
    return ReuseOffer(
        sources=answers.sources(by_batch),
        kept=dict(kept[False]),
        kept_sampled=dict(kept[True]),
        repeats=dict(repeats[False]),
        repeats_sampled=dict(repeats[True]),
    )
