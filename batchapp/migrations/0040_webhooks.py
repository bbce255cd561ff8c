"""Store the webhook endpoints of projects, and the messages that are sent to them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import batchapp.models.fields.encryption


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0039_audit_seals"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "next_check_at",
                    models.DateTimeField(
                        db_index=True,
                        editable=False,
                        help_text="Empty: only a person moves it.",
                        null=True,
                    ),
                ),
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
                ("name", models.CharField(max_length=100)),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("standard", "Signed JSON (Standard Webhooks)"),
                            ("slack", "Slack"),
                            ("teams", "Microsoft Teams"),
                        ],
                        default="standard",
                        max_length=10,
                    ),
                ),
                (
                    "events",
                    models.JSONField(
                        default=list, help_text="The kinds of notices that are sent."
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("disabled", "Disabled")],
                        default="active",
                        max_length=10,
                    ),
                ),
                (
                    "sealed_address",
                    batchapp.models.fields.encryption.SecretField(blank=True, editable=False),
                ),
                (
                    "shown_address",
                    models.CharField(help_text="What pages show of the address.", max_length=300),
                ),
                (
                    "sealed_secret",
                    batchapp.models.fields.encryption.SecretField(blank=True, editable=False),
                ),
                (
                    "sealed_old_secret",
                    batchapp.models.fields.encryption.SecretField(blank=True, editable=False),
                ),
                ("rotation_ends_at", models.DateTimeField(editable=False, null=True)),
                (
                    "disabled_reason",
                    models.CharField(
                        blank=True,
                        choices=[("person", "Person"), ("gone", "Gone"), ("failing", "Failing")],
                        max_length=10,
                    ),
                ),
                ("disabled_at", models.DateTimeField(editable=False, null=True)),
                (
                    "failures",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Failed attempts since the last success.",
                    ),
                ),
                ("failing_since", models.DateTimeField(editable=False, null=True)),
                ("delivered_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
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
                        related_name="webhook_endpoints",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["created_at"],
            },
        ),
        migrations.CreateModel(
            name="WebhookMessage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                ("body", models.TextField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(null=True)),
                ("is_urgent", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="batchapp.webhookendpoint",
                    ),
                ),
                (
                    "notice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="webhook_messages",
                        to="batchapp.notice",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        help_text="Who tests, or replays.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="WebhookAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("milliseconds", models.PositiveIntegerField()),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("error", models.CharField(blank=True, max_length=20)),
                ("detail", models.CharField(blank=True, max_length=200)),
                ("answer", models.TextField(blank=True)),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempt_rows",
                        to="batchapp.webhookmessage",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.UniqueConstraint(
                models.F("project"), models.F("name"), name="one_webhook_endpoint_of_a_name"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookmessage",
            index=models.Index(
                condition=models.Q(("status", "waiting")),
                fields=["endpoint", "-is_urgent", "next_attempt_at"],
                name="message_due",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookmessage",
            index=models.Index(fields=["endpoint", "-created_at"], name="message_list"),
        ),
        migrations.AddConstraint(
            model_name="webhookmessage",
            constraint=models.UniqueConstraint(
                models.F("endpoint"), models.F("notice"), name="one_message_per_notice"
            ),
        ),
    ]
