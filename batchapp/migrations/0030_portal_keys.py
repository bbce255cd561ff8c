"""Portal keys, which the portal gives to people and projects for their scripts."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0029_sent_first"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_service_account",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Acts by the service keys of one project, and cannot sign in.",
            ),
        ),
        migrations.CreateModel(
            name="PortalKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("read", "Read"),
                            ("submit", "Read and submit"),
                            ("manage", "Read, submit and manage"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "model_names",
                    models.JSONField(
                        default=list, help_text="Empty for all models of the project."
                    ),
                ),
                ("expires_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "created_by",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="portal_keys",
                        to="batchapp.project",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="portal_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["created_at"],
            },
        ),
        migrations.CreateModel(
            name="PortalKeySecret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                (
                    "shown_part",
                    models.CharField(help_text="The beginning, which pages show.", max_length=9),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "ends_at",
                    models.DateTimeField(help_text="When an old secret stops to work.", null=True),
                ),
                ("last_used_at", models.DateTimeField(null=True)),
                ("last_used_address", models.CharField(blank=True, max_length=45)),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="secrets",
                        to="batchapp.portalkey",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="portalkey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at", None)),
                fields=("user", "project", "name"),
                name="one_portal_key_of_a_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="portalkeysecret",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ends_at", None)),
                fields=("key",),
                name="one_current_secret_of_a_key",
            ),
        ),
    ]
