"""Give projects a colour and the times of their end, and members the time they came."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0034_invitations"),
    ]

    operations = [
        # In two steps: members of before have no known day, rather than the day of the update.
        migrations.AddField(
            model_name="membership",
            name="created_at",
            field=models.DateTimeField(null=True, help_text="Empty for those of older versions."),
        ),
        migrations.AlterField(
            model_name="membership",
            name="created_at",
            field=models.DateTimeField(
                auto_now_add=True, null=True, help_text="Empty for those of older versions."
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="archived_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="colour",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (0, "Automatic"),
                    (1, "Blue"),
                    (2, "Teal"),
                    (3, "Orange"),
                    (4, "Pink"),
                    (5, "Purple"),
                    (6, "Green"),
                    (7, "Red"),
                    (8, "Brown"),
                    (9, "Grey"),
                ],
                default=0,
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="deleted_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
