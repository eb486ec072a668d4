"""New jobs into the database: those that come at the same moment are written in one transaction, each as if alone.

A commit is what a job costs most, and one does for many. Nothing waits for others to come: what comes while a group is
being written is the next one.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Any

from piccolo.querystring import QueryString

from tasks import queue
from tasks.database import DB, from_now
from tasks.failures import DatabaseAway
from tasks.tables import Job

GROUP = 50  # jobs that are written together at most

COLUMNS = (
    Job.id, Job.status, Job.prompt, Job.model, Job.parameters, Job.client, Job.priority, Job.finish_within,
    Job.created_at, Job.changed_at, Job.made_from,
)  # fmt: skip
"""What a new job has of its own. Turn and times are the database's to tell; the rest has defaults there."""

NAMES = tuple(column._meta.name for column in COLUMNS)
INSERT = (
    f"INSERT INTO job ({', '.join(NAMES)}, turn, due_at, deadline_at)"
    f" VALUES ({', '.join(['{}'] * (len(NAMES) + 3))}) RETURNING turn, due_at, deadline_at"
)

Row = dict[str, Any]
_Entry = tuple[QueryString, asyncio.Future[Row]]

_groups: dict[asyncio.AbstractEventLoop, "_Group"] = {}


async def insert(job: Job) -> None:
    """Write a new job, and give it its turn and its times. Raises DatabaseAway."""
    loop = asyncio.get_running_loop()
    if loop not in _groups:
        _groups[loop] = _Group()
    row = await _groups[loop].written(_statement(job))
    job.turn, job.due_at, job.deadline_at = row["turn"], row["due_at"], row["deadline_at"]
    job._exists_in_db = True


class _Group:
    """The jobs of one event loop that wait to be written."""

    def __init__(self) -> None:
        self._waiting: list[_Entry] = []
        self._writing: asyncio.Task[None] | None = None

    async def written(self, statement: QueryString) -> Row:
        """The row that a statement answers, once it is committed."""
        answer: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._waiting.append((statement, answer))
        if self._writing is None or self._writing.done():
            # In a context of its own: what it writes is no part of a transaction that its first caller may be in.
            self._writing = asyncio.get_running_loop().create_task(self._write(), context=Context())
        return await answer

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            try:
                await _write(group)
            except Exception as error:
                if len(group) == 1 or isinstance(error, DatabaseAway):
                    _refuse(group, error)
                    continue
                for one in group:  # one of them is at fault: the others do not suffer for it
                    try:
                        await _write([one])
                    except Exception as its_own:
                        _refuse([one], its_own)


async def _write(group: Sequence[_Entry]) -> None:
    rows = await DB.run_alike([statement for statement, _ in group])
    for (_, answer), row in zip(group, rows, strict=True):
        if not answer.done():
            answer.set_result(row)


def _refuse(group: Sequence[_Entry], error: Exception) -> None:
    for _, answer in group:
        if not answer.done():
            answer.set_exception(error)


def _statement(job: Job) -> QueryString:
    own = [getattr(job, name) for name in NAMES]
    turn = queue.next_turn(job.client, job.priority)
    return QueryString(INSERT, *own, turn, from_now(), from_now(job.finish_within))
