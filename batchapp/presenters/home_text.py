"""The sentence at the top of the home page."""

from collections.abc import Sequence

from batchapp.templatetags.words import count


def home_headline(waiting: Sequence[object], running: Sequence[object], *, is_new: bool) -> str:
    """Return how many batches wait for a person and how many are under way."""
    if waiting:
        verb = "needs" if len(waiting) == 1 else "need"
        rest = f", {len(running):,} under way" if running else ""
        return f"{count(len(waiting), 'batch,batches')} {verb} attention{rest}"
    if running:
        return f"{count(len(running), 'batch,batches')} under way"
    return "Welcome to Batchapp" if is_new else "Nothing is under way"
