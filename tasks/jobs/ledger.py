"""The ledger: what each attempt cost, in whole micro-dollars, written in the transaction that ends the attempt."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import now
from tasks.db.steps import Step, step
from tasks.db.tables import Job, Ledger
from tasks.models import costs, prices, registry
from tasks.models.costs import Cost
from tasks.models.usage import expected
from tasks.replicate.client import Prediction
from tasks.settings import settings


async def cost_of(job: Job, prediction: Prediction | None) -> Cost | None:
    """Return what a job's prediction cost, or None when it has not ended, or when that is not known."""
    if prediction is None or not prediction.ended:
        return None
    price = await prices.current(job.model)
    if price is None:
        return None
    model = await registry.stored(job.model)
    usual = expected(json.loads(job.parameters), model.input_schema["properties"] if model else {})
    return costs.of_run(price, prediction.metrics or {}, usual, prediction.status == "succeeded")


def added(cost: Cost | None) -> dict[Any, Any]:
    """Return the changes of a job whose attempt under way cost this."""
    return {Job.cost: QueryString("coalesce(cost, 0) + {}", cost.micros), Job.cost_basis: cost.basis} if cost else {}


def entered(job: Job, cost: Cost | None) -> list[Step]:
    """Return the steps that enter what the attempt under way cost."""
    if cost is None:
        return []
    price = {"text": cost.tier.text, "source": cost.price.source, "checked": cost.price.checked.isoformat()}
    entry = Ledger(
        id=ids.new(), at=now(), job=job.id, attempt=job.attempt, model=job.model,
        micros=cost.micros, basis=cost.basis, pretend=settings.standin, price=json.dumps(price, ensure_ascii=False),
    )  # fmt: skip
    return [step(Ledger.insert(entry))]


async def entries(job_id: UUID) -> Sequence[Ledger]:
    """Return the entries of a job, oldest first."""
    return await Ledger.objects().where(Ledger.job == job_id).order_by(Ledger.id)
