"""Keep the tokens that were read from and written to the provider's cache."""

from django.db import migrations, models

from batchapp.models.fields.money_field import MoneyField

READ = "Those of the input that were read from the provider's cache."
WRITTEN = "Those of the input that were written to the cache for 5 minutes."
# Column -> its help.
COLUMNS = {
    "cached_tokens": READ,
    "written_5m_tokens": WRITTEN,
    "written_1h_tokens": "",
    "written_24h_tokens": "",
}


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0021_batch_indexes")]

    operations = [
        migrations.AddField(
            "batch",
            "billed_list_cost_usd",
            MoneyField(
                null=True, help_text="That sum as it would be if no prompt had been cached."
            ),
        ),
        *(
            migrations.AddField(
                "modelcost", name, models.PositiveBigIntegerField(default=0, help_text=text)
            )
            for name, text in COLUMNS.items()
        ),
        *(
            migrations.AddField(
                "result", name, models.PositiveIntegerField(null=True, help_text=text)
            )
            for name, text in COLUMNS.items()
        ),
        migrations.AlterField(
            "modelcost",
            "answers_without_usage",
            models.PositiveIntegerField(
                default=0, help_text="Answers without a possible token count: the cost is higher."
            ),
        ),
    ]
