"""Say what is kept how long, what a rule would delete, and what was deleted."""

from batchapp.domain.refused import Refused
from batchapp.models import Batch, Upload
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.archive.retention import ContentSize, Outdated, ReusedElsewhere
from batchapp.templatetags.words import count, size


def purged_text(row: Batch | Upload) -> str:
    """Return when the content of a batch or a file was deleted, and why; "" if it is here."""
    try:
        row.require_content()
    except Refused as exc:
        return refusal_text(exc)
    return ""


def kept_text(days: int | None) -> str:
    return "forever" if days is None else f"for {count(days, 'day')}"


def outdated_text(outdated: Outdated, content: ContentSize) -> str:
    """Return what would be deleted, as in "12 batches, 214 files, 3.1 GiB; 2 on hold stay"."""
    batches = count(len(outdated.batches), "batch,batches")
    text = f"{batches}, {count(content.files, 'file')}, {size(content.bytes)}"
    if held := len(outdated.held):
        text += f"; {held:,} on hold {'stays' if held == 1 else 'stay'}"
    if reused := len(outdated.reused):
        text += f"; {reused:,} {'stays' if reused == 1 else 'stay'}, since other batches reuse "
        text += "its answers" if reused == 1 else "their answers"
    return text


def reused_text(reused: ReusedElsewhere) -> str:
    """Return which batches lose answers if others are deleted; "" if none does."""
    if not reused.answers:
        return ""
    return (
        f"{count(reused.batches, 'other batch,other batches')} "
        f"{'reuses' if reused.batches == 1 else 'reuse'} "
        f"{reused.answers:,} of these answers, and "
        f"{'loses' if reused.batches == 1 else 'lose'} "
        f"{'it' if reused.answers == 1 else 'them'} for good."
    )
