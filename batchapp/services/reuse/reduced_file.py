"""Write a file of the requests of another that must be sent, and list those that need not be."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.request_files.reading import lines
from batchapp.domain.request_files.reading.gunzip import UnpackedFile
from batchapp.domain.reuse.request_digest import digest_request, is_sampled
from batchapp.domain.reuse.reuse_plan import Reuse, ReuseChoice, ReusedRequest
from batchapp.models import ReusedRequests, Upload, User
from batchapp.models.files.request_digests import RequestPacker
from batchapp.models.files.upload import ENDING, numbered_name
from batchapp.services.reuse.digested_files import store_digests, stored_digests
from batchapp.services.reuse.find_answers import KeptAnswers, find_answers
from batchapp.storage.blob_storage import StorageUnavailable

logger = logging.getLogger(__name__)


class NothingToSend(Exception):
    """Every request of the file has an answer."""


def request_reduced_file(
    original: Upload, user: User, choice: ReuseChoice, *, submission: UUID
) -> Upload:
    """Create the row of a file without the requests of ``choice``; a worker writes the bytes.

    ``submission`` is the id of the form: the same id with the same choice is the same file.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_write(user, original.project)
    seed = f"{original.pk} {user.pk} {msgspec.json.encode(choice)!r}"
    mark = "-new" if choice.keep or choice.keep_sampled else "-once"
    number = original.versions.filter(reuse_fields__isnull=False).count() + 1
    return Upload.objects.insert_once(
        Upload(
            pk=uuid5(submission, seed),
            project=original.project,
            uploaded_by=user,
            name=numbered_name(original.name.removesuffix(ENDING), mark, number),
            size=0,
            made_from=original,
            table_id=original.table_id,
            reuse_fields=msgspec.to_builtins(Reuse(choice, original.name)),
            next_check_at=timezone.now(),
        )
    )


def write_reduced_file(upload: Upload) -> bool:
    """Write the bytes of a requested file; return False if the row failed instead.

    What has an answer is decided now, by the batches that are there now.

    Raises:
        StaleRow: another worker has the row now; the bytes of this worker are dropped.
        StorageUnavailable: nothing was stored; write the file again later.
    """
    original, reuse = upload.made_from, upload.reuse
    if original is None or reuse is None:
        return _fail(upload, Problem(ProblemCode.ORIGINAL_DELETED))
    renew_lease = upload.lease_renewer()
    digests = stored_digests(original, renew_lease)
    answers = find_answers(original, digests if _keeps_any(reuse.choice) else b"", renew_lease)
    reduction = _Reduction(reuse.choice, answers)

    def final_fields() -> dict[str, Any]:
        # The row has no bytes yet: a worker that dies here leaves nothing that counts.
        ReusedRequests.objects.update_or_create(
            upload=upload, defaults={"packed": reduction.packer.finish()}
        )
        store_digests(upload, digests)
        return {"reuse_fields": msgspec.to_builtins(reduction.outcome(reuse))}

    try:
        upload.write_content(reduction.lines(original), final_fields)
    except StorageUnavailable:  # the step is run again
        raise
    except OSError as exc:
        logger.exception("upload %s: cannot be written from %s", upload.pk, original.pk)
        data = {"file": original.name, "reason": exc.strerror or str(exc)}
        return _fail(upload, Problem(ProblemCode.CORRECTION_NOT_WRITTEN, data))
    except NothingToSend:
        return _fail(upload, Problem(ProblemCode.NOTHING_NEW, {"file": original.name}))
    return True


def _keeps_any(choice: ReuseChoice) -> bool:
    return choice.keep or choice.keep_sampled


def _fail(upload: Upload, problem: Problem) -> bool:
    upload.move_to(Upload.Status.FAILED, problem=problem)
    return False


class _Reduction:
    """Leaves requests out of a file, line by line, and counts them; the ``packer`` has them."""

    def __init__(self, choice: ReuseChoice, answers: KeptAnswers) -> None:
        self.packer = RequestPacker()
        self._choice, self._answers = choice, answers
        self._first_lines: dict[bytes, int] = {}
        self._by_batch: Counter[int] = Counter()
        self._repeats = 0

    def lines(self, original: Upload) -> Iterator[bytes]:
        """Yield the lines of ``original``, blank where a request is left out.

        Raises:
            NothingToSend: at the end, if all are.
        """
        sent = 0
        for line in lines.split(UnpackedFile(original.chunks())):
            data = lines.trim(line.data)
            if not data or (reused := self._reused(line.number, data)):
                yield b"\n"
                if data and reused:
                    self.packer.add(reused)
            else:
                sent += 1
                yield line.data + b"\n"
        if not sent:
            raise NothingToSend

    def outcome(self, reuse: Reuse) -> Reuse:
        return msgspec.structs.replace(
            reuse,
            kept=self._by_batch.total(),
            repeats=self._repeats,
            sources=self._answers.sources(self._by_batch),
        )

    def _reused(self, number: int, data: bytes) -> ReusedRequest | None:
        """Return what is left out instead of line ``number``; None if it must be sent."""
        custom_id, model, digest = digest_request(data)
        sampled = is_sampled(digest)
        answer = self._answers.find(digest, hash(custom_id))
        if answer and self._choice.keeps(is_sampled=sampled):
            self._by_batch[answer.batch] += 1
            return ReusedRequest(number, custom_id, model, answer=answer.result)
        first = self._first_lines.setdefault(digest, number)
        if first == number or not self._choice.sends_once(is_sampled=sampled):
            return None
        self._repeats += 1
        return ReusedRequest(number, custom_id, model, same_as=first)
