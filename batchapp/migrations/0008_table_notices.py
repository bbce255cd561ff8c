"""Keep what a person must know of the rows of a table, such as hidden rows that are sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0007_request_rules")]

    operations = [
        migrations.AddField(
            model_name="sourcetable",
            name="notices",
            field=models.JSONField(default=list, help_text="What a person must know of the rows."),
        ),
    ]
