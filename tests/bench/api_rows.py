"""Make a project with running batches and a portal key; print the facts as JSON.

python -m tests.bench.api_rows BATCHES SANDBOX_URL PROVIDER_KEY
"""

import json
import sys

import django


def main(number: str, sandbox_url: str, secret: str) -> None:
    django.setup()
    from batchapp.api.ids import batch_id, upload_id  # noqa: PLC0415
    from batchapp.models import ProviderBatch  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    user = make.make_user()
    project = make.make_project(
        user, role=make.OWNER, connection=make.make_connection(base_url=sandbox_url)
    )
    upload, key = make.make_upload(project, user), make.make_key(project, secret=secret)
    paths = []
    for _ in range(int(number)):
        batch = make.make_batch(project, user, upload=upload, key=key)
        make.set_state(batch, status=ProviderBatch.Status.RUNNING, total=3, next_check_at=None)
        paths.append(f"/v1/batches/{batch_id(batch.pk)}")
    facts = {
        "batches": paths,
        "file": f"/v1/files/{upload_id(upload.pk)}",
        "upload": upload_id(upload.pk),
        "secret": make.make_portal_key(user, project, scope="submit").secret,
    }
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
