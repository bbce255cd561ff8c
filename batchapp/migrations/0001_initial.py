"""The whole schema, and Doubleword with its list prices: a fresh portal can quote at once."""

import csv
import uuid
from datetime import UTC, datetime
from importlib.resources import files

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import batchapp.domain.results.outcome
import batchapp.models.fields.money_field
import batchapp.models.files.source_table
import batchapp.models.files.upload
import batchapp.models.people.user
import batchapp.models.providers.connection

PRICE_LIST_DATE = datetime(2026, 4, 13, tzinfo=UTC)


def add_doubleword(apps, schema_editor):
    """Add the connection to Doubleword and its list prices, unless the connection is there."""
    connection, is_new = apps.get_model("batchapp", "Connection").objects.get_or_create(
        name="Doubleword", defaults={"base_url": "https://api.doubleword.ai"}
    )
    if not is_new:
        return
    text = files("batchapp").joinpath("data/doubleword_prices.csv").read_text()
    Price = apps.get_model("batchapp", "Price")
    Price.objects.bulk_create(
        Price(connection=connection, effective_from=PRICE_LIST_DATE, **row)
        for row in csv.DictReader(text.splitlines())
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Connection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "base_url",
                    models.CharField(
                        help_text="Without /v1, for example https://api.doubleword.ai",
                        max_length=300,
                        validators=[
                            django.core.validators.URLValidator(schemes=["http", "https"])
                        ],
                        verbose_name="base URL",
                    ),
                ),
                (
                    "windows",
                    models.JSONField(
                        default=batchapp.models.providers.connection.default_windows,
                        help_text="Completion windows on offer, the usual one first.",
                    ),
                ),
                ("max_file_bytes", models.PositiveBigIntegerField(default=209715200)),
                (
                    "max_requests",
                    models.PositiveIntegerField(
                        blank=True, default=50000, null=True, verbose_name="max requests per file"
                    ),
                ),
                (
                    "max_body_bytes",
                    models.PositiveIntegerField(
                        default=10485760, verbose_name="max bytes of one request"
                    ),
                ),
                (
                    "max_upload_bytes",
                    models.PositiveBigIntegerField(
                        default=2147483648,
                        help_text="Of one file here; a file beyond the limits above is split.",
                    ),
                ),
                (
                    "max_active",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Slots: how many may be at the provider at one time; the others wait.",
                        null=True,
                        verbose_name="max batches at a time",
                    ),
                ),
                (
                    "poll_seconds",
                    models.PositiveIntegerField(
                        default=30,
                        help_text="Seconds between two polls of the running batches.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "create_grace_seconds",
                    models.PositiveIntegerField(
                        default=60,
                        help_text="How long a batch whose creation was never confirmed is looked for before it is created again.",
                    ),
                ),
                (
                    "has_partial_results",
                    models.BooleanField(
                        default=True,
                        help_text="Results can be read while the batch runs, resumed with ?skip=",
                    ),
                ),
                (
                    "has_retry",
                    models.BooleanField(
                        default=True,
                        help_text="A batch that ended can be retried in place with /retry; a pause needs this.",
                    ),
                ),
                (
                    "stall_minutes",
                    models.PositiveIntegerField(
                        default=45,
                        help_text="A running batch without a new answer for so long gets an alert.",
                    ),
                ),
                (
                    "alarm_percent",
                    models.PositiveIntegerField(
                        default=20,
                        help_text="Share of failed requests from which a running batch gets an alert.",
                    ),
                ),
                (
                    "is_sandbox",
                    models.BooleanField(
                        default=False,
                        help_text="A simulated provider: answers are made up and nothing is paid.",
                    ),
                ),
                ("platform_ciphertext", models.TextField(blank=True, editable=False)),
                (
                    "failures",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Calls in a row without a usable answer.",
                    ),
                ),
                ("down_since", models.DateTimeField(editable=False, null=True)),
                (
                    "backoff_until",
                    models.DateTimeField(
                        editable=False, help_text="No calls to the provider until then.", null=True
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="ProviderKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("ciphertext", models.TextField(blank=True, editable=False)),
                ("webhook_ciphertext", models.TextField(blank=True, editable=False)),
                ("last_four", models.CharField(editable=False, max_length=4)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("tested_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "is_refused",
                    models.BooleanField(default=False, editable=False, verbose_name="refused"),
                ),
                ("trouble", models.TextField(blank=True, editable=False)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="keys",
                        to="batchapp.connection",
                    ),
                ),
            ],
            options={
                "ordering": ["created_at"],
            },
        ),
        migrations.CreateModel(
            name="Project",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "connection",
                    models.ForeignKey(
                        help_text="Where its batches run.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="projects",
                        to="batchapp.connection",
                    ),
                ),
            ],
            options={
                "ordering": ["name", "slug"],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "first_name",
                    models.CharField(blank=True, max_length=150, verbose_name="first name"),
                ),
                (
                    "last_name",
                    models.CharField(blank=True, max_length=150, verbose_name="last name"),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="date joined"
                    ),
                ),
                (
                    "email",
                    models.EmailField(max_length=254, unique=True, verbose_name="e-mail address"),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", batchapp.models.people.user.PeopleManager()),
            ],
        ),
        migrations.CreateModel(
            name="Batch",
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
                (
                    "submission",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        help_text="Comes from the order form: one form makes one batch.",
                        unique=True,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("endpoint", models.CharField(max_length=100)),
                ("window", models.CharField(max_length=20, verbose_name="completion window")),
                (
                    "fallback_window",
                    models.CharField(
                        blank=True,
                        help_text="Used if the provider has no room in the first.",
                        max_length=20,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
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
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("cancel_requested_at", models.DateTimeField(null=True)),
                ("pause_requested_at", models.DateTimeField(null=True)),
                ("requests", models.PositiveIntegerField()),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("cancelled", models.PositiveIntegerField(default=0)),
                ("missing", models.PositiveIntegerField(default=0)),
                ("input_tokens", models.PositiveBigIntegerField(default=0)),
                ("output_tokens", models.PositiveBigIntegerField(default=0)),
                ("estimated_cost_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                ("actual_cost_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                (
                    "discrepancy",
                    models.TextField(
                        blank=True,
                        help_text="How the provider's counts and the results differ, in words.",
                    ),
                ),
                (
                    "billed_cost_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        help_text="The provider's own sum, if it reports one.", null=True
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="retries",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="batchapp.connection",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "batches",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("text", models.TextField()),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="batchapp.batch",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="FailedSignIn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "email",
                    models.CharField(help_text="As it was typed, in lower case.", max_length=254),
                ),
                (
                    "address",
                    models.CharField(help_text="The network address it came from.", max_length=45),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("email"),
                        models.F("address"),
                        models.F("at"),
                        name="failed_sign_ins_of_somebody",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Upload",
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
                ("name", models.CharField(max_length=255)),
                ("blob", models.FileField(upload_to=batchapp.models.files.upload.blob_name)),
                ("size", models.PositiveBigIntegerField(help_text="In bytes.")),
                ("sha256", models.CharField(editable=False, max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("checking", "Checking"),
                            ("ready", "Ready"),
                            ("faulty", "Has errors"),
                            ("failed", "Could not be checked"),
                        ],
                        default="checking",
                        max_length=10,
                    ),
                ),
                ("lines_checked", models.PositiveIntegerField(default=0)),
                ("requests", models.PositiveIntegerField(null=True)),
                ("report_fields", models.JSONField(editable=False, null=True)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("correction_fields", models.JSONField(editable=False, null=True)),
                ("selection", models.JSONField(editable=False, null=True)),
                (
                    "made_from",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="versions",
                        to="batchapp.upload",
                    ),
                ),
                (
                    "retry_of",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="retry_files",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uploads",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="batch",
            name="upload",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="batchapp.upload",
            ),
        ),
        migrations.CreateModel(
            name="KeyPoll",
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
                    "key",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="key_poll",
                        serialize=False,
                        to="batchapp.providerkey",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("polling", "Polling")], default="polling", max_length=10
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="providerkey",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="provider_keys",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="key",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="batchapp.providerkey",
            ),
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("admin", "Admin"), ("member", "Member"), ("viewer", "Viewer")],
                        default="member",
                        max_length=10,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["user__email"],
            },
        ),
        migrations.AddField(
            model_name="providerkey",
            name="project",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="provider_keys",
                to="batchapp.project",
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="members",
            field=models.ManyToManyField(
                related_name="projects", through="batchapp.Membership", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="memberships",
                to="batchapp.project",
            ),
        ),
        migrations.CreateModel(
            name="BatchImport",
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
                ("remote_id", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("fetching", "Fetching the file"),
                            ("checking", "Checking the file"),
                            ("done", "Done"),
                            ("failed", "Not imported"),
                        ],
                        default="fetching",
                        max_length=10,
                    ),
                ),
                ("trouble", models.TextField(blank=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "batch",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="batch_import",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="batchapp.connection",
                    ),
                ),
                (
                    "upload",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.upload",
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="batchapp.providerkey",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batch_imports",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="batch",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="batches",
                to="batchapp.project",
            ),
        ),
        migrations.CreateModel(
            name="PromptTemplate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="templates",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="PromptTemplateVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("prompt_settings_fields", models.JSONField(editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="batchapp.prompttemplate",
                    ),
                ),
            ],
            options={
                "ordering": ["template", "-number"],
            },
        ),
        migrations.CreateModel(
            name="ProviderBatch",
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
                ("number", models.PositiveSmallIntegerField(default=1)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("preparing", "Preparing"),
                            ("waiting", "Waiting to submit"),
                            ("running", "Running at the provider"),
                            ("harvesting", "Fetching results"),
                            ("paused", "Paused"),
                            ("retrying_in_place", "Being retried in place"),
                            ("needs_attention", "Needs attention"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="preparing",
                        max_length=20,
                    ),
                ),
                (
                    "stopped_in_status",
                    models.CharField(
                        blank=True,
                        help_text="The status to return to after a pause or attention.",
                        max_length=20,
                    ),
                ),
                (
                    "trouble",
                    models.TextField(
                        blank=True,
                        help_text="Why the provider batch waits, as a sentence with the next step.",
                    ),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(
                        default=0, help_text="Calls in a row without a usable answer."
                    ),
                ),
                (
                    "starts_at",
                    models.PositiveBigIntegerField(default=0, help_text="First byte in the file."),
                ),
                (
                    "size",
                    models.PositiveBigIntegerField(
                        help_text="In bytes; empty until the file is split.", null=True
                    ),
                ),
                (
                    "slot_assigned_at",
                    models.DateTimeField(
                        help_text="When a slot at the provider was assigned.", null=True
                    ),
                ),
                ("remote_file_id", models.CharField(blank=True, max_length=200)),
                ("remote_id", models.CharField(blank=True, db_index=True, max_length=200)),
                ("upload_attempted_at", models.DateTimeField(null=True)),
                ("create_attempted_at", models.DateTimeField(null=True)),
                (
                    "may_have_duplicate",
                    models.BooleanField(
                        default=False,
                        help_text="An earlier create was never confirmed, and its batch never seen.",
                    ),
                ),
                ("cancel_sent_at", models.DateTimeField(null=True)),
                ("pause_sent_at", models.DateTimeField(null=True)),
                (
                    "retried_in_place_at",
                    models.DateTimeField(
                        help_text="Reads may come from a replica that does not know of it yet.",
                        null=True,
                    ),
                ),
                ("submitted_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("polled_at", models.DateTimeField(null=True)),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="When we saw that the provider had finished.", null=True
                    ),
                ),
                ("remote_status", models.CharField(blank=True, max_length=50)),
                ("output_file_id", models.CharField(blank=True, max_length=200)),
                ("error_file_id", models.CharField(blank=True, max_length=200)),
                ("total", models.PositiveIntegerField(default=0)),
                (
                    "completed",
                    models.PositiveBigIntegerField(
                        default=0, help_text="By the provider's count."
                    ),
                ),
                (
                    "failed",
                    models.PositiveBigIntegerField(
                        default=0, help_text="By the provider's count."
                    ),
                ),
                (
                    "marks",
                    models.JSONField(
                        default=list,
                        help_text="Progress: pairs of a Unix time and the number of ended requests.",
                    ),
                ),
                (
                    "output_lines",
                    models.PositiveIntegerField(default=0, help_text="Read so far, for ?skip="),
                ),
                (
                    "error_lines",
                    models.PositiveIntegerField(default=0, help_text="Read so far, for ?skip="),
                ),
                ("rereads", models.PositiveSmallIntegerField(default=0)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="provider_batches",
                        to="batchapp.batch",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "provider batches",
                "ordering": ["batch", "number"],
            },
        ),
        migrations.CreateModel(
            name="ResultChunk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("output", "Output"),
                            ("error", "Errors"),
                            ("past", "Errors before a retry in place"),
                        ],
                        max_length=10,
                    ),
                ),
                ("blob", models.FileField(max_length=200, upload_to="")),
                ("lines", models.PositiveIntegerField()),
                ("size", models.PositiveBigIntegerField(help_text="In bytes.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "provider_batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="result_chunks",
                        to="batchapp.providerbatch",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Result",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "line",
                    models.PositiveIntegerField(
                        help_text="The physical line in the upload, from 1."
                    ),
                ),
                ("custom_id", models.CharField(max_length=64)),
                ("model", models.CharField(max_length=200)),
                ("request_at", models.PositiveBigIntegerField()),
                ("request_bytes", models.PositiveIntegerField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("ok", "Answered"),
                            ("truncated", "Cut short"),
                            ("refused", "Refused"),
                            ("empty", "Empty answer"),
                            ("invalid_schema", "Not as the schema asks"),
                            ("http_error", "Model error"),
                            ("provider_error", "Provider error"),
                            ("expired", "Expired"),
                            ("cancelled", "Cancelled"),
                            ("missing", "No result"),
                        ],
                        default=batchapp.domain.results.outcome.Outcome["PENDING"],
                        max_length=20,
                    ),
                ),
                (
                    "line_id",
                    models.CharField(
                        blank=True, help_text="The provider's id of the line.", max_length=100
                    ),
                ),
                ("status_code", models.PositiveSmallIntegerField(null=True)),
                ("finish_reason", models.CharField(blank=True, max_length=40)),
                ("answer_model", models.CharField(blank=True, max_length=200)),
                ("input_tokens", models.PositiveBigIntegerField(null=True)),
                ("output_tokens", models.PositiveBigIntegerField(null=True)),
                ("error_code", models.CharField(blank=True, max_length=100)),
                ("error_message", models.TextField(blank=True)),
                ("preview", models.CharField(blank=True, max_length=200)),
                ("answer_at", models.PositiveBigIntegerField(null=True)),
                ("answer_bytes", models.PositiveIntegerField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "provider_batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="batchapp.providerbatch",
                    ),
                ),
                (
                    "retried",
                    models.ForeignKey(
                        help_text="The newest answer to the same request in a retry of the batch.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.result",
                    ),
                ),
                (
                    "result_chunk",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.resultchunk",
                    ),
                ),
            ],
            options={
                "ordering": ["batch", "line"],
            },
        ),
        migrations.CreateModel(
            name="SourceTable",
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
                ("name", models.CharField(max_length=255)),
                ("blob", models.FileField(upload_to=batchapp.models.files.source_table.sent_name)),
                (
                    "cells",
                    models.FileField(
                        blank=True, upload_to=batchapp.models.files.source_table.rows_name
                    ),
                ),
                ("size", models.PositiveBigIntegerField(help_text="In bytes.")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("reading", "Being read"),
                            ("kept", "Read"),
                            ("refused", "Could not be read"),
                            ("making", "Creating requests"),
                        ],
                        default="reading",
                        max_length=10,
                    ),
                ),
                (
                    "read_as",
                    models.JSONField(default=list, help_text="Encoding, delimiter and sheet."),
                ),
                ("sheets", models.JSONField(default=list)),
                ("columns", models.JSONField(default=list)),
                ("renamed", models.JSONField(default=list)),
                ("rows", models.PositiveIntegerField(default=0)),
                ("ragged", models.PositiveIntegerField(default=0)),
                ("error_cells", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("prompt_settings_fields", models.JSONField(editable=False, null=True)),
                (
                    "findings",
                    models.JSONField(default=list, help_text="Of the last run: row and sentence."),
                ),
                ("finding_total", models.PositiveIntegerField(default=0)),
                ("used_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tables",
                        to="batchapp.project",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        help_text="Asked for the requests.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template_version",
                    models.ForeignKey(
                        help_text="Last loaded.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.prompttemplateversion",
                    ),
                ),
                (
                    "upload",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.upload",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="UnmatchedLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("unreadable", "Not readable"),
                            ("unknown", "Unknown custom_id"),
                            ("second", "Second answer"),
                        ],
                        max_length=10,
                    ),
                ),
                ("custom_id", models.CharField(blank=True, max_length=100)),
                ("answer_at", models.PositiveBigIntegerField()),
                ("answer_bytes", models.PositiveIntegerField()),
                (
                    "provider_batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unmatched_lines",
                        to="batchapp.providerbatch",
                    ),
                ),
                (
                    "result_chunk",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="batchapp.resultchunk",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_id", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=100)),
                ("remote_id", models.CharField(blank=True, max_length=200)),
                (
                    "effect",
                    models.CharField(blank=True, help_text="Effect in words.", max_length=200),
                ),
                ("received_at", models.DateTimeField(auto_now_add=True)),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="batchapp.providerkey",
                    ),
                ),
            ],
            options={
                "ordering": ["-received_at"],
            },
        ),
        migrations.CreateModel(
            name="FileOrigin",
            fields=[
                (
                    "upload",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="origin",
                        serialize=False,
                        to="batchapp.upload",
                    ),
                ),
                ("table_name", models.CharField(max_length=255)),
                ("rows", models.PositiveIntegerField(help_text="Of the table.")),
                (
                    "skipped",
                    models.PositiveIntegerField(
                        help_text="Rows without a request, for an empty cell."
                    ),
                ),
                ("prompt_settings_fields", models.JSONField(editable=False)),
                (
                    "replaced",
                    models.PositiveIntegerField(default=0, help_text="Number of ids in ``ids``."),
                ),
                (
                    "ids",
                    models.BinaryField(
                        default=b"", help_text="zlib of a CSV: custom_id, id in the table."
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "version",
                    models.ForeignKey(
                        help_text="Unchanged.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="files",
                        to="batchapp.prompttemplateversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ModelCost",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("model", models.CharField(max_length=200)),
                ("requests", models.PositiveIntegerField()),
                ("input_price", models.DecimalField(decimal_places=6, max_digits=12, null=True)),
                ("output_price", models.DecimalField(decimal_places=6, max_digits=12, null=True)),
                (
                    "realtime_input_price",
                    models.DecimalField(decimal_places=6, max_digits=12, null=True),
                ),
                (
                    "realtime_output_price",
                    models.DecimalField(decimal_places=6, max_digits=12, null=True),
                ),
                (
                    "price_row",
                    models.PositiveBigIntegerField(
                        help_text="Id of the row in the price table, which may be deleted by now.",
                        null=True,
                    ),
                ),
                ("price_since", models.DateTimeField(null=True)),
                ("realtime_price_row", models.PositiveBigIntegerField(null=True)),
                ("realtime_price_since", models.DateTimeField(null=True)),
                (
                    "fallback_input_price",
                    models.DecimalField(decimal_places=6, max_digits=12, null=True),
                ),
                (
                    "fallback_output_price",
                    models.DecimalField(decimal_places=6, max_digits=12, null=True),
                ),
                ("fallback_price_row", models.PositiveBigIntegerField(null=True)),
                ("fallback_price_since", models.DateTimeField(null=True)),
                (
                    "shape",
                    models.CharField(
                        blank=True,
                        help_text="Fields that most of its requests have in common, as a hash.",
                        max_length=16,
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        blank=True,
                        help_text="How the output was estimated, in words.",
                        max_length=200,
                    ),
                ),
                (
                    "unbounded_requests",
                    models.PositiveIntegerField(
                        help_text="Requests without max_tokens: nothing limits their cost.",
                        null=True,
                    ),
                ),
                ("estimated_input_tokens", models.PositiveBigIntegerField()),
                ("estimated_output_tokens", models.PositiveBigIntegerField()),
                ("estimated_low_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                ("estimated_cost_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                (
                    "estimated_ceiling_usd",
                    batchapp.models.fields.money_field.MoneyField(null=True),
                ),
                ("input_tokens", models.PositiveBigIntegerField(default=0)),
                ("output_tokens", models.PositiveBigIntegerField(default=0)),
                ("answers", models.PositiveIntegerField(default=0)),
                (
                    "answers_without_usage",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Answers without a token count: the actual cost is higher.",
                    ),
                ),
                ("cost_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                (
                    "realtime_cost_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        help_text="The same tokens at the realtime price.", null=True
                    ),
                ),
                (
                    "measured_at",
                    models.DateTimeField(
                        help_text="When the batch ended, if later estimates may learn from it.",
                        null=True,
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="model_costs",
                        to="batchapp.batch",
                    ),
                ),
            ],
            options={
                "ordering": ["batch", "model"],
                "indexes": [
                    models.Index(fields=["model", "-measured_at"], name="cost_history"),
                    models.Index(
                        fields=["model", "shape", "-measured_at"], name="cost_history_by_shape"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("batch"), models.F("model"), name="one_cost_per_model"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "model",
                    models.CharField(
                        help_text="The provider's exact name for it, or several with *.",
                        max_length=200,
                    ),
                ),
                (
                    "window",
                    models.CharField(
                        help_text="A completion window such as 24h, or realtime.", max_length=20
                    ),
                ),
                (
                    "input_usd",
                    models.DecimalField(
                        decimal_places=6,
                        max_digits=12,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="input, USD per million tokens",
                    ),
                ),
                (
                    "output_usd",
                    models.DecimalField(
                        decimal_places=6,
                        max_digits=12,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="output, USD per million tokens",
                    ),
                ),
                ("effective_from", models.DateTimeField(default=django.utils.timezone.now)),
                ("effective_to", models.DateTimeField(blank=True, null=True)),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="Where the figure is from.", max_length=200
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prices",
                        to="batchapp.connection",
                    ),
                ),
            ],
            options={
                "ordering": ["connection", "model", "window", "-effective_from"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("connection"),
                        models.F("model"),
                        models.F("window"),
                        models.F("effective_from"),
                        name="one_price_from_one_instant",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("effective_to", None),
                            ("effective_to__gt", models.F("effective_from")),
                            _connector="OR",
                        ),
                        name="price_ends_after_it_begins",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(fields=["project", "-created_at"], name="upload_list"),
        ),
        migrations.AddConstraint(
            model_name="providerkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("user", None), ("project", None), _connector="XOR"),
                name="key_has_one_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                models.F("project"), models.F("user"), name="one_role_per_person_and_project"
            ),
        ),
        migrations.AddConstraint(
            model_name="batchimport",
            constraint=models.UniqueConstraint(
                models.F("connection"), models.F("remote_id"), name="one_import_per_batch"
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["project", "-created_at"], name="batch_list"),
        ),
        migrations.AddConstraint(
            model_name="prompttemplate",
            constraint=models.UniqueConstraint(
                models.F("project"), models.F("name"), name="one_template_of_a_name_and_project"
            ),
        ),
        migrations.AddConstraint(
            model_name="prompttemplateversion",
            constraint=models.UniqueConstraint(
                models.F("template"), models.F("number"), name="template_versions_are_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerbatch",
            constraint=models.UniqueConstraint(
                models.F("batch"), models.F("number"), name="one_provider_batch_per_number"
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(fields=["batch", "outcome", "line"], name="result_by_outcome"),
        ),
        migrations.AddConstraint(
            model_name="result",
            constraint=models.UniqueConstraint(
                models.F("batch"), models.F("line"), name="one_result_per_line"
            ),
        ),
        migrations.AddConstraint(
            model_name="result",
            constraint=models.UniqueConstraint(
                models.F("batch"), models.F("custom_id"), name="one_result_per_custom_id"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["key", "-received_at"], name="delivery_list"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.UniqueConstraint(
                models.F("key"), models.F("message_id"), name="one_delivery_per_message"
            ),
        ),
        migrations.RunPython(add_doubleword, migrations.RunPython.noop),
    ]
