"""The shapes of what jobs cost, or are expected to cost."""

from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct

from tasks.models.costs import Basis, dollars
from tasks.spend.quotes import Quote, QuoteBasis
from webapp.schemas.members import Maybe

Usd = Annotated[str, Meta(description="US dollars, as a decimal number.", pattern=r"^\d+\.\d{2,6}$")]


class Cost(Struct):
    """What a job cost."""

    usd: Usd
    micros: Annotated[int, Meta(ge=0, description="The same in micro-dollars.")]
    basis: Annotated[
        Basis,
        Meta(
            description="What it rests on: `metrics`, Replicate measured what the price counts; `time`, the seconds of "
            "compute; `input`, what was requested, because Replicate did not measure all of it."
        ),
    ]


class Price(Struct):
    """A price, as its source publishes it."""

    text: str
    source: Annotated[str, Meta(description="The address where it is published.")]
    checked: Annotated[date, Meta(description="The day when it was last read there.")]


class Estimate(Struct):
    """What jobs are expected to cost together."""

    jobs: Annotated[int, Meta(ge=1)]
    basis: Annotated[
        QuoteBasis,
        Meta(
            description="What it rests on: `metrics`, the input says what the price counts; `median`, what such runs "
            "have cost; `unknown`, nothing: no price is known."
        ),
    ]
    low: Maybe[Usd] = UNSET
    high: Maybe[Usd] = UNSET
    price: Maybe[Annotated[Price, Meta(description="If it is the same for all jobs.")]] = UNSET

    @classmethod
    def of(cls, quote: Quote, jobs: int) -> "Estimate":
        """Return the shape of a quote."""
        estimate = cls(jobs, quote.basis)
        if quote.low is not None and quote.high is not None:
            estimate.low, estimate.high = dollars(quote.low), dollars(quote.high)
        if quote.price is not None and quote.tier is not None:
            estimate.price = Price(quote.tier.text, quote.price.source, quote.price.checked)
        return estimate
