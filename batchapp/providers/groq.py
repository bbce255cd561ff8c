"""Groq's batch API, which is that of OpenAI with windows of up to seven days.

Groq serves it at ``https://api.groq.com/openai/v1``, for chat completions and audio. That a file
may name several models is not documented, so that each gets a file of its own.

Source: https://console.groq.com/docs/batch
"""

from batchapp.providers.base import Capabilities

CAPABILITIES = Capabilities(
    windows=("24h", "7d"),
    endpoints=("/v1/chat/completions", "/v1/audio/transcriptions", "/v1/audio/translations"),
)
