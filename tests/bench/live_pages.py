"""Make a project with running batches, and sign a person in; print the facts as JSON.

python -m tests.bench.live_pages BATCHES
"""

import json
import sys

import django


def main(number: str) -> None:
    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.middleware.csrf import get_token  # noqa: PLC0415
    from django.test import Client, RequestFactory  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from batchapp.models import ProviderBatch  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    user = make.make_user()
    project = make.make_project(user, role=make.OWNER)
    upload, key = make.make_upload(project, user), make.make_key(project)
    paths = []
    for _ in range(int(number)):
        batch = make.make_batch(project, user, upload=upload, key=key)
        make.set_state(batch, status=ProviderBatch.Status.RUNNING, total=3, next_check_at=None)
        paths.append(batch.get_absolute_url())
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    request = RequestFactory().get("/")
    token = get_token(request)
    cookies = {
        settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value,
        settings.CSRF_COOKIE_NAME: request.META["CSRF_COOKIE"],
    }
    facts = {
        "paths": paths,
        "upload": reverse("file_list", args=[project.slug]),
        "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "token": token,
    }
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
