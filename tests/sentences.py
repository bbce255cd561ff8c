"""The sentences that people read of the facts that services raise and store."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refused
from batchapp.models import Batch
from batchapp.presenters.event_text import event_text
from batchapp.presenters.refusal_text import refusal_text


@contextmanager
def refused(match: str = "") -> Iterator[None]:
    """Expect a refusal whose sentence matches the regular expression ``match``."""
    with pytest.raises(Refused) as caught:
        yield
    sentence = refusal_text(caught.value)
    assert re.search(match, sentence), sentence


def timeline(batch: Batch) -> list[str]:
    """Return the sentences of the timeline of ``batch``."""
    return [event_text(event) for event in batch.events.all()]


def told(batch: Batch, words: str) -> list[str]:
    """Return the sentences of the timeline that have ``words``."""
    return [sentence for sentence in timeline(batch) if words in sentence]


def problem(text: str) -> Problem:
    """Return the problem of a row from an older version, which stored the sentence ``text``."""
    return Problem(ProblemCode.TEXT, {"text": text})
