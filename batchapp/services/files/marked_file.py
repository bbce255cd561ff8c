"""Write a file whose shared prompts are marked for the provider's cache, its groups in turn."""

import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings

from batchapp.domain.corrections.correction_rules import CorrectionKind
from batchapp.domain.corrections.prompt_marks import PromptMarker, take_turns
from batchapp.domain.prompt_cache.choice import Marking
from batchapp.domain.request_files.limits import Limits


class MarkedFile:
    """One run over a file; afterwards ``changed`` has the number of marked requests."""

    def __init__(self, marking: Marking, limits: Limits) -> None:
        self.changed: Counter[CorrectionKind] = Counter()
        self._marking, self._limits = marking, limits

    def run(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """Yield the lines of the new file; ``chunks`` opens the original, and is called twice.

        The marked lines wait on the disk for their turn, some bytes of each in memory.
        """
        marker = PromptMarker(self._marking, self._limits)
        groups, starts = array("q"), array("Q", [0])
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as marked:
            for group, line in marker.run(chunks):
                marked.write(line)
                groups.append(group)
                starts.append(starts[-1] + len(line))
            self.changed[CorrectionKind.MARK_SHARED_PROMPT] = marker.marked
            for index in take_turns(groups, self._marking.concurrency):
                marked.seek(starts[index])
                yield marked.read(starts[index + 1] - starts[index])
