"""Give people an inbox, e-mails of notices, and the choice of what they are told."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0041_last_seen"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mailbox",
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
                    "person",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="mailbox",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("waiting", "Waiting")], default="waiting", max_length=10
                    ),
                ),
                ("hour_began_at", models.DateTimeField(editable=False, null=True)),
                ("sent_in_hour", models.PositiveIntegerField(default=0, editable=False)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="NoticeSettings",
            fields=[
                (
                    "person",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="notice_settings",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        choices=[
                            ("at_once", "At once, one for each"),
                            ("daily", "One a day"),
                            ("weekly", "One a week"),
                        ],
                        default="at_once",
                        max_length=10,
                    ),
                ),
                (
                    "quiet_below",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Nobody is told of the end of a batch with fewer requests.",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="outgoingemail",
            name="headers",
            field=models.JSONField(default=dict, help_text="Beside those that every e-mail has."),
        ),
        migrations.CreateModel(
            name="InboxItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "in_browser",
                    models.BooleanField(
                        default=False,
                        help_text="An open page shows a notification of the browser.",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "notice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbox_items",
                        to="batchapp.notice",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbox_items",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["person", "-id"], name="inbox_list"),
                    models.Index(
                        condition=models.Q(("read_at", None)),
                        fields=["person"],
                        name="inbox_unread",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("person"),
                        models.F("notice"),
                        name="one_item_per_person_and_notice",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NoticePreferences",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                ("in_inbox", models.BooleanField()),
                ("by_email", models.BooleanField()),
                ("in_browser", models.BooleanField()),
                ("of_others", models.BooleanField()),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notice_preferences",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("project__isnull", False)),
                        fields=("person", "project", "kind"),
                        name="one_preference_per_project_and_kind",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("project", None)),
                        fields=("person", "kind"),
                        name="one_preference_per_kind",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitingEmail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        choices=[
                            ("at_once", "At once, one for each"),
                            ("daily", "One a day"),
                            ("weekly", "One a week"),
                        ],
                        max_length=10,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("is_held", models.BooleanField(default=False)),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waiting_emails",
                        to="batchapp.mailbox",
                    ),
                ),
                (
                    "notice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="batchapp.notice",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["mailbox", "due_at"], name="waiting_emails_due")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("mailbox"),
                        models.F("notice"),
                        name="one_email_per_person_and_notice",
                    )
                ],
            },
        ),
    ]
