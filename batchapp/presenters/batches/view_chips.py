"""The saved views above a list of batches, with the one that the list shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchapp.models import SavedView


@dataclass(frozen=True, slots=True)
class ViewChip:
    """``is_changed``: the list was opened with this view, and has another filter since."""

    view: SavedView
    is_current: bool
    is_changed: bool


def view_chips(
    views: Sequence[SavedView], filter_values: Mapping[str, str], opened: str
) -> list[ViewChip]:
    """``opened`` is the id of the view in the address of the list, "" for none."""
    by_id = {str(view.pk): view for view in views}
    current = by_id.get(opened) or next(
        (view for view in views if view.filter_values == filter_values), None
    )
    return [
        ViewChip(view, view is current, view is current and view.filter_values != filter_values)
        for view in views
    ]
