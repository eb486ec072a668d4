"""Adjustments: what a job cost, put right by people, as when Replicate gave money back or charged something else."""

import json

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db.database import DB
from tasks.db.steps import step
from tasks.db.tables import Job
from tasks.jobs import budgets, holds
from tasks.jobs.transitions import changed, row_as_job
from tasks.models.costs import Basis, dollars


async def adjust(job: Job, micros: int, note: str, by: By) -> Job | None:
    """Change what a job cost by an amount of micro-dollars, which may be negative, and what is spent of its budgets.

    It counts on the day and in the month when it is made. note: the reason, for the job's page and the audit. Returns
    the job as it is then, or None when it would have cost less than nothing. Pages find the change when they next look.
    """
    cost = {Job.cost: QueryString("coalesce(cost, 0) + {}", micros), Job.cost_basis: Basis.ADJUSTED}
    enough = (Job.id == job.id) & WhereRaw("coalesce(job.cost, 0) + {} >= 0", micros)
    entry = holds.ledger_entry(job, "adjust", micros, Basis.ADJUSTED, price=json.dumps({"note": note}))
    spent = holds.settled(job, micros, await budgets.current(), ends=False)
    answers = await DB.run_steps([step(changed(enough, cost), must=True), step(entry), *spent])
    if answers is None:
        return None
    after = row_as_job(answers[0][0])
    was, now = {"cost": dollars(after.cost - micros)}, {"cost": dollars(after.cost), "note": note}
    await audit.note(by, "cost adjusted", str(job.id), was, now)
    return after
