"""A column for a problem: a code and its data, as JSON."""

from dataclasses import asdict
from typing import Any

from django.db import models
from django.db.models.fields.json import KeyTransform

from batchapp.domain.problem import Problem


class ProblemField(models.JSONField):
    """A ``Problem`` or None; queries ask for ``problem__code`` and ``problem__isnull``."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(asdict(value) if isinstance(value, Problem) else value)

    def value_to_string(self, obj: models.Model) -> Any:
        """Return what ``dumpdata`` writes: the JSON of the column."""
        problem = self.value_from_object(obj)
        return asdict(problem) if isinstance(problem, Problem) else problem

    def to_python(self, value: Any) -> Any:
        """Return what ``loaddata`` stores."""
        return Problem(**value) if isinstance(value, dict) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        stored = super().from_db_value(value, expression, connection)
        if stored is None or isinstance(expression, KeyTransform):
            return stored
        return Problem(**stored)
