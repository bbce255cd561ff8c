"""Seal the audit, and keep the names of people and projects in its events."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The areas of the kinds that were recorded until now.
AREAS = {
    "sign_in": ["password_reset_sent"],
    "people": [
        *("first_administrator_made", "portal_role_changed", "invitation_made"),
        *("invitation_renewed", "invitation_revoked", "invitation_accepted"),
        *("invitation_declined", "person_activated", "person_deactivated", "member_left"),
        *("member_removed", "role_changed", "project_joined"),
    ],
    "projects": ["project_archived", "project_restored", "project_transferred"],
    "keys": [
        *("portal_key_made", "portal_key_revoked", "portal_key_rotated", "provider_key_added"),
        *("provider_key_removed", "provider_key_replaced"),
    ],
    "connections": [
        *("connection_added", "connection_changed", "connection_removed", "connection_archived"),
        *("connection_restored", "platform_key_set", "platform_key_removed"),
    ],
    "downloads": ["email_read"],
    "deletion": ["project_deleted"],
}


def fill(apps, schema_editor):
    """Add the area, the address and the names to the events that are stored already."""
    events = apps.get_model("batchapp", "AuditEvent").objects
    for area, kinds in AREAS.items():
        events.filter(kind__in=kinds).update(area=area)
    emails = dict(apps.get_model("batchapp", "User").objects.values_list("pk", "email"))
    projects = dict(apps.get_model("batchapp", "Project").objects.values_list("pk", "name"))
    rows = events.order_by("pk")
    last = 0
    while block := list(rows.filter(pk__gt=last)[:1000]):
        for event in block:
            event.actor_email = emails.get(event.actor_id, "")
            event.project_name = projects.get(event.project_id, "")
            texts = [value for value in event.data.values() if isinstance(value, str)]
            texts = [event.actor_name, event.actor_email, event.project_name, *texts]
            names = dict.fromkeys(text.casefold() for text in texts if text)
            event.names = "\n".join(names)[:1000]
        events.bulk_update(block, ["actor_email", "project_name", "names"])
        last = block[-1].pk


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0038_budgets"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("number", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("sealed_at", models.DateTimeField()),
                (
                    "first_at",
                    models.DateTimeField(help_text="When the oldest of its events happened."),
                ),
                (
                    "last_at",
                    models.DateTimeField(help_text="When the newest of its events happened."),
                ),
                ("count", models.PositiveIntegerField(help_text="Events.")),
                ("entries", models.BinaryField()),
                ("entries_digest", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("events_deleted_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.AddField(
            model_name="auditevent",
            name="actor_email",
            field=models.CharField(blank=True, max_length=254),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="area",
            field=models.CharField(
                default="", help_text="Of the kind, for the filter.", max_length=12
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="key_name",
            field=models.CharField(
                blank=True, help_text="The portal key that acted.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="names",
            field=models.TextField(
                blank=True, help_text="What a search looks through, in lower case."
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="project_name",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="source",
            field=models.CharField(blank=True, help_text="See ``AuditSource``.", max_length=10),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="actor",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="batchapp.project",
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="seal",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="batchapp.auditseal",
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["actor", "-at", "-id"], name="audit_by_actor"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["project", "-at", "-id"], name="audit_by_project"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["area", "-at", "-id"], name="audit_by_area"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("seal", None)), fields=["id"], name="audit_unsealed"
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
