"""What the form is expected to cost, in a sentence beside its button, and what is left of the tightest budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from tasks.admission.admission import is_model_name
from tasks.errors import Rejected
from tasks.jobs import budgets, quotes
from tasks.models import registry
from tasks.models.costs import dollars
from tasks.models.registry import Model
from tasks.settings import settings
from webapp.composer.matrix import Form, asked_for
from webapp.render.viewer import viewer

WHEN = {"day": "today", "month": "this month", "total": "of the budget"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the composer shows. cost: in words, "" when it is not known. left: of a budget, "" when none applies.

    low: whether little is left of it.
    """

    cost: str = ""
    left: str = ""
    low: bool = False


NO_ESTIMATE = Estimate()


async def estimate(form: Form, model: Model | None, parameters: Mapping[str, Any]) -> Estimate:
    """Return what the prints of a form are expected to cost the one who fills it in. parameters: those of the form."""
    if model is None:
        return NO_ESTIMATE
    try:
        asked = asked_for(form, model.name)
    except Rejected:
        return NO_ESTIMATE
    if not all(map(is_model_name, asked.models)):
        return NO_ESTIMATE
    models = [model, *[known for name in asked.models[1:] if (known := await registry.stored(name))]]
    actor = viewer.get()
    budget = await budgets.tightest(actor.person, actor.key, asked.models)
    prints = prod(number for number, _ in asked.factors)
    cost = await _cost([(each, parameters) for each in models], prints // len(asked.models), budget is not None)
    if len(models) < len(asked.models):
        cost = ""
    words = f"{prints:,} prints, {cost}" if cost and prints > 1 else cost[:1].upper() + cost[1:]
    if budget is None:
        return Estimate(words)
    low = budgets.is_low(budget)
    return Estimate(words, f"{'only ' if low else ''}{_money(budgets.left(budget))} left {WHEN[budget.period]}", low)


async def _cost(runs: list[quotes.Run], times: int, limited: bool) -> str:
    """Return what runs cost, each so many times: "about $0.16", or "up to $1.00" by the ceiling of what is limited."""
    quote = await quotes.of_runs(runs)
    if quote.low is not None and quote.high is not None:
        low, high = _money(quote.low * times), _money(quote.high * times)
        amount = low if low == high else f"{low} to {high}"
        return f"about {amount}{' pretend' if settings.standin else ''}"
    if limited and settings.unpriced == "ceiling":
        return f"up to {_money(settings.ceiling_micros * len(runs) * times)}"
    return ""


def _money(micros: int) -> str:
    return f"${dollars(micros)}"
