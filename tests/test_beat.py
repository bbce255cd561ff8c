"""Beat sends the tasks of the portal at their times, and loads nothing else of it."""

import subprocess
import sys

from batchapp import tasks
from tests.variables import ROOT

# The steps of the start of beat, before it waits for the first time.
START = """
import sys
from config.beat import app
app.loader.init_worker()
app.finalize()
print(*(entry["task"] for entry in app.conf.beat_schedule.values()))
print(*(name for name in sys.modules if name.startswith(("batchapp", "django.db.models"))))
"""


def test_beat_knows_the_names_of_tasks_and_loads_no_models() -> None:
    command = [sys.executable, "-c", START]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    names, loaded = done.stdout.split("\n")[:2]
    assert set(names.split()) == {tasks.tick.name}
    assert loaded == ""
