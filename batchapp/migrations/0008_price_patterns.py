"""A price may name several models."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0007_tables")]

    operations = [
        migrations.AlterField(
            model_name="price",
            name="model",
            field=models.CharField(
                help_text="The provider's exact name for it, or several with *.", max_length=200
            ),
        ),
    ]
