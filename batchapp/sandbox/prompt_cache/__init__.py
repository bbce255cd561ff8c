"""The prompt cache: prompts that were marked are kept for a while, and read at a lower price.

Source: the provider's server, control-layer 10.13, ``dwctl/src/prompt_cache``.
"""
