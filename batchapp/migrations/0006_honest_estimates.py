"""Estimates as they were shown, what later ones learn from, and what providers billed."""

from django.db import migrations, models
from django.db.models import Count, F, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

import batchapp.models.money

ANSWERED = ["ok", "truncated", "refused", "empty"]


def measure(apps, schema_editor):
    """Let the batches that completed before now count, too."""
    Charge = apps.get_model("batchapp", "Charge")
    Result = apps.get_model("batchapp", "Result")
    Batch = apps.get_model("batchapp", "Batch")
    answers = (
        Result.objects.filter(
            batch=OuterRef("batch"), model=OuterRef("model"), outcome__in=ANSWERED
        )
        .order_by()
        .values("batch")
        .annotate(number=Count("pk"))
        .values("number")
    )
    ended = Batch.objects.filter(pk=OuterRef("batch")).values("finished_at")
    charges = Charge.objects.filter(batch__status="completed")
    charges.update(answers=Coalesce(Subquery(answers, output_field=IntegerField()), 0))
    told = charges.filter(answers__gt=F("answers_without_usage"))
    told.update(measured_at=Subquery(ended))


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0005_watches")]
    operations = [
        migrations.AddField(
            model_name="batch",
            name="billed_cost_usd",
            field=batchapp.models.money.MoneyField(
                help_text="The provider's own sum, if it says one.", null=True
            ),
        ),
        migrations.AddField(
            model_name="charge", name="answers", field=models.PositiveIntegerField(default=0)
        ),
        migrations.AddField(
            model_name="charge",
            name="basis",
            field=models.CharField(
                blank=True, help_text="What the output was estimated by, in words.", max_length=200
            ),
        ),
        migrations.AddField(
            model_name="charge",
            name="estimated_ceiling_usd",
            field=batchapp.models.money.MoneyField(null=True),
        ),
        migrations.AddField(
            model_name="charge",
            name="estimated_low_usd",
            field=batchapp.models.money.MoneyField(null=True),
        ),
        migrations.AddField(
            model_name="charge",
            name="measured_at",
            field=models.DateTimeField(
                help_text="When it ended, if later estimates may learn from it.", null=True
            ),
        ),
        migrations.AddField(
            model_name="charge",
            name="price_row",
            field=models.PositiveBigIntegerField(
                help_text="Which row of the price table it was. A record: it may be gone.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="charge", name="price_since", field=models.DateTimeField(null=True)
        ),
        migrations.AddField(
            model_name="charge",
            name="realtime_price_row",
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="charge", name="realtime_price_since", field=models.DateTimeField(null=True)
        ),
        migrations.AddField(
            model_name="charge",
            name="shape",
            field=models.CharField(
                blank=True, help_text="What most of its requests have in common.", max_length=16
            ),
        ),
        migrations.AddField(
            model_name="charge",
            name="unbounded_requests",
            field=models.PositiveIntegerField(
                help_text="That set no max_tokens; nothing bounds their cost.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(fields=["model", "-measured_at"], name="charge_to_learn_from"),
        ),
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(
                fields=["model", "shape", "-measured_at"], name="charge_of_one_shape"
            ),
        ),
        migrations.RunPython(measure, migrations.RunPython.noop, elidable=True),
    ]
