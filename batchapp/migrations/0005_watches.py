import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0004_corrected_versions")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="down_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="failures",
            field=models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="Calls in a row that brought no usable answer.",
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="resting_until",
            field=models.DateTimeField(
                editable=False, help_text="Until then nobody asks it anything.", null=True
            ),
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                (
                    "next_check_at",
                    models.DateTimeField(
                        db_index=True,
                        editable=False,
                        help_text="Empty: nobody but a person moves it.",
                        null=True,
                    ),
                ),
                ("leased_until", models.DateTimeField(editable=False, null=True)),
                (
                    "claims",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Since it was last given back: counts crashes.",
                    ),
                ),
                (
                    "key",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="watch",
                        serialize=False,
                        to="batchapp.providerkey",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("watching", "Watching")], default="watching", max_length=10
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0)),
                ("looked_at", models.DateTimeField(null=True)),
                (
                    "round_seconds",
                    models.FloatField(default=0, help_text="What the last round took."),
                ),
            ],
            options={"abstract": False},
        ),
    ]
