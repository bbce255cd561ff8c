"""The kinds of batches that a figure of a report opens, as conditions on their model costs."""

from django.db.models import Exists, F, OuterRef, Q

from batchapp.models import ProviderBatch

# Nobody knows which requests of a model were cancelled, so such batches tell of no failures.
FAILED = Q(answers__lt=F("requests"), batch__cancelled=0)
LATE = Q(
    Exists(ProviderBatch.objects.filter(batch=OuterRef("batch"), ended_at__gt=F("expires_at")))
)
CUT_SHORT = Q(cut_short__gt=0)
RETRY = Q(batch__parent__isnull=False)
UNPRICED = Q(cost_usd=None)

CONDITIONS = {
    "failed": FAILED,
    "late": LATE,
    "cut_short": CUT_SHORT,
    "retries": RETRY,
    "unpriced": UNPRICED,
}
