"""The ledger: what each attempt cost, in whole micro-dollars, written in the transaction that ends the attempt.

Its other entries say what was held for a job, and released (see holds.py), and what people have put right (see
tasks/spend/adjustments.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db.database import DB, now
from tasks.db.money_tables import Ledger
from tasks.db.steps import Step, step
from tasks.db.tables import ENDED, Attempt, Job, Values
from tasks.jobs import budgets, holds
from tasks.jobs.attempts import SUBMISSION_UNKNOWN
from tasks.models import costs, prices, registry
from tasks.models.costs import Basis
from tasks.models.usage import expected
from tasks.replicate.client import Prediction


@dataclass(frozen=True, slots=True)
class Charge:
    """What an attempt cost: micro-dollars, what they rest on, and the price that they were computed with, as JSON."""

    micros: int
    basis: Basis
    price: str = "{}"


async def charge_of(job: Job, prediction: Prediction | None) -> Charge | None:
    """Return what a job's prediction cost, or None when it has not ended, or when that is not known.

    Where money is held for the job, a result whose cost is not known costs what is held: never nothing.
    """
    if prediction is None or not prediction.ended:
        return None
    succeeded = prediction.status == "succeeded"
    price = await prices.current(job.model)
    model = await registry.stored(job.model)
    usual = expected(json.loads(job.parameters), model.input_schema["properties"] if model else {})
    cost = costs.of_run(price, prediction.metrics or {}, usual, succeeded) if price else None
    if cost is not None:
        listed = {"text": cost.tier.text, "source": cost.price.source, "checked": cost.price.checked.isoformat()}
        return Charge(cost.micros, cost.basis, json.dumps(listed, ensure_ascii=False))
    return Charge(job.hold, Basis(job.hold_basis)) if job.hold is not None and succeeded else None


def added(charge: Charge | None) -> dict[Any, Any]:
    """Return the changes of a job whose attempt under way cost this."""
    if charge is None:
        return {}
    return {Job.cost: QueryString("coalesce(cost, 0) + {}", charge.micros), Job.cost_basis: charge.basis}


def entered(job: Job, attempt: UUID | None, charge: Charge | None) -> list[Step]:
    """Return the steps that enter what an attempt at a job cost."""
    if charge is None:
        return []
    return [step(holds.ledger_entry(job, "settle", charge.micros, charge.basis, attempt, charge.price))]


async def settle_late(attempt: Attempt, prediction: Prediction) -> None:
    """Enter, once, what the prediction of an attempt cost that was given up before it turned up, and has ended.

    Where the job has ended with it, what the job holds is released: now it is known.
    """
    job = await Job.objects().get(Job.id == attempt.job)
    if job is None:
        return
    charge = await charge_of(job, prediction)
    used: Values = {
        Attempt.metrics: json.dumps(prediction.metrics or {}),
        Attempt.predict_time: prediction.predict_time,
    }
    first = Attempt.update(used).where((Attempt.id == attempt.id) & Attempt.metrics.is_null()).returning(Attempt.id)
    ends = job.status in ENDED and job.error_code == SUBMISSION_UNKNOWN
    steps = [step(first, must=True)]
    if charge is not None:
        steps.append(step(Job.update({**added(charge), Job.changed_at: now()}).where(Job.id == job.id)))
    steps += entered(job, attempt.id, charge)
    steps += holds.settled(job, charge.micros if charge else 0, await budgets.current(), ends)
    await DB.run_steps(steps)


async def entries(job_id: UUID) -> Sequence[Ledger]:
    """Return what the attempts at a job cost, and what was adjusted, oldest first."""
    spent = (Ledger.job == job_id) & Ledger.kind.is_in(["settle", "adjust"])
    return await Ledger.objects().where(spent).order_by(Ledger.id)
