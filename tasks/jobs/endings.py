"""What programs are told when jobs end: the events that go into the outbox in the transaction that ends them."""

from collections.abc import Sequence
from datetime import datetime

from piccolo.querystring import QueryString

from tasks.db.dialect import LOCK_ROWS
from tasks.db.steps import Step, step
from tasks.db.tables import Job, Status
from tasks.outbox import events, outbox
from tasks.outbox.events import EndedJob

LOCK_BATCH = f"SELECT id FROM batch WHERE id = {{}}{LOCK_ROWS}"
"""Makes the transactions that end jobs of one batch take turns: of two at once, one would not see that both ended."""


def ended(job: Job, status: Status, finished_at: datetime, error_code: str | None) -> EndedJob:
    """Return a job that has just ended like this. job: its row, maybe as it was before."""
    return EndedJob(
        job.id, status, finished_at, error_code, job.batch, job.owner, job.webhook, job.metadata, job.origin
    )


def steps(jobs: Sequence[EndedJob], to_endpoints: bool) -> list[Step]:
    """Return the steps that write down that jobs have ended, and their batches if no job of theirs is left.

    to_endpoints: what outbox.has_endpoints() returned.
    """
    told = [job for job in jobs if to_endpoints or job.webhook is not None]
    last = {job.batch: job for job in told if job.batch is not None}
    of_jobs = outbox.steps(map(events.job_ended, told), to_endpoints)
    locks = [step(QueryString(LOCK_BATCH, batch)) for batch in sorted(last)]
    return [*of_jobs, *locks, *outbox.steps(map(events.batch_ended, last.values()), to_endpoints)]
