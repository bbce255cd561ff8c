"""Files of chosen questions, a provider whose answers depend on nothing but the question, and the
way from a file by what is new in it to its results."""

import json
import uuid
from collections.abc import Iterable
from typing import Any

import msgspec

from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.models import Batch, Project, Upload, User
from batchapp.pipeline import steps
from batchapp.services.results import merge
from batchapp.services.reuse import reduced_file
from tests.make import MODEL, finish, make_batch, make_upload, writer_in

KEEP = ReuseChoice(keep=True)
ONCE = ReuseChoice(once=True)


def request_line(custom_id: str, question: str, **fields: Any) -> bytes:
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}]}
    request = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions"}
    return json.dumps(request | {"body": body | {"max_tokens": 100} | fields}).encode() + b"\n"


def question_file(questions: Iterable[str], **fields: Any) -> bytes:
    """Return a request for each question, numbered as the rows of a table are."""
    rows = enumerate(questions, start=1)
    return b"".join(request_line(f"row-{number}", text, **fields) for number, text in rows)


def checked_upload(project: Project, content: bytes, name: str = "reviews.jsonl") -> Upload:
    """Upload a file and check it as a worker does, with the comparison."""
    upload = make_upload(project, content=content, name=name, is_checked=False)
    steps.check_upload(upload)
    upload.refresh_from_db()
    return upload


def reduced_upload(
    original: Upload, choice: ReuseChoice = KEEP, user: User | None = None
) -> Upload:
    """Request the file of what is new, and let a worker write and check it."""
    upload = reduced_file.request_reduced_file(
        original, writer_in(original.project, user), choice, submission=uuid.uuid4()
    )
    steps.check_upload(upload)
    upload.refresh_from_db()
    return upload


def answers_to(upload: Upload) -> list[bytes]:
    """Return what the provider answers to each request that is sent, the last one first."""
    content = b"".join(upload.chunks())
    requests = [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
    return [_answer(request) for request in reversed(requests)]


def run(upload: Upload, output: list[bytes] | None = None, **fields: Any) -> Batch:
    """Order the requests of ``upload``, answer them, and settle the batch."""
    batch = make_batch(upload.project, upload=upload, **fields)
    return finish(batch, answers_to(upload) if output is None else output)


def merged(batch: Batch) -> list[tuple[str, str]]:
    """Return custom_id and answer, or error code, of each line of the merged download."""
    user = writer_in(batch.project)
    lines = b"".join(merge.download(batch, user)).splitlines()
    return [_texts(json.loads(line)) for line in lines]


def failed(custom_id: str) -> bytes:
    error = {"code": "500", "message": "The model broke down."}
    line = {"id": f"e-{custom_id}", "custom_id": custom_id, "response": None, "error": error}
    return json.dumps(line).encode()


def _answer(request: dict[str, Any]) -> bytes:
    text = f"Answer to {request['body']['messages'][-1]['content']}"
    message = {"message": {"content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 20}
    body = {"model": MODEL, "choices": [message], "usage": usage}
    response = {"status_code": 200, "body": body}
    line = {"id": f"line-{request['custom_id']}", "custom_id": request["custom_id"]}
    return json.dumps(line | {"response": response, "error": None}).encode()


def _texts(line: dict[str, Any]) -> tuple[str, str]:
    if line["response"]:
        return line["custom_id"], line["response"]["body"]["choices"][0]["message"]["content"]
    return line["custom_id"], line["error"]["code"]
