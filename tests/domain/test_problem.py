"""A problem is equal to what a row gives back: a code that was stored is plain text."""

import json
from dataclasses import asdict

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refusal


def test_a_problem_survives_being_stored_as_json() -> None:
    problem = Problem(ProblemCode.NO_SLOT, {"connection": "Acme", "ahead": 3, "said": None})

    assert Problem(**json.loads(json.dumps(asdict(problem)))) == problem


def test_no_refusal_has_the_code_of_a_problem() -> None:
    assert set(map(str, ProblemCode)) & set(map(str, Refusal)) == set()
