"""Save, change and delete views of the list of batches."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Project, SavedView, User

MAX_VIEWS = 20  # of one person in one list


def save_view(
    user: User,
    project: Project | None,
    name: str,
    filter_values: Mapping[str, str],
    *,
    is_shared: bool = False,
) -> SavedView:
    """Save a filter of the list of ``project``, or of the list of all batches, under ``name``.

    Raises:
        NotAllowed: the person may not see the project, or not share a view in it; nothing was
            written.
        Refused: the person has a view of this name there, or too many; nothing was written.
    """
    if project:
        access.require_see(user, project)
    else:
        access.require_create(user)
    view = SavedView(owner=user, project=project, name=name, filter_values=dict(filter_values))
    view.is_shared = is_shared and project is not None
    if view.is_shared:
        access.require_change_view(user, view)
    if SavedView.objects.filter(owner=user, project=project).count() >= MAX_VIEWS:
        raise Refused(Refusal.VIEWS_TOO_MANY, limit=MAX_VIEWS)
    with _naming(view):
        view.save(force_insert=True)
    return view


def change_view(
    view: SavedView,
    user: User,
    name: str,
    *,
    is_shared: bool,
    filter_values: Mapping[str, str] | None = None,
) -> None:
    """Rename ``view``, share it or not, and give it another filter if there is one.

    Raises:
        NotAllowed: nothing was written.
        Refused: the maker has another view of this name there; nothing was written.
    """
    access.require_change_view(user, view)
    view.name, view.is_shared = name, is_shared and view.project_id is not None
    access.require_change_view(user, view)  # to share it needs more than to keep it
    if filter_values is not None:
        view.filter_values = dict(filter_values)
    with _naming(view):
        # Not ``save``, which would make a view again that was deleted meanwhile.
        SavedView.objects.filter(pk=view.pk).update(
            name=view.name, is_shared=view.is_shared, filter_values=view.filter_values
        )


def delete_view(view: SavedView, user: User) -> None:
    """Delete ``view`` for everybody who sees it.

    Raises:
        NotAllowed: nothing was deleted.
    """
    access.require_change_view(user, view)
    SavedView.objects.filter(pk=view.pk).delete()


@contextmanager
def _naming(view: SavedView) -> Iterator[None]:
    """Refuse a name that the maker of ``view`` has given to another view there."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        raise Refused(Refusal.VIEW_NAME_TAKEN, name=view.name) from exc
