"""Connections may be archived: nothing new begins on them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0032_outgoing_email")]
    operations = [
        migrations.AddField(
            "connection",
            "archived_at",
            models.DateTimeField(
                null=True,
                editable=False,
                help_text="Nothing new begins on the connection since then.",
            ),
        ),
    ]
