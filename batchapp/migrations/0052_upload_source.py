from django.db import migrations, models


def set_sources(apps, schema_editor):
    """Files that came by a portal key say so; of others the source is not known."""
    uploads = apps.get_model("batchapp", "Upload").objects
    uploads.filter(portal_key__isnull=False).update(source="key")


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0051_direct_request_state"),
    ]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="source",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "not recorded"),
                    ("page", "page"),
                    ("key", "portal key"),
                    ("command", "command on the server"),
                    ("portal", "the portal itself"),
                ],
                default="",
                editable=False,
                help_text="Empty for a file that was made from others, and of an earlier version.",
                max_length=10,
            ),
            preserve_default=False,
        ),
        migrations.RunPython(set_sources, migrations.RunPython.noop, elidable=True),
    ]
