"""Tell invalid requests from trouble at the provider, and count usable answers.

The outcome "http_error" meant both. The way back makes it of invalid requests, and of those without
credits.
"""

from django.db import migrations, models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

OVER = ["completed", "failed", "cancelled"]
PASSING_STATUSES = [404, 408, 409, 425, 429, 499]
NEW_NAMES = {"http_error": "provider_error", "lasting": "invalid_request"}
OLD_NAMES = {"invalid_request": "lasting"}
OLD_EVENT_NAMES = {"invalid_request": "http_error", "unpaid": "http_error"}


def forwards(apps, schema_editor):
    results = apps.get_model("batchapp", "Result").objects.all()
    failed = results.filter(outcome__in=["http_error", "provider_error"])
    failed.filter(status_code=402).update(outcome="unpaid")
    failed.filter(~Q(status_code__in=PASSING_STATUSES), status_code__range=(400, 499)).update(
        outcome="invalid_request"
    )
    results.filter(outcome="http_error").update(outcome="provider_error")
    usable = results.filter(batch=OuterRef("pk"), outcome="ok").order_by().values("batch")
    apps.get_model("batchapp", "Batch").objects.filter(status__in=OVER).update(
        usable=Coalesce(Subquery(usable.annotate(number=Count("pk")).values("number")), 0)
    )
    _rename_selections(apps, "endings", "outcomes", NEW_NAMES)
    _rename_events(apps, NEW_NAMES)


def backwards(apps, schema_editor):
    results = apps.get_model("batchapp", "Result").objects.all()
    results.filter(outcome__in=OLD_EVENT_NAMES).update(outcome="http_error")
    _rename_selections(apps, "outcomes", "endings", OLD_NAMES)
    _rename_events(apps, OLD_EVENT_NAMES)


def _rename_selections(apps, old_field, new_field, names):
    uploads = apps.get_model("batchapp", "Upload").objects.filter(selection__isnull=False)
    for upload in uploads.only("selection").iterator():
        selection = dict(upload.selection)
        values = selection.pop(old_field, [])
        selection[new_field] = sorted({names.get(value, value) for value in values})
        if selection.get("counts"):
            selection["counts"] = _renamed(selection["counts"], names)
        upload.selection = selection
        upload.save(update_fields=["selection"])


def _rename_events(apps, names):
    events = apps.get_model("batchapp", "Event").objects.filter(kind="finished")
    for event in events.only("data").iterator():
        counts = event.data.get("outcomes")
        if isinstance(counts, dict) and not names.keys().isdisjoint(counts):
            event.data["outcomes"] = _renamed(counts, names)
            event.save(update_fields=["data"])


def _renamed(counts, names):
    renamed = {}
    for name, number in counts.items():
        new_name = names.get(name, name)
        renamed[new_name] = renamed.get(new_name, 0) + number
    return renamed


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0009_checksums")]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="usable",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Answers that were not cut short, refused, empty or of a wrong form.",
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="improved",
            field=models.PositiveIntegerField(
                help_text="Of a retry: requests that ended better than before.", null=True
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="repeated",
            field=models.PositiveIntegerField(
                help_text="Of a retry: requests that failed with the same error as before.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="result",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("pending", "Waiting"),
                    ("ok", "Answered"),
                    ("truncated", "Cut short"),
                    ("refused", "Refused"),
                    ("empty", "Empty answer"),
                    ("invalid_schema", "Not as the schema asks"),
                    ("invalid_request", "Invalid request"),
                    ("provider_error", "Provider error"),
                    ("unpaid", "No credits left"),
                    ("expired", "Expired"),
                    ("cancelled", "Cancelled"),
                    ("missing", "No result"),
                ],
                default="pending",
                max_length=20,
            ),
        ),
        migrations.RunPython(forwards, backwards),
    ]
