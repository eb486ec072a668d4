"""What a run cost: from what Replicate measured, else from what its input says, and on which of these it rests."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from tasks.models.tariffs import COMPUTE_SECONDS, MICROS_PER_DOLLAR, RUN, Price, Tier, Used
from tasks.models.usage import measured

MAX_MICROS = 10**12  # a million dollars for one run


class Basis(StrEnum):
    """What a cost rests on."""

    METRICS = "metrics"
    """Replicate measured everything that the price counts."""
    TIME = "time"
    """The price is for seconds of compute, which Replicate measured."""
    INPUT = "input"
    """What was requested: Replicate did not measure everything that the price counts."""
    MEDIAN = "median"
    """What such runs have cost: only the run tells what it uses, or nobody knows what it used."""
    CEILING = "ceiling"
    """The most that a job may cost whose price is not known: CEILING_PER_JOB."""
    ADJUSTED = "adjusted"
    """What an admin has put right."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost in micro-dollars, what it rests on, and the price, and the tier of it, that it was computed with."""

    micros: int
    basis: Basis
    price: Price
    tier: Tier


def of_run(price: Price, metrics: Mapping[str, Any], expected: Used, succeeded: bool) -> Cost | None:
    """Return what a run cost that has ended, or None when that is not known.

    metrics: as Replicate measured them; they count before what is expected, because Replicate bills what it measured.
    expected: what the input says that it uses. succeeded: whether it has a result. A run without one is charged only
    for what Replicate measured: its compute, if the price is for compute.
    """
    used = measured(metrics)
    nothing = {} if succeeded else {metric: 0 for tier in price.tiers for metric in tier.counted}
    known = {**expected, **nothing, **used}
    tier = price.tier(known)
    micros = micros_of(tier, known)
    if tier is None or micros is None or micros > MAX_MICROS:  # more cannot be true
        return None
    return Cost(micros, _basis(tier, used, succeeded), price, tier)


def micros_of(tier: Tier | None, used: Used) -> int | None:
    """Return what this costs by a tier, in micro-dollars, or None when there is none, or `used` does not say enough."""
    try:
        return rounded(tier.amount(used)) if tier else None
    except KeyError:
        return None


def _basis(tier: Tier, used: Used, succeeded: bool) -> Basis:
    if tier.counted == {COMPUTE_SECONDS}:
        return Basis.TIME
    return Basis.INPUT if succeeded and tier.counted - used.keys() - {RUN} else Basis.METRICS


def dollars(micros: int) -> str:
    """Return an amount in dollars as a decimal number, with two places or as many as it needs: 0.003, -0.10."""
    whole, rest = divmod(abs(micros), MICROS_PER_DOLLAR)
    return f"{'-' if micros < 0 else ''}{whole}.{f'{rest:06}'.rstrip('0').ljust(2, '0')}"


def usd(micros: int) -> str:
    """Return an amount in dollars as people write it: $0.003, -$0.10."""
    return f"{'-' if micros < 0 else ''}${dollars(abs(micros))}"


def rounded(micros: Fraction) -> int:
    """Return whole micro-dollars: half a micro-dollar is rounded up."""
    return (micros + Fraction(1, 2)).__floor__()
