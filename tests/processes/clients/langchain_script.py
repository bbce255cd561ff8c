"""A script written for LangChain; its address and key are in OpenAI's own variables."""

import asyncio
import json
import os

from langchain_openai import ChatOpenAI, OpenAIEmbeddings

MODEL, EMBEDDINGS = "Qwen/Qwen3.5-9B", "Qwen/Qwen3-Embedding-8B"
ADDRESS = {"base_url": os.environ["OPENAI_BASE_URL"]}

model = ChatOpenAI(model=MODEL, **ADDRESS)
embeddings = OpenAIEmbeddings(model=EMBEDDINGS, check_embedding_ctx_length=False, **ADDRESS)


async def stream() -> str:
    return "".join([str(part.content) async for part in model.astream("Name a planet.")])


answer = model.invoke("Name the largest planet.")
print(  # noqa: T201
    json.dumps(
        {
            "answer": answer.content,
            "usage": answer.usage_metadata,
            "batch": [each.content for each in model.batch(["Hello", "Good morning"])],
            "stream": asyncio.run(stream()),
            "responses": ChatOpenAI(model=MODEL, use_responses_api=True, **ADDRESS)
            .invoke("Name a moon.")
            .text,
            "vectors": len(embeddings.embed_documents(["one", "two"])),
        }
    )
)
