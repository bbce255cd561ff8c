"""Say in words which beginnings of their prompts the requests of a file share."""

from collections.abc import Iterator

from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.request_files.report import ModelFacts, Report
from batchapp.templatetags.words import count


def shared_sentences(report: Report) -> Iterator[str]:
    """Yield a sentence for each model of which requests share the beginning of their prompt."""
    for model, prompts in report.prompts.items():
        facts = report.models.get(model)
        if facts and prompts.shared:
            subject = f"{model}: " if len(report.models) > 1 else ""
            yield f"{subject}{shared_sentence(facts, prompts)}"


def shared_sentence(facts: ModelFacts, prompts: PromptFacts) -> str:
    whole = [row.tokens for row in prompts.shared if row.requests == facts.requests]
    if whole and facts.requests > 1:
        mean = round(facts.input_tokens / facts.requests)
        about = "" if facts.exact else "About "
        return f"{about}{max(whole):,} of {mean:,} input tokens are the same in every request."
    groups = sum(row.alike for row in prompts.shared if row.parent < 0)
    start = "At least " if prompts.is_partial else "" if facts.exact else "About "
    return (
        f"{start}{prompts.repeated_tokens:,} of {facts.input_tokens:,} input tokens repeat how an "
        f"earlier request begins; {count(groups, 'prompt')} "
        f"{'is' if groups == 1 else 'are'} shared."
    )
