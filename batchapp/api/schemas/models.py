"""Models, in the form of OpenAI's API."""

from typing import Literal

from ninja import Schema


class ModelObject(Schema):
    """A model; ``created`` is since when the portal has a price of it, in Unix seconds."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Schema):
    object: Literal["list"]
    data: list[ModelObject]
