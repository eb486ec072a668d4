"""A circuit breaker for Replicate: open while it refuses the account or does not answer, so that nothing is sent.

It is shared by all workers: a row says that the circuit is open, which people read as "the queue is halted". Jobs stay
queued meanwhile. From time to time it is half-open: one worker looks whether Replicate works again, or sends one job.

A user may open it as well, and a restored library does. Then nothing is sent until a user closes it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.backoff import DEFAULT_TIMINGS, Timings
from tasks.db.database import DB, now, run_inside
from tasks.db.dialect import from_now, typed
from tasks.db.tables import Condition, Halt, Values
from tasks.errors import Failure
from tasks.messaging.broker import generate_later
from tasks.outbox import outbox
from tasks.outbox.events import Event, EventType, link
from tasks.replicate.client import Replicate
from tasks.replicate.errors import OutcomeUnknown, Refused, Unreached
from tasks.settings import settings

log = logging.getLogger(__name__)

MAX_UNANSWERED = 3  # creates in a row, even if looks are answered
AUTH = "provider_auth"
BILLING = "provider_billing"
AWAY = "provider_away"
MANUAL_CODES = ["held", "restored"]
"""The codes with which no probe closes the circuit: a user has to."""


async def current() -> Halt | None:
    """Return why the circuit is open, or None when it is closed."""
    return await Halt.objects().first()


async def is_open(code: str) -> bool:
    """Return whether the circuit is open for this reason."""
    return await Halt.exists().where(Halt.code == code)


async def trip(failure: Failure, job_id: UUID | None = None, timings: Timings = DEFAULT_TIMINGS) -> None:
    """Open the circuit for all workers, or keep it open. job_id: the job that met the failure."""
    before = await current()
    same = before if before is not None and before.code == failure.code else None
    since = before.since if before is not None else now()
    probe_at = from_now(_until_probe(failure.code, same, timings))
    row = Halt(id=1, code=failure.code, message=failure.message, since=since, probe_at=probe_at, job=job_id)
    changes: Values = {
        Halt.code: failure.code,
        Halt.message: failure.message,
        Halt.probe_at: probe_at,
        Halt.job: job_id,
    }
    await _open(row, changes, Halt.code.not_in(MANUAL_CODES), is_news=same is None)
    if same is None:
        message = f"The queue is halted: {failure.message} Jobs resume automatically once this is over."
        log.error("%s%s", message, f" Detected on job {job_id}." if job_id else "")


async def half_open(stopped: Halt, timings: Timings = DEFAULT_TIMINGS) -> bool:
    """Return whether it is this worker's turn to probe: of all workers, one gets a turn from time to time."""
    due = (Halt.id == 1) & (Halt.probe_at <= from_now()) & Halt.code.not_in(MANUAL_CODES)
    later = from_now(_until_probe(stopped.code, stopped, timings))
    return bool(await Halt.update({Halt.probe_at: later}).where(due).returning(Halt.id))


async def close() -> None:
    """Close the circuit because Replicate works again, and wake the workers."""
    if await Halt.delete().where((Halt.id == 1) & Halt.code.not_in(MANUAL_CODES)).returning(Halt.id):
        log.warning("The queue is running again.")
        generate_later(settings.worker_concurrency)


async def hold(code: str, message: str, by: str = "", until: datetime | None = None) -> None:
    """Keep the circuit open until resume(): see MANUAL_CODES. Never replaces the code of a restored library.

    by: who wants it. until: when it is closed although nobody does.
    """
    row = Halt(id=1, code=code, message=message, since=now(), probe_at=now(), by=by, until=until)
    changes: Values = {Halt.code: code, Halt.message: message, Halt.job: None, Halt.by: by, Halt.until: until}
    await _open(row, changes, Halt.code != "restored", is_news=True)
    log.warning("The queue is halted: %s", message)


async def hold_by_hand(by: str = "", reason: str = "", until: datetime | None = None) -> None:
    """Halt the queue at a user's request. by: their name; "" for nobody in particular. reason: in their words."""
    when = f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    why = f": {reason.rstrip('.')}" if reason else ""
    sentence = f"{by[:1].upper() + by[1:] or 'A user'} halted the queue{when}{why}."
    await hold("held", f"{sentence} Resume it at /queue, or with `darkroom resume`.", by, until)


async def resume() -> Halt | None:
    """Close the circuit that only a user closes. Returns why it was open, or None when it was not."""
    lifted = await Halt.delete().where(Halt.code.is_in(MANUAL_CODES)).returning(*Halt.all_columns())
    return Halt(**lifted[0]) if lifted else None


async def end_due() -> None:
    """Close the circuit that a user has opened, when the time has come that the user named."""
    if await Halt.delete().where((Halt.code == "held") & (Halt.until <= from_now())).returning(Halt.id):
        log.warning("The queue is running again: the time has come until which it was halted.")
        generate_later(settings.worker_concurrency)


async def _open(row: Halt, changes: Values, replaces: Condition, is_news: bool) -> None:
    """Open the circuit, or change why it is open where `replaces` holds. is_news: whether programs are told."""
    values: Any = list(changes.items())
    async with DB.transaction():  # or within the one under way: see library_mark.py
        await Halt.insert(row).on_conflict(target=Halt.id, action="DO UPDATE", values=values, where=replaces)
        await run_inside(outbox.steps([_halted(row)], to_endpoints=True) if is_news else [])


def _halted(row: Halt) -> Event:
    """Return the event of a halt: once for each code of it, and only if it is this one."""
    met = {"job_id": row.job} if row.job else {}
    data = {"code": row.code, "message": row.message, "since": row.since, **met, "links": {"page": link("/")}}
    of_this_halt = QueryString(
        f"(SELECT {typed('{}', 'text')} || CAST(since AS TEXT) FROM halt)", f"{EventType.QUEUE_HALTED}:{row.code}:"
    )
    holds = QueryString("EXISTS (SELECT 1 FROM halt WHERE code = {})", row.code)
    return Event(EventType.QUEUE_HALTED, now(), data, of_this_halt, of_all=True, only_if=holds)


def _until_probe(code: str, before: Halt | None, timings: Timings) -> float:
    """Return the seconds until the next probe. In an outage, probes start soon and become less frequent."""
    if code != AWAY:
        return timings.max_probe
    lasted = (now() - before.since).total_seconds() if before is not None else 0.0
    return min(max(lasted / 2, timings.first_probe), timings.max_probe)


class Breaker:
    """The circuit breaker with which one process creates predictions.

    Closed: any number at a time. Half-open, when no create was answered within timings.circuit_closed: one at a time,
    so that an outage affects one job and not all waiting jobs. Open, for all workers, with `provider_away`: a look was
    not answered either, or MAX_UNANSWERED creates in a row were not.
    """

    def __init__(
        self, replicate: Replicate, clock: Callable[[], float] = monotonic, timings: Timings = DEFAULT_TIMINGS
    ) -> None:
        self._replicate, self._clock, self.timings = replicate, clock, timings
        self._closed_until = 0.0
        self._unanswered = 0
        self._half_open = asyncio.Lock()
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def create(self, job_id: UUID, probing: bool = False) -> AsyncIterator[None]:
        """Wait until this job's prediction may be created, then run the block and note whether it was answered.

        probing: whether the job is sent to test if the queue may go on. Raises Refused with `provider_away` before the
        block runs when the queue was halted meanwhile.
        """
        async with AsyncExitStack() as stack:
            if not self._is_closed():
                await stack.enter_async_context(self._half_open)
                if not self._is_closed() and not probing and await current() is not None:
                    raise Refused(AWAY, "The queue is halted.", passing=True, settled=True)
            try:
                yield
            except (Unreached, OutcomeUnknown):
                await self._not_answered(job_id)
                raise
            except Refused:
                self._answered()
                raise
            self._answered()

    async def look(self) -> None:
        """Send Replicate a request that costs nothing. Raises Failure."""
        await self._replicate.account()

    async def is_answered(self) -> bool:
        """Return whether Replicate answers a look. A refusal counts as an answer."""
        try:
            await self.look()
        except (Unreached, OutcomeUnknown) as failure:
            log.info("Replicate is not responding: %s", failure)
            return False
        except Failure as refused:
            log.info("Replicate is responding: %s", refused)
        return True

    def _is_closed(self) -> bool:
        return self._clock() < self._closed_until

    def _answered(self) -> None:
        self._closed_until = self._clock() + self.timings.circuit_closed
        self._unanswered = 0

    async def _not_answered(self, job_id: UUID) -> None:
        self._closed_until = 0.0
        self._unanswered += 1
        async with self._looking:  # of creates that were sent together, one looks at a time
            if await is_open(AWAY) or (self._unanswered < MAX_UNANSWERED and await self.is_answered()):
                return
            await trip(Failure(AWAY, "Replicate is not responding."), job_id, self.timings)
