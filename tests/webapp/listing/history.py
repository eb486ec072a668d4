"""Jobs as if they had been submitted at some moment, for tests of days, months and places."""

from datetime import datetime
from random import Random

from tasks.db import ids
from tasks.db.tables import Job, Status

CHANCE = Random(14)


async def submitted_at(moment: datetime, prompt: str = "a fox") -> str:
    """Submit a job at a moment, and cancel it: many that wait are folded. Returns its id.

    Words are found in order of age only if older jobs come first.
    """
    job = Job(
        id=ids.drawn_at(moment, CHANCE), status=Status.CANCELED, prompt=prompt, model="m/m", created_at=moment,
        changed_at=moment, due_at=moment, finished_at=moment,
    )  # fmt: skip
    await job.save()
    return str(job.id)
