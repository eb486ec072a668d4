"""The visits of a round: what each visitor will do, planned from the seed."""

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos.fates import Fate, fate

MODELS: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (76, "stability-ai/sdxl", {"width": 64, "height": 64}),
    (8, "black-forest-labs/flux-schnell", {"megapixels": "0.25", "num_outputs": 3, "output_format": "png"}),
    (10, "black-forest-labs/flux-schnell", {"megapixels": "0.25", "num_outputs": 2}),
    (3, "google/nano-banana", {"aspect_ratio": "3:4"}),
    (3, "meta/musicgen", {"duration": 1}),
)
"""For each model: how many of a hundred jobs use it, its name, and its parameters."""


@dataclass(frozen=True)
class Visit:
    """The plan of one visitor: submit at a moment, maybe cancel some seconds later, maybe retry a failed job."""

    number: int
    at: float
    model: str
    parameters: dict[str, Any]
    client: str
    priority: str
    fate: Fate
    cancel_after: float | None
    retries: bool


def visits(chance: Random, jobs: int, seconds: float, slow: bool) -> list[Visit]:
    """Plan `jobs` visits within `seconds`, half of them at one moment. slow: see fates.fate."""
    rush = seconds * chance.uniform(0.1, 0.5)
    return [
        _visit(chance, number, rush if chance.random() < 0.5 else seconds * chance.random(), slow)
        for number in range(jobs)
    ]


def _visit(chance: Random, number: int, at: float, slow: bool) -> Visit:
    [(_, model, parameters)] = chance.choices(MODELS, [weight for weight, _, _ in MODELS])
    return Visit(
        number=number,
        at=at,
        model=model,
        parameters=parameters,
        client=f"client-{chance.randrange(5)}",
        priority=chance.choice(["low", "normal", "normal", "high"]),
        fate=fate(chance, slow),
        cancel_after=chance.uniform(0, 5) if chance.random() < 0.08 else None,
        retries=chance.random() < 0.15,
    )
