"""Find the models because of which a provider refuses to take a batch."""

from collections.abc import Collection, Iterable

from batchapp.domain.problem import Problem, ProblemCode

# A provider says with any of these that it does not offer a model, or not to this key.
REFUSING = {
    ProblemCode.FORBIDDEN,
    ProblemCode.INVALID,
    ProblemCode.LINE_REFUSED,
    ProblemCode.NOT_FOUND,
}


def refused_models(problems: Iterable[Problem | None], models: Collection[str]) -> list[str]:
    """Return those of ``models`` that the provider names in ``problems``, and did not take.

    The same requests would be refused again, unless another key may use the model. Once a batch
    is at the provider, its requests cannot be changed, and nothing is refused.
    """
    said = [
        str(problem.data.get("said", ""))
        for problem in problems
        if problem and problem.code in REFUSING and not problem.data.get("is_sent")
    ]
    return [model for model in models if any(model in sentence for sentence in said)]
