"""The types of members that several shapes have."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias, TypeVar, cast
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType


class Priority(StrEnum):
    """Which of the waiting jobs go first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Kind(StrEnum):
    """What a file is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"
    FILE = "file"


T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)
Maybe: TypeAlias = T | UnsetType
"""The type of a member that is absent when it does not apply."""
PARAMETERS = {"title": "Parameters", "description": "A model's inputs by name.", "type": "object"}
Parameters = Annotated[dict[str, Any], Meta(extra_json_schema=PARAMETERS)]
JobId = Annotated[UUID, Meta(description="A version 7 UUID: ids sort by creation time.")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Time = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]
Pixels = Annotated[int, Meta(description="Pixels.")]


def given(value: T | None) -> T | UnsetType:
    """Return a value, or UNSET in place of None."""
    return UNSET if value is None else value


def word(words: type[Word], value: str) -> Word:
    """Return a row's value as one of our words. What only a newer version knows is told as it is."""
    return cast("Word", value)
