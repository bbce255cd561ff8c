"""Sign in by django-allauth: verified addresses, and limits that all processes share."""

from django.conf import settings
from django.db import migrations, models


def verify_addresses(apps, schema_editor):
    """Let everybody who has an account sign in without a link that is sent first."""
    address = apps.get_model("account", "EmailAddress")
    with_address = set(address.objects.values_list("user_id", flat=True))
    address.objects.bulk_create(
        address(user_id=pk, email=email.lower(), verified=True, primary=True)
        for pk, email in apps.get_model("batchapp", "User").objects.values_list("pk", "email")
        if pk not in with_address
    )


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0026_first_run_and_profile"),
        ("account", "0009_emailaddress_unique_primary_email"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                ("cache_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("expires", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.DeleteModel(name="FailedSignIn"),
        # Going back leaves the addresses: their tables are those of another application.
        migrations.RunPython(verify_addresses, migrations.RunPython.noop),
    ]
