"""A script written for Doubleword's autobatcher, in the place of OpenAI's client."""

import asyncio
import json
import os
from importlib.metadata import version

from autobatcher import BatchOpenAI


async def main() -> None:
    client = BatchOpenAI(
        api_key=os.environ["OPENAI_API_KEY"],
        base_url=os.environ["OPENAI_BASE_URL"],
        completion_window="24h",
        batch_window_seconds=0.5,
        poll_interval_seconds=0.5,
    )
    answers = await asyncio.gather(
        *(
            client.chat.completions.create(
                model="Qwen/Qwen3.5-9B",
                messages=[{"role": "user", "content": f"Question {n}"}],
            )
            for n in range(3)
        )
    )
    await client.close()
    contents = [answer.choices[0].message.content for answer in answers]
    print(json.dumps({"version": version("autobatcher"), "contents": contents}))  # noqa: T201


asyncio.run(main())
