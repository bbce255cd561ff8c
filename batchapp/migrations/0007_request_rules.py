"""Let a connection allow further endpoints, and say which fields for reasoning it takes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0006_offered_models")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="extra_urls",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text='That requests may name beside the usual five, such as ["/v1/rerank"]. '
                "The check looks only for the model in such a request.",
                verbose_name="further endpoints",
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="reasoning_effort_only",
            field=models.BooleanField(
                blank=True,
                help_text="The provider refuses chat_template_kwargs, thinking and other fields "
                "for reasoning, and takes reasoning_effort. Unknown: so do Doubleword and the "
                "sandbox.",
                null=True,
            ),
        ),
    ]
