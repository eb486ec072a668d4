"""What jobs need to be held: what they may cost, and the budgets that they fall under."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tasks.db.money_tables import Budget
from tasks.db.tables import Job
from tasks.jobs import budgets, quotes
from tasks.models.costs import Basis
from tasks.settings import settings


class NotHeld(Exception):  # the domain's term, like QueueFull
    """The error for jobs for which no money can be held. message: a sentence for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PriceUnknown(NotHeld):
    """The error for a job of a model without a known price, where a budget applies and UNPRICED=refuse."""

    def __init__(self, model: str) -> None:
        super().__init__(f"A budget applies, and the price of {model} is not known.")


@dataclass(frozen=True, slots=True)
class Need:
    """What a job needs to be held: micro-dollars, what they rest on, and the budgets that it falls under."""

    micros: int
    basis: Basis
    budgets: tuple[UUID, ...]


Needs = Mapping[UUID, Need]
"""What jobs need to be held, by job."""


async def needed(jobs: Sequence[Job], known: Sequence[Budget]) -> dict[UUID, Need]:
    """Return what jobs need to be held, by job. Those that fall under no budget are left out. Raises PriceUnknown.

    known: all budgets.
    """
    needs: dict[UUID, Need] = {}
    for job in jobs if known else []:
        own = tuple(budget.id for budget in known if applies(budget, job))
        if own:
            micros, basis = await _amount(job)
            needs[job.id] = Need(micros, basis, own)
    return needs


NOTED = (Job.hold, Job.hold_basis, Job.hold_budgets, Job.is_held)
"""The columns that note() writes."""


def note(job: Job, needs: Needs) -> None:
    """Write what it needs to be held into the row of a job, which the caller saves."""
    need = needs.get(job.id)
    job.hold, job.hold_basis = (need.micros, need.basis) if need else (None, None)
    job.hold_budgets, job.is_held = " ".join(map(str, need.budgets)) if need else None, need is not None


def applies(budget: Budget, job: Job) -> bool:
    """Return whether a job falls under a budget."""
    return budgets.applies(budget, job.owner, job.api_key, job.model)


async def _amount(job: Job) -> tuple[int, Basis]:
    quote = await quotes.of_job(job.model, job.parameters)
    if quote.high is not None:
        return quote.high, Basis(quote.basis)
    if settings.unpriced == "refuse":
        raise PriceUnknown(job.model)
    return settings.ceiling_micros, Basis.CEILING
