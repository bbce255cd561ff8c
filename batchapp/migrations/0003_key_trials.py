"""What providers said of keys, and sign-ins that failed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0002_doubleword")]
    operations = [
        migrations.AddField(
            model_name="providerkey",
            name="tried_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="providerkey",
            name="is_refused",
            field=models.BooleanField(default=False, editable=False, verbose_name="refused"),
        ),
        migrations.AddField(
            model_name="providerkey",
            name="trouble",
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.CreateModel(
            name="FailedSignIn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "email",
                    models.CharField(help_text="As it was typed, in lower case.", max_length=254),
                ),
                (
                    "address",
                    models.CharField(help_text="The network address it came from.", max_length=45),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index("email", "address", "at", name="failed_sign_ins_of_somebody")
                ],
            },
        ),
    ]
