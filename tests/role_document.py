"""Write docs/roles.md from what ``access`` decides; ``make states`` runs this.

``tests/test_docs.py`` fails if the page is out of date.
"""

import os

from tests.variables import ROOT

if __name__ == "__main__":  # tests have loaded the settings already
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from batchapp.presenters.role_table import ROLES, role_rights

PAGE = ROOT / "docs/roles.md"
YES, NO = "yes", "\N{EN DASH}"

INTRODUCTION = """\
# Roles

`make states` writes this page from what [`access.py`](../batchapp/access.py) answers, which is the
only place that decides a right; services, pages and commands ask there.

A member has one of three roles in a project. Administrators and auditors are people of the portal:
they see the files and answers of a project only as members of it. An outsider has an account, and
is not in the project.
"""
REMARKS = """\
- A role in a project and a role in the portal add up.
- Whoever creates a project is its first owner. With `PROJECT_FOUNDERS=administrators` only
  administrators create projects.
- A project always has an owner: the last one cannot leave, and cannot become an editor or viewer.
  Deactivated owners do not count.
- In an archived project nobody uploads, runs, retries or imports; batches under way can be
  cancelled. Everything is read and downloaded as before.
- The budget of a person or a portal key is seen by that person and by owners; those of the project
  and of models by every member. Owners change budgets signed in, never by a portal key.
- Nobody approves an own batch, unless a setting of the project lets its owners do so. A portal key
  never approves: its owner signs in.
- Only its owner starts something on a personal provider key. Colleagues may let a batch go on that
  was ordered on it.
"""


def role_document() -> str:
    """Return the text of docs/roles.md."""
    header = ["Right", *ROLES.values()]
    rows = [
        [right.text, *(YES if role in right.roles else NO for role in ROLES)]
        for right in role_rights()
    ]
    lines = [header, ["---", *[":-:"] * len(ROLES)], *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{INTRODUCTION}\n{table}\n\n{REMARKS}"


if __name__ == "__main__":
    PAGE.write_text(role_document())
