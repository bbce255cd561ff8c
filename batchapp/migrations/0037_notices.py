"""Store what people and other programs are told of."""

import uuid

import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0036_saved_views"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("leased_until", models.DateTimeField(editable=False, null=True)),
                (
                    "claims",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Claims since the lease was last returned: counts crashes.",
                    ),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("delivering", "Being delivered"), ("delivered", "Delivered")],
                        default="delivering",
                        max_length=10,
                    ),
                ),
                (
                    "next_check_at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, editable=False, null=True
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                ("once", models.CharField(blank=True, editable=False, max_length=250)),
                (
                    "data",
                    models.JSONField(
                        default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("once", ""), _negated=True),
                        fields=("once",),
                        name="one_notice_of_the_same",
                    )
                ],
            },
        ),
    ]
