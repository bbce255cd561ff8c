"""Uploaded requests read from disk."""

from collections.abc import Sequence

from batchapp.sandbox.files.validation import LINE_DECODER, RequestLine
from batchapp.sandbox.store import Store


def read_lines(store: Store, file_pk: int, numbers: Sequence[int]) -> list[RequestLine]:
    """Return the requests in the order of ``numbers``, also from a deleted file."""
    marks = ", ".join("?" * len(numbers))
    with store.read_transaction() as connection:
        file_id = connection.execute("SELECT id FROM files WHERE pk = ?", (file_pk,)).fetchone()[0]
        positions = {
            row["number"]: (row["offset"], row["length"])
            for row in connection.execute(
                f"SELECT number, offset, length FROM lines WHERE file = ? AND number IN ({marks})",  # noqa: S608
                (file_pk, *numbers),
            )
        }
    requests = []
    with store.content_path(file_id).open("rb") as source:
        for number in numbers:
            offset, length = positions[number]
            source.seek(offset)
            requests.append(LINE_DECODER.decode(source.read(length)))
    return requests
