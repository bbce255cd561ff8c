"""Progress bars on a terminal, and plain lines in other output."""

import sys
import time
from typing import TextIO

WIDTH = 30
REDRAW_EVERY = 0.1  # seconds


class Bar:
    """The bar of one step: redrawn on a terminal, else printed once at the end."""

    def __init__(self, label: str, total: int, unit: str, stream: TextIO | None = None) -> None:
        self._label, self._total, self._unit = label, max(total, 1), unit
        self._stream = stream or sys.stdout
        self._started = self._drawn = time.monotonic()
        self._done = 0

    def update(self, done: int) -> None:
        self._done = min(done, self._total)
        if self._stream.isatty() and time.monotonic() - self._drawn > REDRAW_EVERY:
            self._drawn = time.monotonic()
            self._stream.write(f"\r{self._line()}")
            self._stream.flush()

    def finish(self) -> None:
        self._done = self._total
        start = "\r" if self._stream.isatty() else ""
        seconds = time.monotonic() - self._started
        self._stream.write(f"{start}{self._line()}  {seconds:.1f} s\n")
        self._stream.flush()

    def _line(self) -> str:
        share = self._done / self._total
        full = int(share * WIDTH)
        bar = "█" * full + "░" * (WIDTH - full)
        return (
            f"  {self._label:<10} {bar} {int(share * 100):3}%  "
            f"{self._done:,} of {self._total:,} {self._unit}"
        )
