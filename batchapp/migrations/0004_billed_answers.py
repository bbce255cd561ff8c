"""Keep the number of billed answers beside the billed cost."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0003_facts")]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="billed_answers",
            field=models.PositiveBigIntegerField(
                help_text="Answers in that sum, by the provider's count; more after a crash there.",
                null=True,
            ),
        ),
    ]
