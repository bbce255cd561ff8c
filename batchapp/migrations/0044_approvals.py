"""Let projects ask for approval of batches, and batches wait for it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import batchapp.models.fields.money_field


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0043_statements"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="approval_above_usd",
            field=batchapp.models.fields.money_field.MoneyField(
                help_text="A batch that costs more needs approval.", null=True
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="approval_by_most",
            field=models.BooleanField(
                default=False, help_text="Compare the most that a batch may cost with that amount."
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="approval_days",
            field=models.PositiveSmallIntegerField(
                default=7, help_text="How long a batch waits for approval before it is cancelled."
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="approval_if_unbounded",
            field=models.BooleanField(
                default=False, help_text="A batch whose cost nothing limits needs approval."
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="approval_of_own",
            field=models.BooleanField(
                default=False, help_text="Owners may approve batches that they ordered."
            ),
        ),
        migrations.AlterField(
            model_name="batch",
            name="status",
            field=models.CharField(
                choices=[
                    ("awaiting_approval", "Awaiting approval"),
                    ("running", "Running"),
                    ("settling", "Adding up"),
                    ("completed", "Completed"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                ],
                default="running",
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="ApprovalRequest",
            fields=[
                (
                    "batch",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="approval",
                        serialize=False,
                        to="batchapp.batch",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("approved", "Approved"),
                            ("denied", "Denied"),
                            ("expired", "Expired"),
                            ("withdrawn", "Withdrawn"),
                            ("void", "Cancelled"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                (
                    "reasons",
                    models.JSONField(
                        help_text="Each with its facts, as the policy of the project gave."
                    ),
                ),
                ("file_sha256", models.CharField(max_length=64)),
                ("price_tag", models.CharField(max_length=64)),
                (
                    "expected_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        help_text="When the approval was asked for.", null=True
                    ),
                ),
                (
                    "most_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        help_text="Empty if nothing limited the cost.", null=True
                    ),
                ),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=1000)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["batch"],
                        name="approvals_waiting",
                    )
                ],
            },
        ),
    ]
