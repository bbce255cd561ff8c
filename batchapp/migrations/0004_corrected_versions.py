"""Files that are made of others, and what was done to them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0003_key_trials")]
    operations = [
        migrations.AddField(
            model_name="upload",
            name="made_from",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="versions",
                to="batchapp.upload",
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="repairs",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
