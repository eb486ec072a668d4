"""The shapes of what jobs cost, or are expected to cost."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Self

from msgspec import UNSET, Meta, Struct

from tasks.accounts.actors import Actor
from tasks.db.money_tables import Budget
from tasks.jobs import budgets
from tasks.jobs.budgets import Period, Scope
from tasks.jobs.quotes import Quote, QuoteBasis
from tasks.models.costs import Basis, dollars
from tasks.settings import settings
from tasks.spend import limits, totals
from tasks.spend.totals import Line, Total
from webapp.schemas.members import Count, Maybe, Time, given

Usd = Annotated[str, Meta(description="US dollars, as a decimal number.", pattern=r"^\d+\.\d{2,6}$")]

Sum = Annotated[
    str,
    Meta(
        description="US dollars, as a decimal number: below zero where more was put right than spent.",
        pattern=r"^-?\d+\.\d{2,6}$",
    ),
]


class Cost(Struct):
    """What a job cost."""

    usd: Usd
    micros: Annotated[int, Meta(ge=0, description="The same in micro-dollars.")]
    basis: Annotated[
        Basis,
        Meta(
            description="What it rests on: `metrics`, Replicate measured what the price counts; `time`, the seconds of "
            "compute; `input`, what was requested, because Replicate did not measure all of it; `median`, what such "
            "runs have cost; `ceiling`, the most that a job may cost whose price is not known; `adjusted`, what an "
            "admin has put right."
        ),
    ]


class BudgetState(Struct, kw_only=True):
    """A budget, and what is left of it.

    Of one for all or for a model, who does not see what everyone spends gets no `limit`, `spent` and `held`.
    """

    scope: Annotated[Scope, Meta(description="Whose or what spending it limits.")]
    name: Maybe[Annotated[str, Meta(description="Of the person, the key or the model.")]] = UNSET
    period: Period
    limit: Maybe[Usd] = UNSET
    spent: Maybe[Sum] = UNSET
    held: Maybe[Annotated[Usd, Meta(description="What is set aside for jobs that have not ended.")]] = UNSET
    left: Usd
    needs: Maybe[Annotated[Usd, Meta(description="What the jobs of a refused request would hold.")]] = UNSET
    resets_at: Maybe[Annotated[Time, Meta(description="When `spent` starts over. Absent for a budget in total.")]] = (
        UNSET
    )

    @classmethod
    def of(cls, budget: Budget, actor: Actor, needs: int | None = None) -> "BudgetState":
        """Return the shape of a budget as an actor may see it. needs: micro-dollars."""
        state = cls(
            scope=Scope(budget.scope), name=budget.name or UNSET, period=Period(budget.period),
            left=dollars(budgets.left(budget)), needs=UNSET if needs is None else dollars(needs),
            resets_at=given(budget.ends_at),
        )  # fmt: skip
        if limits.in_full(budget, actor):
            state.limit, state.spent, state.held = map(dollars, (budget.amount, budget.spent, budget.held))
        return state


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
    left: Maybe[Annotated[BudgetState, Meta(description="Of the budgets that apply, the one with the least left.")]] = (
        UNSET
    )

    @classmethod
    def of(cls, quote: Quote, jobs: int, tightest: Budget | None, actor: Actor) -> "Estimate":
        """Return the shape of a quote for an actor. tightest: the budget that applies and has the least left."""
        estimate = cls(jobs, quote.basis)
        if quote.low is not None and quote.high is not None:
            estimate.low, estimate.high = dollars(quote.low), dollars(quote.high)
        if quote.price is not None and quote.tier is not None:
            estimate.price = Price(quote.tier.text, quote.price.source, quote.price.checked)
        if tightest is not None:
            estimate.left = BudgetState.of(tightest, actor)
        return estimate


class Spent(Struct, kw_only=True):
    """What runs cost together."""

    runs: Count
    usd: Sum
    micros: Annotated[int, Meta(description="The same in micro-dollars.")]

    @classmethod
    def of(cls, total: Total, **more: Any) -> Self:
        """Return the shape of a sum. more: the members of the other shapes."""
        return cls(runs=total.runs, usd=dollars(total.micros), micros=total.micros, **more)


class SpentOnDay(Spent, kw_only=True):
    """What the runs of a day cost together."""

    day: date


class SpentBy(Spent, kw_only=True):
    """What the runs of a model, for a person, or with a key cost together."""

    name: Annotated[str, Meta(description="Of the model, the person, or the key, such as `anna/ci`.")]

    @classmethod
    def each(cls, found: Sequence[Total]) -> list[Self]:
        """Return the shapes of sums."""
        return [cls.of(total, name=total.name) for total in found]


class Spend(Struct, kw_only=True):
    """What was spent in a month, and the budgets as they are now."""

    month: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}$")]
    pretend: Maybe[Annotated[bool, Meta(description="The stand-in makes the pictures: nothing is charged.")]] = UNSET
    total: Annotated[Spent, Meta(description="Of the month.")]
    today: Annotated[Spent, Meta(description="Of this day, whichever month it is.")]
    days: Annotated[list[SpentOnDay], Meta(description="Those with a run, in order.")]
    models: Annotated[list[SpentBy], Meta(description="The largest sum first.")]
    people: Annotated[list[SpentBy], Meta(description="The largest sum first. Not the runs of nobody in particular.")]
    keys: Annotated[list[SpentBy], Meta(description="The largest sum first. Not the runs without a key.")]
    budgets: list[BudgetState]

    @classmethod
    def of(cls, month: date, lines: Sequence[Line], today: Total, known: Sequence[Budget], actor: Actor) -> "Spend":
        """Return the shape of a month for an actor. month: its first day. known: the budgets that it may see."""
        days = totals.grouped(lines, lambda line: line.day.isoformat())
        return cls(
            month=f"{month:%Y-%m}",
            pretend=settings.standin or UNSET,
            total=Spent.of(totals.summed(lines)),
            today=Spent.of(today),
            days=[SpentOnDay.of(each, day=date.fromisoformat(each.name)) for each in sorted(days, key=_name)],
            models=SpentBy.each(totals.grouped(lines, lambda line: line.model)),
            people=SpentBy.each(totals.grouped(lines, lambda line: line.person)),
            keys=SpentBy.each(totals.grouped(lines, lambda line: line.key)),
            budgets=[BudgetState.of(each, actor) for each in known],
        )


def _name(total: Total) -> str:
    return total.name
