"""Makes up what users requested in two years: prompts and models, alone and in batches, with growing frequency."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from tasks.db import ids
from tasks.demo import words
from tasks.demo.files import FILMS

SPAN = timedelta(days=730)
GROWTH = 0.6  # below 1: there were more orders recently
BATCHES = 0.004  # share of all orders
HOURS = (2, 1, 1, 0, 0, 1, 3, 5, 8, 10, 11, 10, 9, 10, 11, 10, 9, 8, 8, 10, 12, 12, 8, 5)
"""The relative load of each hour of a day."""

MODELS = {
    "black-forest-labs/flux-schnell": 45, "stability-ai/sdxl": 33, "google/nano-banana": 14,
    "minimax/hailuo-02": 5, "meta/musicgen": 3,
}  # fmt: skip
"""How often each is requested, per hundred orders."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A batch. prompt: with its alternatives in braces. axes: the values of each alternative, the slowest first."""

    id: UUID
    prompt: str
    axes: list[list[str]]


@dataclass(frozen=True, slots=True)
class Order:
    """A job as it was requested. subject: "" for music. matrix, place: set when it belongs to a batch."""

    moment: datetime
    prompt: str
    model: str
    subject: str
    matrix: Matrix | None = None
    place: int | None = None


def orders(count: int, until: datetime, chance: Random) -> Iterator[Order]:
    """Yield `count` orders, the oldest first."""
    models, shares = list(MODELS), list(MODELS.values())
    waiting: list[Order] = []
    for number, moment in enumerate(_moments(count, until, chance)):
        if not waiting and chance.random() < BATCHES and number + words.LARGEST_MATRIX <= count:
            waiting = _batch(moment, chance)
        if waiting:
            yield waiting.pop(0)
            continue
        [model] = chance.choices(models, shares)
        subject = "" if model == "meta/musicgen" else chance.choice(FILMS if "hailuo" in model else words.SUBJECTS)
        yield Order(moment, words.prompt(chance, subject) if subject else words.music(chance), model, subject)


def _moments(count: int, until: datetime, chance: Random) -> list[datetime]:
    days = [int(SPAN.days * chance.random() ** GROWTH) for _ in range(count)]
    hours = chance.choices(range(24), HOURS, k=count)
    first = until.replace(hour=0, minute=0, second=0, microsecond=0) - SPAN
    return sorted(
        first + timedelta(days=day, hours=hour, milliseconds=chance.randrange(3_600_000))
        for day, hour in zip(days, hours, strict=True)
    )


def _batch(moment: datetime, chance: Random) -> list[Order]:
    subject, model = chance.choice(words.SUBJECTS), chance.choice(list(MODELS)[:2])
    written, axes, prompts = words.matrix(chance, subject)
    matrix = Matrix(ids.drawn_at(moment, chance), written, axes)
    return [
        Order(moment + timedelta(milliseconds=place), prompt, model, subject, matrix, place)
        for place, prompt in enumerate(prompts)
    ]
