"""The fields that a body may have, by url; any other field is most likely misspelled.

Sources: OpenAI's API reference for each url, Anthropic's for /v1/messages, and what vLLM, which
serves most open models, takes beyond them.
"""

from difflib import get_close_matches
from functools import lru_cache

SAMPLING = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "seed", "stop", "frequency_penalty", "n"),
        *("presence_penalty", "repetition_penalty", "length_penalty", "logit_bias", "logprobs"),
        *("stop_token_ids", "include_stop_str_in_output", "ignore_eos", "min_tokens", "best_of"),
        *("skip_special_tokens", "spaces_between_special_tokens", "truncate_prompt_tokens"),
        *("allowed_token_ids", "bad_words", "prompt_logprobs", "use_beam_search", "echo"),
        *("add_special_tokens", "guided_json", "guided_regex", "guided_choice", "guided_grammar"),
        *("guided_decoding_backend", "guided_whitespace_pattern", "structured_outputs"),
        *("structural_tag", "logits_processors", "return_tokens_as_token_ids", "cache_salt"),
        *("return_token_ids", "kv_transfer_params", "vllm_xargs", "request_id"),
    }
)
# The provider removes three of them: service_tier, priority and background.
COMMON = frozenset(
    {
        *("model", "user", "metadata", "stream", "stream_options", "service_tier", "priority"),
        *("background", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    }
)

TEMPLATE = frozenset(
    {
        *("add_generation_prompt", "continue_final_message", "chat_template", "documents"),
        *("chat_template_kwargs", "mm_processor_kwargs", "media_io_kwargs"),
    }
)
CHAT = frozenset(
    {
        *("messages", "max_tokens", "max_completion_tokens", "top_logprobs", "tools"),
        *("tool_choice", "parallel_tool_calls", "functions", "function_call", "modalities"),
        *("response_format", "audio", "prediction", "store", "reasoning_effort", "reasoning"),
        *("include_reasoning", "thinking_token_budget", "verbosity", "web_search_options"),
        *("thinking", "enable_thinking", "cache_control"),
    }
)
COMPLETIONS = frozenset({"prompt", "suffix", "max_tokens", "response_format"})
EMBEDDINGS = frozenset(
    {
        *("input", "messages", "encoding_format", "dimensions", "input_type", "normalize"),
        *("truncate_prompt_tokens", "add_special_tokens", "embed_dtype", "endianness"),
    }
)
RESPONSES = frozenset(
    {
        *("input", "prompt", "instructions", "max_output_tokens", "max_tool_calls", "text"),
        *("tools", "tool_choice", "parallel_tool_calls", "previous_response_id", "reasoning"),
        *("include", "store", "truncation", "top_logprobs", "conversation", "context_management"),
        "enable_thinking",
    }
)
MESSAGES = frozenset(
    {
        *("messages", "system", "max_tokens", "stop_sequences", "thinking", "tools"),
        *("tool_choice", "output_config", "output_format", "container", "context_management"),
        *("mcp_servers", "cache_control", "inference_geo", "speed"),
    }
)
# What other urls, providers and clients call a field of the url.
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
OTHER_LIMITS = ("max_new_tokens", "maxTokens", "maxOutputTokens", "max_length", "num_predict")
OTHER_NAMES = {
    "/v1/chat/completions": {
        **dict.fromkeys(("max_output_tokens", *OTHER_LIMITS), "max_tokens"),
        **dict.fromkeys(("system", "instructions"), "a message with the role system"),
        **dict.fromkeys(("input", "prompt"), "a message with the role user"),
        **dict.fromkeys(("text", "response_schema", "format", "output_config"), "response_format"),
        "stop_sequences": "stop",
    },
    "/v1/completions": {
        **dict.fromkeys((*LIMITS[1:], *OTHER_LIMITS), "max_tokens"),
        **dict.fromkeys(("input", "messages"), "prompt"),
        "stop_sequences": "stop",
    },
    "/v1/embeddings": {
        **dict.fromkeys(("prompt", "text", "texts", "inputs"), "input"),
    },
    "/v1/responses": {
        **dict.fromkeys((*LIMITS[:2], *OTHER_LIMITS), "max_output_tokens"),
        **dict.fromkeys(("response_format", "response_schema"), "text.format"),
        "messages": "input",
        "system": "instructions",
        "functions": "tools",
    },
    "/v1/messages": {
        **dict.fromkeys((*LIMITS[1:], *OTHER_LIMITS), "max_tokens"),
        **dict.fromkeys(("response_format", "text"), "output_config.format"),
        **dict.fromkeys(("input", "prompt"), "messages"),
        "instructions": "system",
        "stop": "stop_sequences",
        "functions": "tools",
    },
}
_TAKEN = {
    "/v1/chat/completions": CHAT | COMMON | SAMPLING | TEMPLATE,
    "/v1/completions": COMPLETIONS | COMMON | SAMPLING,
    "/v1/embeddings": EMBEDDINGS | COMMON | TEMPLATE,
    "/v1/responses": RESPONSES | COMMON | SAMPLING | TEMPLATE,
    "/v1/messages": MESSAGES | COMMON | SAMPLING | TEMPLATE,
}
KNOWN_FIELDS = {url: fields - OTHER_NAMES[url].keys() for url, fields in _TAKEN.items()}

# Arguments of OpenAI's Python client, which never sends them; in a file they mean nothing.
CLIENT_ARGUMENTS = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})


@lru_cache(maxsize=1_024)
def guess_field(field: str, url: str) -> str:
    """Return the known field that is spelled most like ``field``, else ""."""
    return next(iter(get_close_matches(field, KNOWN_FIELDS[url], n=1, cutoff=0.8)), "")


def field_meant(field: str, url: str) -> str:
    """Return what ``field``, a name of another url or client, is called at ``url``, else ""."""
    return OTHER_NAMES[url].get(field, "")
