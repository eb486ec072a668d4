"""What a price is: tiers of charges, of which the first one that fits what a prediction used applies.

The charges of a tier are added up. Amounts are exact: nothing is rounded before the sum.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

MICROS_PER_DOLLAR = 1_000_000
RUN = "run"
"""What a charge for each run counts."""
COMPUTE_SECONDS = "predict_time"
"""What a charge for compute counts: seconds, as Replicate measures them."""
QUANTITY = re.compile(r"\d{1,15}(?:\.\d{1,20})?(?:e-\d{1,2})?")

Used = Mapping[str, Any]
"""What a prediction used, or is expected to use: values by the names of Replicate's metrics and of its input."""


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount for a number of units.

    metric: what is counted. micros: micro-dollars for `per` units. text: the same in the words of its source.
    """

    metric: str
    micros: Fraction
    per: int
    text: str

    def amount(self, used: Used) -> Fraction:
        """Return the micro-dollars. Raises KeyError when `used` does not say how many units there are."""
        return self.micros * quantity(used[self.metric]) / self.per


@dataclass(frozen=True, slots=True)
class Criterion:
    """A condition on what was used: it is `value`, or else over `low` and up to `high`, each if it is not None."""

    metric: str
    value: str | bool | None = None
    low: Fraction | None = None
    high: Fraction | None = None

    def fits(self, used: Used) -> bool:
        """Return whether it holds. Raises KeyError when `used` does not say."""
        found = used[self.metric]
        if self.value is not None:
            return str(found).lower() == str(self.value).lower()
        number = quantity(found)
        return (self.low is None or number > self.low) and (self.high is None or number <= self.high)

    @property
    def text(self) -> str:
        """The condition in words."""
        name = self.metric.replace("_", " ")
        if self.value is not None:
            return f"{name} {self.value if isinstance(self.value, str) else str(self.value).lower()}"
        over = None if self.low is None else f"over {self.low}"
        return f"{name} {' '.join(filter(None, [over, None if self.high is None else f'up to {self.high}']))}"


@dataclass(frozen=True, slots=True)
class Tier:
    """Charges that are added up if all criteria fit."""

    charges: tuple[Charge, ...]
    criteria: tuple[Criterion, ...] = ()

    @property
    def text(self) -> str:
        """The charges in the words of their source."""
        return ", ".join(charge.text for charge in self.charges)

    @property
    def counted(self) -> frozenset[str]:
        """The names of everything that is charged by its number."""
        return frozenset(charge.metric for charge in self.charges)

    def amount(self, used: Used) -> Fraction:
        """Return the micro-dollars. Raises KeyError when `used` does not say how many units there are."""
        return sum((charge.amount(used) for charge in self.charges), Fraction(0))


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model.

    source: the address where it is published. checked: when it was last read there. median: micro-dollars of a median
    run, if the source says so.
    """

    tiers: tuple[Tier, ...]
    source: str
    checked: date
    median: Fraction | None = None

    def tier(self, used: Used) -> Tier | None:
        """Return the first tier that fits, or None when none does, or when `used` does not say which."""
        try:
            return next((tier for tier in self.tiers if all(each.fits(used) for each in tier.criteria)), None)
        except KeyError:
            return None


def quantity(value: object) -> Fraction:
    """Return a quantity exactly as it is written in JSON. Raises KeyError when it is none."""
    if not isinstance(value, str | int | float) or not QUANTITY.fullmatch(str(value)):
        raise KeyError(value)
    return Fraction(str(value))
