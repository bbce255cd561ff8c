"""Make rows of an older version by its own models."""

import itertools
from functools import cached_property
from typing import Any

from django.db.migrations.state import StateApps


class Rows:
    """Rows of one project, with the fields that every version requires.

    Each property is one row, which is made when it is first asked for.
    """

    def __init__(self, apps: StateApps) -> None:
        self._apps = apps
        self._numbers = itertools.count(1)

    def model(self, name: str) -> Any:
        return self._apps.get_model("batchapp", name)

    def create(self, model: str, /, **fields: Any) -> Any:
        return self.model(model)._default_manager.create(**fields)

    @cached_property
    def user(self) -> Any:
        return self.make_user()

    @cached_property
    def connection(self) -> Any:
        return self.create("Connection", name="Acme", base_url="http://127.0.0.1:1/v1")

    @cached_property
    def project(self) -> Any:
        return self.make_project()

    @cached_property
    def key(self) -> Any:
        owner = {"project": self.project, "connection": self.connection}
        return self.create("ProviderKey", **owner, name="Key")

    @cached_property
    def upload(self) -> Any:
        return self.make_upload()

    def make_user(self, **fields: Any) -> Any:
        return self.create("User", email=f"person{next(self._numbers)}@example.com", **fields)

    def make_project(self, **fields: Any) -> Any:
        slug = f"project-{next(self._numbers)}"
        usual = {"name": slug, "slug": slug, "connection": self.connection}
        return self.create("Project", **usual | fields)

    def make_upload(self, **fields: Any) -> Any:
        usual = {"name": "a.jsonl", "size": 1, "status": "ready"}
        owner = {"project": self.project, "uploaded_by": self.user}
        return self.create("Upload", **usual | owner | fields)

    def make_batch(self, **fields: Any) -> Any:
        usual = {
            "created_by": self.user,
            "name": "Tickets",
            "endpoint": "/v1/chat/completions",
            "window": "24h",
            "requests": 1,
        }
        of_project = {
            name: getattr(self, name)
            for name in ("project", "connection", "key", "upload")
            if name not in fields
        }
        return self.create("Batch", **usual | of_project | fields)

    def make_results(self, batch: Any, *results: dict[str, Any]) -> None:
        """Make the results of ``batch`` from line 1 on."""
        provider_batch = self.create("ProviderBatch", batch=batch)
        for line, fields in enumerate(results, 1):
            usual = {"custom_id": f"row-{line}", "model": MODEL, "outcome": "ok"}
            place = {"line": line, "request_at": 0, "request_bytes": 1}
            of_batch = {"batch": batch, "provider_batch": provider_batch}
            self.create("Result", **of_batch | place | usual | fields)

    def make_cost(self, batch: Any, **fields: Any) -> Any:
        usual = {"model": MODEL, "requests": 1}
        tokens = {"estimated_input_tokens": 1, "estimated_output_tokens": 1}
        return self.create("ModelCost", batch=batch, **usual | tokens | fields)


MODEL = "Qwen/Qwen3-30B"
