"""The sentence at the top of the home page, and the time left of each batch on it."""

from collections.abc import Sequence

from batchapp.presenters.batches.batch_summary import Summary
from batchapp.templatetags.words import count, in_round_units, left


def home_headline(waiting: Sequence[object], running: Sequence[object], *, is_new: bool) -> str:
    """Return how many batches wait for a person and how many are under way."""
    if waiting:
        verb = "needs" if len(waiting) == 1 else "need"
        rest = f", {len(running):,} under way" if running else ""
        return f"{count(len(waiting), 'batch,batches')} {verb} attention{rest}"
    if running:
        return f"{count(len(running), 'batch,batches')} under way"
    return "Welcome to Batchapp" if is_new else "Nothing is under way"


def time_left_text(summary: Summary) -> str:
    """Return the time that the provider probably needs, else the time until the batch is due."""
    if summary.time_left and not summary.is_late and not summary.troubles:
        return f"about {in_round_units(summary.time_left.middle)}"
    if not summary.due:
        return ""
    return left(summary.due) if summary.is_late else f"at most {left(summary.due)}"
