"""A script written for OpenAI's batches; its address and key are in OpenAI's own variables."""

import json
import time

import openai
from openai import OpenAI

OVER = ("completed", "failed", "expired", "cancelled")
client = OpenAI()


def requests(name: str) -> bytes:
    body = {"model": "Qwen/Qwen3.5-9B", "messages": [{"role": "user", "content": "Hello"}]}
    lines = [
        {"custom_id": f"{name}-{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n in range(3)
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def order(name: str):  # type: ignore[no-untyped-def]
    file = client.files.create(file=(f"{name}.jsonl", requests(name)), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"job": name},
    )


batch = order("first")
while batch.status not in OVER:
    time.sleep(0.5)
    batch = client.batches.retrieve(batch.id)
answers = [
    json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()
]
second = client.batches.cancel(order("second").id)
pages = client.batches.list(limit=1)
listed = [row.id for row, _ in zip(pages, range(2), strict=False)]
spare = client.files.create(file=("spare.jsonl", requests("spare")), purpose="batch")
print(  # noqa: T201
    json.dumps(
        {
            "version": openai.__version__,
            "status": batch.status,
            "counts": batch.request_counts.to_dict(),
            "metadata": batch.metadata,
            "answered": sorted(line["custom_id"] for line in answers),
            "contents": [
                line["response"]["body"]["choices"][0]["message"]["content"] for line in answers
            ],
            "listed": listed == [second.id, batch.id],
            "cancelled": second.status,
            "input": client.files.content(batch.input_file_id).text == requests("first").decode(),
            "deleted": client.files.delete(spare.id).deleted,
        }
    )
)
