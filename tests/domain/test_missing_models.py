from batchapp.domain.missing_models import missing_models

OFFERED = ["Qwen/Qwen3.5-9B", "Qwen/Qwen3.5-397B-A17B-FP8", "openai/gpt-oss-20b"]


def test_each_model_that_is_not_offered_has_the_most_similar_name():
    models = ["Qwen/Qwen3.5-9b", "Qwen/Qwen3.5-9B", "zzz"]

    assert missing_models(models, OFFERED) == {"Qwen/Qwen3.5-9b": "Qwen/Qwen3.5-9B", "zzz": None}


def test_nothing_is_missing_from_a_list_that_a_provider_does_not_give():
    assert missing_models(["Qwen/Qwen3.5-9B"], []) == {}
