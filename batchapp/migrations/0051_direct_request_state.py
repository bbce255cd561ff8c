from django.db import migrations, models
from django.db.models import Case, Q, Value, When


def set_states(apps, schema_editor):
    """Say of the requests that are over how they ended, as far as their columns tell."""
    apps.get_model("batchapp", "DirectRequest").objects.filter(ended_at__isnull=False).update(
        state=Case(
            When(status_code__gte=300, then=Value("refused")),
            When(Q(status_code=None), then=Value("broken_off")),
            default=Value("answered"),
        )
    )


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0050_direct_requests"),
    ]

    operations = [
        migrations.AddField(
            model_name="directrequest",
            name="state",
            field=models.CharField(
                choices=[
                    ("sent", "Under way"),
                    ("answered", "Answered"),
                    ("broken_off", "Broken off"),
                    ("refused", "Refused"),
                    ("not_sent", "Not sent"),
                    ("unseen", "End not seen"),
                ],
                default="sent",
                max_length=10,
            ),
        ),
        migrations.RunPython(set_states, migrations.RunPython.noop, elidable=True),
    ]
