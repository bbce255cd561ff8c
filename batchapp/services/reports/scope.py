"""Select the finished batches of a report, and the costs that its figures add up.

The single requests of a report are selected in ``direct_sums``.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Value
from django.utils import timezone

from batchapp import access
from batchapp.domain.reports.comparison import range_before
from batchapp.models import Batch, BatchTag, DirectRequest, ModelCost, Project, User
from batchapp.services.reports.conditions import CONDITIONS
from batchapp.services.reports.dimensions import BATCH, DIMENSIONS, SINGLE


@dataclass(frozen=True, slots=True)
class Scope:
    """Select the finished batches of a report; ``first`` and ``last`` are both included.

    Days are days of the portal's time zone. Batches of a sandbox were not paid, so by default
    they are left out. The fields named as ``DIMENSIONS`` narrow the report to one group, "" to
    none; ``without`` names those of "tag", "cost_centre" and "portal_key", with commas, that the
    batches do not have.
    ``only`` is a key of ``CONDITIONS``, or "" for all batches.
    ``viewer`` sees all projects as an administrator or auditor, else the own ones; with
    ``own_projects`` only the projects of which ``viewer`` is a member.
    """

    first: date
    last: date
    viewer: User
    project: str = ""
    user: str = ""
    model: str = ""
    key: str = ""
    portal_key: str = ""
    tag: str = ""
    cost_centre: str = ""
    window: str = ""
    connection: str = ""
    kind: str = ""
    without: str = ""
    only: str = ""
    with_sandbox: bool = False
    own_projects: bool = False

    def model_costs(self) -> QuerySet[ModelCost]:
        """Return one row per batch and model.

        Every figure of the report is a sum of these and of single requests.
        """
        rows = self._all_model_costs()
        return rows if self.with_sandbox else rows.filter(batch__connection__is_sandbox=False)

    def sandbox_model_costs(self) -> QuerySet[ModelCost]:
        """Return the rows of sandboxes, for which nothing was paid."""
        return self._all_model_costs().filter(batch__connection__is_sandbox=True)

    def batches(self) -> QuerySet[Batch]:
        """Return the batches with a row in ``model_costs``, the latest first."""
        # The days of the batch itself let the database read the first of them in their order.
        own = self.model_costs().filter(batch=OuterRef("pk")).order_by()
        rows = Batch.objects.filter(Exists(own), **self._days("finished_at"))
        return rows.order_by("-finished_at", "pk")

    def before(self, today: date) -> tuple["Scope", str] | None:
        """Return the same report of the days to compare with, and their name; None without any."""
        earlier = range_before(self.first, self.last, today)
        if earlier is None:
            return None
        return replace(self, first=earlier.first, last=earlier.last), earlier.name

    def name_of(self, dimension: str) -> str:
        """Return the name of the group to which the report is narrowed, as its batches have it.

        Batches of all days count. Without a batch that ``viewer`` may see, it is the key.
        """
        _, name = DIMENSIONS[dimension].columns
        key = str(getattr(self, dimension))
        if isinstance(name, Value):
            return {BATCH: "Batches", SINGLE: "Single requests"}.get(key, key)
        found = self._of_all_days().order_by().values_list(name).first()
        if found is None and (single_key := DIMENSIONS[dimension].single_key):
            found = self._names_of_single_requests(dimension, single_key).first()
        return str(found[0]) if found and found[0] else key

    def _names_of_single_requests(self, dimension: str, single_key: str) -> QuerySet[Any, Any]:
        rows = DirectRequest.objects.filter(**{single_key: getattr(self, dimension)}).order_by()
        if self.own_projects or not access.can_audit(self.viewer):
            rows = rows.filter(project__in=Project.objects.visible_to(self.viewer))
        return rows.values_list(DIMENSIONS[dimension].single[1])

    def _days(self, field: str) -> dict[str, datetime]:
        end = midnight(self.last + timedelta(days=1))
        return {f"{field}__gte": midnight(self.first), f"{field}__lt": end}

    def _all_model_costs(self) -> QuerySet[ModelCost]:
        return self._of_all_days().filter(**self._days("batch__finished_at"))

    def _of_all_days(self) -> QuerySet[ModelCost]:
        rows = ModelCost.objects.all()
        if self.kind not in {"", BATCH}:
            return rows.none()
        if self.own_projects or not access.can_audit(self.viewer):
            rows = rows.filter(batch__project__in=Project.objects.visible_to(self.viewer))
        without = self.without.split(",")
        if "cost_centre" in without:
            rows = rows.filter(batch__cost_centre="")
        if "portal_key" in without:
            rows = rows.filter(batch__portal_key=None)
        # Not by a join, which would have a row for each tag of a batch.
        tagged = BatchTag.objects.filter(batch=OuterRef("batch"))
        if "tag" in without:
            rows = rows.filter(~Exists(tagged))
        if self.tag:
            rows = rows.filter(Exists(tagged.filter(tag__name=self.tag)))
        chosen = {
            str(dimension.key): value
            for name, dimension in DIMENSIONS.items()
            if name not in {"tag", "kind"} and (value := getattr(self, name))
        }
        if self.only:
            rows = rows.filter(CONDITIONS[self.only])
        return rows.filter(**chosen)


def midnight(day: date) -> datetime:
    """Return the moment at which ``day`` begins in the portal's time zone."""
    zone = timezone.get_default_timezone()
    return timezone.make_aware(datetime.combine(day, time.min), zone)
